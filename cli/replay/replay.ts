/**
 * `cr-reactor replay`: past events once more, to one subscription. Which they are is decided here, by its filter; the subscription's processes
 * run them, each in its object's turn. Steps that are done are not run again unless `--again` says so.
 */
import { randomUUID } from "node:crypto";
import type { JetStream } from "#contract";
import { cancelReplays, handledBy, isRunName, type KnownStep, knownSteps, type Replay, waitingReplays } from "#kit";
import { plain, renderChange } from "../change-text.ts";
import { count } from "../doctor/check.ts";
import { findSelection } from "../event-choice.ts";
import { type ServerOptions, withLog } from "../event-log.ts";
import type { Point } from "../point.ts";
import { paint, print, progress, report } from "../terminal.ts";
import { type Conducted, conduct } from "./conduct.ts";
import { type PastEvents, type ReplayedEvent, readPast } from "./past.ts";

/** The options of the command. */
export interface ReplayOptions extends ServerOptions {
  readonly subscriptions?: string;
  readonly from?: Point;
  readonly to?: Point;
  readonly dryRun?: true;
  /** Events a second. */
  readonly rate?: number;
  /** `true`: a new run; a text: the run that is to go on. */
  readonly again?: true | string;
  readonly cancel?: true;
  readonly json?: true;
}

/** It cannot be begun: the message says why, and what to do. */
class ReplayError extends Error {
  readonly code = "REPLAY";
}

const RUN_LENGTH = 8;
const EXIT_FAILED = 1;

/** Prints what would run, or what became of it; the exit code is 1 when an event ended as a dead letter. */
export async function replayCommand(subscription: string, options: ReplayOptions): Promise<void> {
  await withLog(options, "replay", async (jetStream, signal) => {
    const selection = await findSelection(jetStream, subscription, options);
    if (options.cancel) {
      print(`${count(await cancelReplays(jetStream, subscription), "event")} called off`);
      return;
    }
    const isHandled = await handledBy(jetStream, subscription);
    if (isHandled === undefined)
      throw new ReplayError(
        `the subscription ${subscription} has no consumer on this NATS: nothing is behind it yet (cr-reactor run)`,
      );
    const past = await readPast(jetStream, { selection, isHandled, ...options }, signal);
    signal.throwIfAborted();
    if (options.dryRun) await show(jetStream, subscription, past, options, signal);
    else await run(jetStream, subscription, past, options, signal);
  });
}

/** One line an event, with the steps of it that are done already and would not run. */
async function show(
  jetStream: JetStream,
  subscription: string,
  past: PastEvents,
  { json, again }: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const ids = past.events.map(({ id }) => id);
  const steps = again === undefined ? await knownSteps(jetStream, ids, signal, subscription) : [];
  const done = Map.groupBy(
    steps.filter(({ state, again }) => state === "done" && again === undefined),
    ({ eventId }) => eventId,
  );
  for (const event of past.events) {
    const stepsDone = (done.get(event.id) ?? []).map(({ step }: KnownStep) => step);
    if (json) print(JSON.stringify({ ...event.facts, stepsDone }));
    else print(lineOf(event, stepsDone));
  }
  report(`${count(past.events.length, "event")} would run${leftOutText(past)}. Nothing was changed.`);
}

function lineOf({ streamSequence, envelope }: ReplayedEvent, stepsDone: readonly string[]): string {
  const [head = ""] = renderChange(envelope).split("\n");
  const day = paint("dim", `#${streamSequence}  ${envelope.recordedtime.slice(0, 10)}`);
  return `${day} ${head}${stepsDone.length === 0 ? "" : paint("dim", `  done already: ${stepsDone.join(", ")}`)}`;
}

async function run(
  jetStream: JetStream,
  subscription: string,
  past: PastEvents,
  options: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const replay = replayOf(options);
  await refuseAnother(jetStream, subscription, replay);
  if (past.events.length === 0) {
    report(`No event is to be replayed${leftOutText(past)}.`);
    return;
  }
  report(`${count(past.events.length, "event")} to replay to ${subscription}${leftOutText(past)}. Run ${replay.run}.`);
  const conducted = await conduct(jetStream, { subscription, replay, events: past.events, ...options }, signal).finally(
    () => progress(""),
  );
  if (options.json) print(JSON.stringify({ subscription, ...replay, ...conducted }, null, 2));
  else print(resultOf(subscription, replay, conducted));
  if (conducted.stopped) {
    report(`stopped: what is ordered runs. To go on: ${goOn(subscription, replay)}`);
    signal.throwIfAborted();
  }
  if (conducted.deadLetters.length > 0) process.exitCode = EXIT_FAILED;
}

function goOn(subscription: string, { run, again }: Replay): string {
  return again ? `the same command with --again ${run}` : `cr-reactor replay ${subscription} with the same options`;
}

function replayOf({ again }: ReplayOptions): Replay {
  if (again === undefined || again === true)
    return { run: randomUUID().slice(0, RUN_LENGTH), again: again !== undefined };
  if (isRunName(again)) return { run: again, again: true };
  throw new ReplayError(`"${again}" is no run: --again alone begins one, and says its name`);
}

/** Two at once would be safe, and is hardly what somebody means. */
async function refuseAnother(jetStream: JetStream, subscription: string, { run }: Replay): Promise<void> {
  for (const [other, waiting] of await waitingReplays(jetStream, subscription)) {
    if (other === run) continue;
    throw new ReplayError(
      `a replay of ${subscription} is under way (run ${other}, ${count(waiting, "event")} left): let it end, or call it off with cr-reactor replay ${subscription} --cancel`,
    );
  }
}

function leftOutText({ comingCount }: PastEvents): string {
  if (comingCount === 0) return "";
  return `; ${count(comingCount, "event")} not, because the subscription is not through with them and gets them anyway`;
}

function resultOf(subscription: string, { run }: Replay, { ordered, waiting, deadLetters }: Conducted): string {
  const ended = ordered - waiting;
  const good = ended - deadLetters.length;
  const lines = deadLetters.map(
    ({ number, streamSequence, reason }) =>
      `${paint("red", "✖")} #${streamSequence} failed, and is dead letter ${number} now: ${plain(reason)}`,
  );
  if (good > 0) lines.push(`${paint("green", "✔")} ${count(good, "event")} replayed to ${subscription} (run ${run})`);
  if (waiting > 0) lines.push(`${paint("yellow", "!")} ${count(waiting, "event")} not run yet: kept for 30 days`);
  return lines.join("\n");
}
