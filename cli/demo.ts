/**
 * `cr-reactor demo`: the whole loop on real parts, by itself: an API server, NATS, the bridge, two functions, and look-alikes of
 * Slack and a workflow engine. It lives through a story, shows what each step causes and how long that took, and fails if
 * anything is missing, wrong or too much.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  connectJetStream,
  createLogger,
  type Envelope,
  follow,
  type JetStream,
  NatsSettings,
  opOf,
  parseEnvelope,
  resolveNatsSettings,
} from "#contract";
import { BridgeConfig } from "../bridge/config.ts";
import { runBridge } from "../bridge/main.ts";
import { type RunningFunctions, runFunctions } from "../functions/main.ts";
import { stderrReport } from "../test/kit/install/progress.ts";
import { startNats } from "../test/kit/nats-server.ts";
import { type SlackServer, startSlack } from "../test/kit/slack-server.ts";
import { startWorkflowEndpoint, type WorkflowEndpoint } from "../test/kit/webhook-server.ts";
import { type DemoCluster, openDemoCluster } from "./demo-cluster.ts";
import { type DemoStep, demoSubscriptions, HERO, STORY } from "./demo-story.ts";
import { paint, print, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface DemoOptions {
  readonly context?: string;
  readonly keep?: true;
}

/** Something that was expected did not happen, or something else did. */
class DemoFailedError extends Error {
  readonly code = "DEMO_FAILED";
}

/** Everything that runs during the story. */
interface Stage {
  readonly cluster: DemoCluster;
  readonly natsUrl: string;
  readonly jetStream: JetStream;
  readonly slack: SlackServer;
  readonly workflows: WorkflowEndpoint;
  readonly functions: RunningFunctions;
  /** The events of the story, with the time each arrived. */
  readonly events: { readonly envelope: Envelope; readonly atMs: number }[];
}

const CLUSTER_NAME = "demo";
/** Far more than any effect takes; then it is missing. */
const EFFECT_WITHIN_MS = 15_000;
const POLL_MS = 2;

/** Throws DemoFailedError, or what keeps the parts from starting. */
export async function demoCommand({ context, keep }: DemoOptions): Promise<void> {
  const signal = stopSignal();
  await using cleanup = new AsyncDisposableStack();
  print(paint("bold", "cr-reactor demo: a database fails, and Slack hears of it\n"));
  const stage = await prepare(context, signal, cleanup);
  print(`\n${paint("bold", "The story")}`);
  const problems: string[] = [];
  for (const [index, step] of STORY.entries()) {
    signal.throwIfAborted();
    problems.push(...(await play(stage, step, index)));
  }
  problems.push(...(await audit(stage)));
  summarise(stage, problems);
  if (keep) await hold(stage, signal);
  if (problems.length > 0)
    throw new DemoFailedError(`the demo did not go as it should:\n${problems.map((line) => `  - ${line}`).join("\n")}`);
}

