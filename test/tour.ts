/**
 * `npm run tour`: the demo, and ten commands one after the other on what it has left, drawn as cli/tour.svg, the second picture in the README. Nothing in it is
 * made up: tour.test.ts takes the tour again and compares the words.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { demoSubscriptions } from "../cli/demo-story.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import { spawnOwned } from "./kit/owned-child.ts";
import { drawTerminal } from "./kit/terminal-picture.ts";

const ROOT = join(import.meta.dirname, "..");
const CLI = join(ROOT, "cli/main.ts");
/** The longest line has room. */
export const TOUR_COLUMNS = 132;
export const TOUR_TITLE = "ten commands on what the demo left";
/** As the demo's bridge has them, or doctor would tell the difference. */
const BYTES_MAX = 64 * 1024 ** 2;

/** Behind `cr-reactor demo --keep`, which runs all the while. */
const COMMANDS: readonly (readonly string[])[] = [
  ["tail", "Database", "--filter", "{ phase: { to: Failed } }", "--since", "1h", "--count", "1"],
  ["history", "Database/demo/orders"],
  ["explain", "database-failed", "--subscriptions", "subscriptions.yaml", "--count", "2"],
  ["replay", "database-failed", "--from", "1h", "--dry-run"],
  ["record", "Database", "--since", "1h", "--anonymous", "--output", "fixtures"],
  ["silence", "{ kind: Database }", "--for", "2h", "--reason", "moving the storage", "--by", "ana"],
  ["dead-letters", "list"],
  ["status"],
  ["verify", "--config", "bridge.yaml"],
  ["doctor", "--config", "bridge.yaml"],
];

/** Runs the session as somebody at a terminal does, and answers what it showed, with its colours. */
export async function takeTour(): Promise<string> {
  const { NO_COLOR: _, ...rest } = process.env;
  const folder = createDataFolder("tour");
  const env = { ...rest, FORCE_COLOR: "1" };
  const demo = spawnOwned(process.execPath, [CLI, "demo", "--keep"], { env, cwd: folder.path });
  try {
    const shown = await untilKept(demo.stdout);
    const [natsUrl = ""] = /nats:\/\/[\d.:]+/.exec(shown) ?? [];
    const kubeconfig = /--kubeconfig (\S+)/.exec(shown)?.[1] ?? "";
    writeFiles(folder.path);
    const where = { cwd: folder.path, env: { ...env, NATS_URL: natsUrl, KUBECONFIG: kubeconfig } };
    const session = [prompt(["demo", "--keep"]), `…\n${summaryIn(shown)}\n`];
    for (const args of COMMANDS) session.push(prompt(args), await written(args, where));
    return session.join("\n");
  } finally {
    demo.kill("SIGINT");
    await once(demo, "close");
    folder.remove();
  }
}

async function untilKept(output: AsyncIterable<unknown>): Promise<string> {
  let text = "";
  for await (const chunk of output) {
    text += String(chunk);
    if (text.includes("Ctrl-C ends it")) return text;
  }
  throw new Error(`the demo ended:\n${text}`);
}

/** What the demo says of itself at its end. */
function summaryIn(shown: string): string {
  return shown.split("\n").find((line) => /\d+ steps, /.test(line)) ?? "";
}

function writeFiles(folder: string): void {
  const bridge = {
    cluster: "demo",
    resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: ["demo"] }],
    streams: { eventsBytesMax: BYTES_MAX, blobsBytesMax: BYTES_MAX },
  };
  writeFileSync(join(folder, "bridge.yaml"), stringify(bridge));
  writeFileSync(join(folder, "subscriptions.yaml"), demoSubscriptions("http://127.0.0.1:9/start"));
}

/** Both of its streams, in the order in which they were written. */
async function written(
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): Promise<string> {
  const line = `exec 2>&1; exec "$0" "$@"`;
  const child = spawn("/bin/sh", ["-c", line, process.execPath, CLI, ...args], {
    ...options,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return (await Array.fromAsync(child.stdout)).join("");
}

function prompt(args: readonly string[]): string {
  const words = args.map((word) => (/[\s{}]/.test(word) ? `'${word}'` : word));
  return `\u001b[2m$\u001b[22m \u001b[1mcr-reactor ${words.join(" ")}\u001b[22m`;
}

if (import.meta.main) {
  const session = await takeTour();
  writeFileSync(join(ROOT, "cli/tour.svg"), drawTerminal(session, TOUR_TITLE, TOUR_COLUMNS));
  process.stdout.write(session);
}
