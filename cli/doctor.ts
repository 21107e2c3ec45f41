/**
 * `cr-reactor doctor`: looks at everything cr-reactor stands on — Node, the configuration files, NATS and the cluster — and says of each
 * check in one line how it is, and in a second one what to do. It writes nothing anywhere. The parts are looked at side by side and told
 * in a fixed order, each as soon as it and those before it are known.
 */
import { isDeepStrictEqual } from "node:util";
import { NatsSettings, resolveNatsSettings } from "#contract";
import { isAtLeast } from "../bridge/dotted-version.ts";
import manifest from "../package.json" with { type: "json" };
import { checkCapture } from "./doctor/capture.ts";
import { type Check, type CheckStatus, type Finding, failed, passed, reasonOf, skipped } from "./doctor/check.ts";
import {
  type Bindings,
  bindSubscriptions,
  describeBridgeFile,
  readBridgeFile,
  readSubscriptionsFile,
} from "./doctor/config.ts";
import { checkNats, type NatsTarget } from "./doctor/nats.ts";
import { checkNatsFiles, checkSecrets, natsSecrets, subscriptionSecrets } from "./doctor/secret.ts";
import { paint, print, type Style } from "./terminal.ts";

/** The options of the command. */
export interface DoctorOptions {
  readonly config?: string;
  readonly subscriptions?: string;
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly server?: readonly string[];
  readonly json?: true;
}

/** What is looked at together. */
interface Part {
  readonly name: string;
  readonly title: string;
  readonly findings: Promise<readonly Finding[]>;
}

type Files = Awaited<ReturnType<typeof readFiles>>;

/** A configuration file is wrong, as for the commands that read it. */
const EXIT_INVALID = 2;

const SIGNS: Readonly<Record<CheckStatus, readonly [string, Style]>> = {
  ok: ["✔", "green"],
  warning: ["!", "yellow"],
  failed: ["✖", "red"],
  skipped: ["–", "dim"],
};

/** Prints what it found, and ends the process: 0 when nothing has failed, 1 when something has, 2 for a wrong configuration file. */
export async function doctorCommand(options: DoctorOptions): Promise<void> {
  const files = await readFiles(options);
  const bound = files.subscriptions === undefined ? undefined : bindSubscriptions(files.subscriptions);
  const parts: Part[] = [
    { name: "node", title: "Node", findings: Promise.resolve([checkNode()]) },
    { name: "configuration", title: "Configuration", findings: checkConfiguration(files, bound) },
    ...natsParts(files, options),
    { name: "cluster", title: "Cluster", findings: checkClusterPart(files, options) },
  ];
  const checks: Check[] = [];
  for (const [index, part] of parts.entries()) {
    const waiting = showProgress(parts.slice(index), options);
    const findings = await part.findings.catch(brokenOff);
    waiting.end();
    checks.push(...findings.map((finding) => ({ part: part.name, ...finding })));
    if (!options.json) printPart(part.title, findings);
  }
  const isInvalid = files.bridge?.invalid || files.subscriptions?.invalid || (await bound)?.invalid;
  const failures = checks.filter(({ status }) => status === "failed").length;
  const code = isInvalid ? EXIT_INVALID : Math.min(failures, 1);
  const text = options.json ? JSON.stringify({ ok: failures === 0, checks }, null, 2) : summary(checks, failures);
  // A server that does not answer would keep the process for its own timeouts.
  process.stdout.write(`${text}\n`, () => process.exit(code));
}

async function readFiles({ config, subscriptions }: DoctorOptions) {
  return {
    bridge: config === undefined ? undefined : await readBridgeFile(config),
    subscriptions: subscriptions === undefined ? undefined : await readSubscriptionsFile(subscriptions),
  };
}

/** Exported for its test: no test runs on an older Node. */
export function checkNode(version: string = process.versions.node, engines: string = manifest.engines.node): Finding {
  const minimum = engines.replace(/^>=/, "");
  if (isAtLeast(version, minimum)) return passed("version", `Node ${version}`);
  return failed(
    "version",
    `Node ${version} is older than ${minimum}`,
    `install Node ${minimum} or newer: https://nodejs.org`,
  );
}