async function prepare(
  context: string | undefined,
  signal: AbortSignal,
  cleanup: AsyncDisposableStack,
): Promise<Stage> {
  const report = stderrReport();
  print(paint("bold", "Preparing"));
  const cluster = await timed(
    () => openDemoCluster(context, signal, report),
    ({ title, namespace }) => `${title}, namespace ${namespace}`,
  );
  cleanup.defer(() => cluster.close());
  const nats = await timed(
    () => startNats({ report }),
    ({ url }) => `nats-server at ${url}`,
  );
  cleanup.defer(() => nats.stop());
  const [slack, workflows] = [await startSlack(), await startWorkflowEndpoint()];
  cleanup.use(slack);
  cleanup.use(workflows);
  process.env["CR_REACTOR_DEMO_SLACK"] = slack.webhookUrl;
  process.env["CR_REACTOR_DEMO_TOKEN"] = workflows.token;

  const stop = new AbortController();
  const logger = createLogger("demo", process.env["LOG_LEVEL"] ?? "error");
  const natsSettings = NatsSettings.parse({ servers: [nats.url] });
  const jetStream = await connectJetStream(resolveNatsSettings(natsSettings), "cr-reactor demo");
  cleanup.defer(() => jetStream.close());
  const bridge = runBridge(
    BridgeConfig.parse({
      cluster: CLUSTER_NAME,
      resources: [{ apiVersion: "demo.example.com/v1", kind: "Database", namespaces: [cluster.namespace] }],
      nats: natsSettings,
      kubernetes: cluster.settings,
      streams: { eventsBytesMax: 64 * 1024 ** 2 },
      health: { host: "127.0.0.1", port: 0 },
    }),
    { logger, signal: stop.signal, onListening: (port) => (healthPort = port) },
  );
  let healthPort = 0;
  cleanup.defer(async () => {
    stop.abort();
    await bridge;
  });
  await timed(
    () => Promise.race([bridge, readyAt(() => healthPort, signal)]),
    () => "the bridge watches",
  );
  const text = demoSubscriptions(workflows.url);
  const functions = await timed(
    async () => {
      const running = await runFunctions({
        subscriptions: { text, fileName: "demo-subscriptions.yaml" },
        nats: natsSettings,
        log: logger,
        signal: stop.signal,
      });
      await until(() => running.status().subscriptions.every(({ state }) => state === "running"), signal);
      return running;
    },
    () => "two functions wait:",
  );
  cleanup.defer(async () => {
    stop.abort();
    await functions.done;
  });
  print(`      ${paint("cyan", "notify-slack")}      when a Database becomes Failed`);
  print(`      ${paint("cyan", "trigger-workflow")}  when its spec.replicas changes`);
  const events: Stage["events"] = [];
  void collect(jetStream, events, stop.signal);
  return { cluster, natsUrl: nats.url, jetStream, slack, workflows, functions, events };
}

async function collect(jetStream: JetStream, events: Stage["events"], signal: AbortSignal): Promise<void> {
  for await (const { message } of follow(
    jetStream,
    { filter_subjects: [`cr.${CLUSTER_NAME}.>`], deliver_policy: "all" },
    signal,
  )) {
    events.push({ envelope: parseEnvelope(message.data), atMs: performance.now() });
  }
}

/** Does one step, waits for what it must cause, and prints both. Returns what was wrong. */
async function play(stage: Stage, step: DemoStep, index: number): Promise<string[]> {
  const { slack, workflows, events } = stage;
  const problems: string[] = [];
  const [slackBefore, workflowsBefore] = [slack.messages.length, workflows.workflows.size];
  print(`\n  ${paint("bold", `${index + 1}. ${step.title}`)}  ${paint("dim", step.command)}`);
  const startedMs = performance.now();
  await step.write(stage.cluster);
  const arrival = async (
    what: string,
    arrived: () => boolean,
    line: () => string,
    atMs: () => number = () => performance.now(),
  ) => {
    if (await until(arrived, AbortSignal.timeout(EFFECT_WITHIN_MS))) {
      print(`${line().padEnd(64)} ${paint("dim", `${Math.max(0, Math.round(atMs() - startedMs))} ms`)}`);
    } else {
      problems.push(`step ${index + 1}: no ${what} within ${EFFECT_WITHIN_MS / 1000} s`);
      print(`     ${paint("red", `no ${what}`)}`);
    }
  };
  const eventOf = () => events[index];
  const { event, slack: message, workflow } = step.expected;
  await Promise.all([
    arrival(
      "event",
      () => eventOf() !== undefined,
      () => `     event     ${describe(eventOf()?.envelope)}`,
      () => eventOf()?.atMs ?? 0,
    ),
    message &&
      arrival(
        "Slack message",
        () => slack.messages.length > slackBefore,
        () => `     ${paint("green", "slack")}     ${slack.messages.at(-1)?.text.split("\n")[0]}`,
      ),
    workflow &&
      arrival(
        "workflow",
        () => workflows.workflows.size > workflowsBefore,
        () =>
          `     ${paint("green", "workflow")}  ${JSON.stringify([...workflows.workflows.values()].at(-1)?.parameters)}`,
      ),
  ]);
  const seen = describe(eventOf()?.envelope);
  if (seen !== event) problems.push(`step ${index + 1}: the event is "${seen}", expected "${event}"`);
  const text = slack.messages.at(-1)?.text ?? "";
  if (message && !message.test(text))
    problems.push(`step ${index + 1}: the Slack message says "${text}", expected ${message}`);
  const parameters = JSON.stringify([...workflows.workflows.values()].at(-1)?.parameters);
  if (workflow && parameters !== JSON.stringify(workflow))
    problems.push(`step ${index + 1}: the workflow got ${parameters}, expected ${JSON.stringify(workflow)}`);
  return problems;
}

