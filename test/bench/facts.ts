/** Where figures come from: the machine, what it did beside, and the versions of what was measured. */
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";
import { join } from "node:path";

/** What stands beside the figures. */
export interface Facts {
  readonly date: string;
  readonly machine: string;
  /** Processes that wanted a core, on average over the minute before. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
}

const BENCH = import.meta.dirname;
/** With more, something else was running. */
const QUIET_LOAD_MAX = 0.5;

/** Reads them, before anything is measured. */
export function readFacts(natsServer: string): Facts {
  const goModules = readFileSync(join(BENCH, "floor/go.mod"), "utf8");
  const versionIn = (text: string, name: string) =>
    new RegExp(`${name}"?:?\\s+"?[\\^v]*([\\d.]+)`).exec(text)?.[1] ?? "";
  const root = readFileSync(join(BENCH, "../../package.json"), "utf8");
  const fluent = readFileSync(join(BENCH, "peer/fluent/package.json"), "utf8");
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model.trim() ?? arch()}, ${availableParallelism()} cores, ${Math.round(totalmem() / 1024 ** 3)} GiB, ${type()} ${release()}`,
    loadBefore: loadavg()[0] ?? 0,
    versions: {
      Node: process.versions.node,
      "nats-server": natsServer,
      "client-go": versionIn(goModules, "k8s.io/client-go"),
      "nats.go": versionIn(goModules, "nats-io/nats.go"),
      "client-node": versionIn(root, "@kubernetes/client-node"),
      "kubernetes-fluent-client": versionIn(fluent, '"kubernetes-fluent-client'),
    },
  };
}

/** A paragraph of them. */
export function factsText({ date, machine, loadBefore, versions }: Facts, command: string): string {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const quiet =
    loadBefore <= QUIET_LOAD_MAX
      ? "Nothing else ran."
      : `**Other work ran on the machine** (load ${loadBefore.toFixed(1)} before the start), so ratios may be off and times are.`;
  const small = command.includes("--quick") ? " A small run: it shows that it works, not how fast it is." : "";
  return `\`${command}\`, ${date}; ${machine}; ${named.join(", ")}. ${quiet}${small}\n`;
}
