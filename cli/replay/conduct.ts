/**
 * Orders past events one after the other, at a pace, no more at a time than the stream of orders holds well, and waits for what becomes of them.
 * An order whose answer was lost is given again: of one event a run has one.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type JetStream, untilAnswered } from "#contract";
import { ensureRetries, isRetryDeskOpen, orderReplay, type Replay, readLetters, waitingReplays } from "#kit";
import { progress, report } from "../terminal.ts";
import type { ReplayedEvent } from "./past.ts";

/** What is to be done. */
export interface ConductOptions {
  readonly subscription: string;
  readonly replay: Replay;
  readonly events: readonly ReplayedEvent[];
  /** Events a second; left out: as fast as they are run. */
  readonly rate?: number;
}

/** What became of it. */
export interface Conducted {
  readonly ordered: number;
  /** Of these, those that were not run when the command ended. */
  readonly waiting: number;
  readonly deadLetters: readonly {
    readonly number: number;
    readonly streamSequence: number;
    readonly reason: string;
  }[];
  /** Somebody pressed Ctrl-C. */
  readonly stopped: boolean;
}

/** Orders that wait at a time: few kilobytes of the stream, and seconds of work. */
const WAITING_MAX = 1_000;
/** Counting what waits costs the server a look at its subjects. */
const COUNT_EVERY = 100;
const LOOK_MS = 250;

/** Resolves when everything was run, nobody is there to run the rest, or `signal` aborted. Throws what NATS answers. */
export async function conduct(
  jetStream: JetStream,
  { subscription, replay, events, rate }: ConductOptions,
  signal: AbortSignal,
): Promise<Conducted> {
  const begunMs = Date.now();
  const patiently = <T>(ask: () => Promise<T>) =>
    untilAnswered(ask, { signal, onWait: (error) => report(error.message) });
  const countWaiting = async () =>
    (await patiently(() => waitingReplays(jetStream, subscription))).get(replay.run) ?? 0;
  let ordered = 0;
  let waiting = 0;
  const tell = () => progress(`${ordered} of ${events.length} ordered, ${ordered - waiting} run`);
  const orderAll = async () => {
    const pace = paceOf(rate, signal);
    const room = roomFor(jetStream, subscription, signal);
    for (const event of events) {
      await pace();
      if (ordered % COUNT_EVERY === 0) {
        waiting = await countWaiting();
        for (; waiting >= WAITING_MAX; waiting = await countWaiting()) await room();
      }
      await patiently(() => orderReplay(jetStream, subscription, replay, event));
      ordered++;
      tell();
    }
  };
  const waitForAll = async () => {
    for (;;) {
      waiting = await countWaiting();
      tell();
      if (waiting === 0) return;
      if (!(await patiently(() => isRetryDeskOpen(jetStream, subscription)))) {
        report(`no process runs ${subscription} now (cr-reactor run)`);
        return;
      }
      await sleep(LOOK_MS, undefined, { signal });
    }
  };
  try {
    await patiently(() => ensureRetries(jetStream));
    await orderAll();
    await waitForAll();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const letters = await deadLettersOf(jetStream, subscription, replay, begunMs);
  return { ordered, waiting, deadLetters: letters, stopped: signal.aborted };
}

/** Lets the first through at once, and each one after that when its time has come. */
function paceOf(rate: number | undefined, signal: AbortSignal): () => Promise<void> {
  let nextMs = performance.now();
  return async () => {
    signal.throwIfAborted();
    if (rate === undefined) return;
    const waitMs = nextMs - performance.now();
    nextMs = Math.max(nextMs, performance.now()) + 1_000 / rate;
    if (waitMs > 0) await sleep(waitMs, undefined, { signal });
  };
}

/** Waits a moment for others to be run; says once that nobody does. */
function roomFor(jetStream: JetStream, subscription: string, signal: AbortSignal): () => Promise<void> {
  let isTold = false;
  return async () => {
    await sleep(LOOK_MS, undefined, { signal });
    if (isTold || (await isRetryDeskOpen(jetStream, subscription).catch(() => true))) return;
    isTold = true;
    report(`no process runs ${subscription} now (cr-reactor run): the rest is ordered when one does. Ctrl-C ends.`);
  };
}

/** Clocks differ: letters of the run are looked for from a while before it began. */
const CLOCK_MS_MAX = 300_000;
const READ_MS_MAX = 30_000;

async function deadLettersOf(
  jetStream: JetStream,
  subscription: string,
  { run }: Replay,
  begunMs: number,
): Promise<Conducted["deadLetters"]> {
  const found: Conducted["deadLetters"][number][] = [];
  const letters = readLetters(
    jetStream,
    { subscription, sinceMs: begunMs - CLOCK_MS_MAX },
    AbortSignal.timeout(READ_MS_MAX),
  );
  for await (const { number, letter } of letters) {
    const { replay, streamSequence, reason } = letter;
    if (replay === run) found.push({ number, streamSequence, reason });
  }
  return found;
}