async function checkConfiguration({ bridge, subscriptions }: Files, bound: Promise<Bindings> | undefined) {
  if (bridge === undefined && subscriptions === undefined)
    return [skipped("files", "files: none are given (--config, --subscriptions)")];
  const files = [bridge, subscriptions].filter((file) => file !== undefined);
  const { bindings = [], findings = [] } = (await bound) ?? {};
  const secrets = [
    ...files.flatMap(({ fileName, nats }) => natsSecrets(nats, `${fileName} nats`)),
    // Without bindings the functions' files cannot be loaded, or not in time.
    ...(bindings.length === 0 ? [] : await subscriptionSecrets(subscriptions?.value, subscriptions?.fileName ?? "")),
  ];
  return [
    ...(bridge === undefined ? [] : [...bridge.problems, ...describeBridgeFile(bridge)]),
    ...(subscriptions?.problems ?? []),
    ...findings,
    ...(bridge?.value === undefined ? [] : checkCapture(bindings, bridge.value, bridge.fileName)),
    ...checkSecrets(secrets),
    ...(await Promise.all(files.map(({ nats }) => checkNatsFiles(nats)))).flat(),
  ];
}

/** One part; two where the bridge and the functions sign in differently. */
function natsParts({ bridge, subscriptions }: Files, { server }: DoctorOptions): readonly Part[] {
  const settingsOf = (nats: NatsSettings = NatsSettings.parse({})) =>
    resolveNatsSettings({ ...nats, ...(server !== undefined && { servers: [...server] }) });
  const part = (name: string, title: string, target: NatsTarget) => ({ name, title, findings: checkNats(target) });
  const ofBridge = bridge && { cluster: bridge.value?.cluster, streams: bridge.value?.streams };
  const filters = subscriptions?.value && {
    fileName: subscriptions.fileName,
    selections: subscriptions.value.subscriptions,
  };
  const [forBridge, forFunctions] = [settingsOf(bridge?.nats), settingsOf(subscriptions?.nats)];
  if (bridge === undefined && subscriptions === undefined)
    return [
      part("nats", "NATS", {
        settings: forBridge,
        bridge: { cluster: undefined, streams: undefined },
        functions: true,
        certain: false,
      }),
    ];
  if (bridge !== undefined && subscriptions !== undefined && !isDeepStrictEqual(forBridge, forFunctions)) {
    return [
      part("nats-bridge", "NATS, as the bridge", {
        settings: forBridge,
        bridge: ofBridge,
        functions: false,
        certain: true,
      }),
      part("nats-functions", "NATS, as the functions", {
        settings: forFunctions,
        bridge: undefined,
        functions: true,
        filters,
        certain: true,
      }),
    ];
  }
  const settings = bridge === undefined ? forFunctions : forBridge;
  const target = { settings, bridge: ofBridge, functions: subscriptions !== undefined, filters, certain: true };
  return [part("nats", "NATS", target)];
}

/** Functions need no cluster: with their file alone it is looked at only when it is named. */
async function checkClusterPart({ bridge, subscriptions }: Files, options: DoctorOptions): Promise<readonly Finding[]> {
  const { context, kubeconfig } = options;
  if (bridge === undefined && subscriptions !== undefined && context === undefined && kubeconfig === undefined)
    return [skipped("cluster", "cluster: functions need none (--config or --context look at it)")];
  const settings = { ...bridge?.kubernetes, ...(context && { context }), ...(kubeconfig && { kubeconfig }) };
  const { checkCluster } = await import("./doctor/cluster.ts");
  return await checkCluster({ settings, config: bridge?.value });
}

/** A check that fails in a way nobody thought of must not hide the others. */
function brokenOff(error: unknown): readonly Finding[] {
  return [failed("doctor", `this check broke off: ${reasonOf(error)}`, "report this line as a defect of cr-reactor")];
}

function printPart(title: string, findings: readonly Finding[]): void {
  print(paint("bold", title));
  for (const { status, detail, next } of findings) {
    const [sign, style] = SIGNS[status];
    const text = status === "skipped" ? paint("dim", `skipped: ${detail}`) : detail;
    print(`  ${paint(style, sign)} ${text}`);
    if (next !== undefined) print(`    ${paint("cyan", "→")} ${next}`);
  }
}

function summary(checks: readonly Check[], failures: number): string {
  const warnings = checks.filter(({ status }) => status === "warning").length;
  if (failures === 0 && warnings === 0) return paint("green", "Everything that was checked is well.");
  const counts = [failures > 0 && `${failures} failed`, warnings > 0 && `${warnings} to know about`].filter(Boolean);
  return paint(failures > 0 ? "red" : "yellow", `${checks.length} checks: ${counts.join(", ")}.`);
}

/** On a terminal, what is still waited for; it goes when the answer is there. */
function showProgress(parts: readonly Part[], { json }: DoctorOptions): { end(): void } {
  const { stderr } = process;
  if (!stderr.isTTY || json) return { end: () => undefined };
  stderr.write(paint("dim", `… ${parts.map(({ title }) => title).join(", ")}`, stderr));
  return { end: () => stderr.write("\r\u001b[K") };
}
