/**
 * `cr-reactor demo`: the whole loop on real parts, by itself: an API server, NATS, the bridge, two functions, and look-alikes of
 * Slack and a workflow engine. It lives through a story, shows what each step causes and how long that took, and fails if
 * anything is missing, wrong or too much.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type DemoStage, prepareStage } from "./demo-stage.ts";
import { type DemoStep, HERO, judge, STORY, type StepOutcome } from "./demo-story.ts";
import {
  describeEvent,
  eventText,
  printEffect,
  printHeading,
  printMissing,
  printStep,
  printSummary,
} from "./demo-view.ts";
import { paint, print, stopSignal } from "./terminal.ts";
import { waitUntil } from "./wait.ts";

/** The options of the command. */
export interface DemoOptions {
  /** The user's own cluster. */
  readonly context?: string;
  /** A kube-apiserver of the demo's own, built with Go where it is missing. */
  readonly real?: true;
  readonly keep?: true;
}

/** Something that was expected did not happen, or something else did. */
class DemoFailedError extends Error {
  readonly code = "DEMO_FAILED";
}

/** Far more than any effect takes; then it is missing. */
const EFFECT_WITHIN_MS = 60_000;
/** Time to read a step before the next one begins; only where somebody is looking. */
const PACE_MS = 700;

/** Throws DemoFailedError, or what keeps the parts from starting. */
export async function demoCommand({ keep, ...options }: DemoOptions): Promise<void> {
  const signal = stopSignal();
  await using cleanup = new AsyncDisposableStack();
  print(`\n  ${paint("bold", "cr-reactor demo")}  ${paint("dim", "a database fails, and Slack hears of it")}`);
  const stage = await prepareStage(options, signal, cleanup);
  printHeading("The story", "from the write to its effect");
  const problems: string[] = [];
  for (const [index, step] of STORY.entries()) {
    signal.throwIfAborted();
    problems.push(...judge(step, await play(stage, step, index)));
    if (process.stdout.isTTY) await sleep(PACE_MS, undefined, { signal });
  }
  problems.push(...(await audit(stage)));
  printSummary(
    problems.length === 0,
    `${STORY.length} steps, ${stage.events.length} events, ${stage.slack.messages.length} Slack message, ${stage.workflows.workflows.size} workflow`,
  );
  if (keep) await hold(stage, signal);
  if (problems.length > 0)
    throw new DemoFailedError(`the demo did not go as it should:\n${problems.map((line) => `  - ${line}`).join("\n")}`);
}

/** Does one step, waits for what it must cause, prints it with the time it took, and says what came. */
async function play(
  { cluster, slack, workflows, events }: DemoStage,
  step: DemoStep,
  index: number,
): Promise<StepOutcome> {
  const [slackBefore, workflowsBefore] = [slack.messages.length, workflows.workflows.size];
  printStep(step.title, step.command);
  const startedMs = performance.now();
  await step.write(cluster);
  const show = async (label: string, came: () => boolean, text: () => string, atMs = () => performance.now()) => {
    if (await waitUntil(came, AbortSignal.timeout(EFFECT_WITHIN_MS))) printEffect(label, text(), atMs() - startedMs);
    else printMissing(label, EFFECT_WITHIN_MS);
  };
  const newMessages = () => slack.messages.slice(slackBefore).map(({ text }) => text);
  const newWorkflows = () =>
    [...workflows.workflows.values()].slice(workflowsBefore).map(({ parameters }) => parameters);
  const event = () => events[index];
  await show(
    "event",
    () => event() !== undefined,
    () => {
      const envelope = event()?.envelope;
      return envelope === undefined ? "" : eventText(envelope);
    },
    () => event()?.atMs ?? 0,
  );
  if (step.expected.slack)
    await show(
      "slack",
      () => newMessages().length > 0,
      () => newMessages()[0] ?? "",
    );
  if (step.expected.workflow)
    await show(
      "workflow",
      () => newWorkflows().length > 0,
      () => JSON.stringify(newWorkflows()[0]),
    );
  return { event: describeEvent(event()?.envelope), slack: newMessages(), workflows: newWorkflows() };
}

/** When every function is through with everything: did anything come late, twice, or end as a dead letter? */
async function audit({ jetStream, slack, workflows, events, functions }: DemoStage): Promise<string[]> {
  const idle = async () => {
    const { consumers } = await jetStream.api<{ consumers: { num_pending: number; num_ack_pending: number }[] }>(
      "CONSUMER.LIST.CR_EVENTS",
    );
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  };
  await waitUntil(idle, AbortSignal.timeout(EFFECT_WITHIN_MS));
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
    .map(({ what, found, expected }) => `${found} ${what} in all, expected ${expected}`);
}

async function hold({ cluster, natsUrl }: DemoStage, signal: AbortSignal): Promise<void> {
  print(`
Everything is still running. In another terminal:

  alias k='${cluster.kubectl}'
  k create -f - <<< '{"apiVersion":"demo.example.com/v1","kind":"Database","metadata":{"name":"${HERO}"},"spec":{"engine":"postgres","replicas":3}}'
  k patch database ${HERO} --subresource=status --type=merge -p '{"status":{"phase":"Failed"}}'
  npm run cr-reactor -- tail --server ${natsUrl} --since 1h
  NATS_URL=${natsUrl} npm run cr-reactor -- run --subscriptions <yours>

Ctrl-C ends it and removes everything.`);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