/** When every function is through with everything: was there anything too much? */
async function audit({ jetStream, slack, workflows, events, functions }: Stage): Promise<string[]> {
  const idle = async () => {
    const { consumers } = await jetStream.api<{ consumers: { num_pending: number; num_ack_pending: number }[] }>(
      "CONSUMER.LIST.CR_EVENTS",
    );
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  };
  await until(idle, AbortSignal.timeout(EFFECT_WITHIN_MS));
  const counts = [
    { what: "events", found: events.length, expected: STORY.length },
    {
      what: "Slack messages",
      found: slack.messages.length,
      expected: STORY.filter(({ expected }) => expected.slack).length,
    },
    {
      what: "workflows",
      found: workflows.workflows.size,
      expected: STORY.filter(({ expected }) => expected.workflow).length,
    },
    {
      what: "dead letters",
      found: functions.status().subscriptions.reduce((sum, { deadLetters }) => sum + deadLetters, 0),
      expected: 0,
    },
  ];
  return counts
    .filter(({ found, expected }) => found !== expected)
    .map(({ what, found, expected }) => `${found} ${what}, expected ${expected}`);
}

function summarise({ slack, workflows, events }: Stage, problems: readonly string[]): void {
  const counts = `${STORY.length} steps, ${events.length} events, ${slack.messages.length} Slack message, ${workflows.workflows.size} workflow`;
  if (problems.length === 0) print(`\n${paint("green", "✔")} ${counts}: each once, nothing else.`);
  else print(`\n${paint("red", "✖")} ${counts}.`);
}

async function hold({ cluster, natsUrl }: Stage, signal: AbortSignal): Promise<void> {
  print(`
Everything is still running. In another terminal:
  ${cluster.kubectl} apply -f - <<< '{"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"name":"${HERO}"},"spec":{"engine":"postgres","replicas":3}}'
  ${cluster.kubectl} patch database ${HERO} --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}'
  cr-reactor tail --server ${natsUrl} --since 1h
Ctrl-C ends it.`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function describe(envelope: Envelope | undefined): string {
  if (envelope === undefined) return "none";
  const { phase } = envelope.data.transitions;
  return phase === undefined ? opOf(envelope) : `${opOf(envelope)}  ${phase.from ?? "none"} → ${phase.to ?? "none"}`;
}

/** Does something and prints what it is and how long it took. */
async function timed<T>(work: () => Promise<T>, line: (result: T) => string): Promise<T> {
  const startedMs = performance.now();
  const result = await work();
  print(
    `  ${paint("green", "✔")} ${line(result)} ${paint("dim", `${((performance.now() - startedMs) / 1000).toFixed(1)} s`)}`,
  );
  return result;
}

async function readyAt(port: () => number, signal: AbortSignal): Promise<void> {
  await until(async () => port() > 0 && (await fetch(`http://127.0.0.1:${port()}/readyz`)).ok, signal);
}

/** Waits for a condition; false when `signal` aborts first. */
async function until(holds: () => boolean | Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  while (!(await holds())) {
    if (signal.aborted) return false;
    await sleep(POLL_MS);
  }
  return true;
}
