/**
 * `cr-reactor dead-letters retry` and `drop`. A retry is an order that the processes of the letter's subscription carry out; the command
 * says what became of it as far as that is known within a while, and an order that nobody has carried out by then stays.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStream } from "#contract";
import {
  dropLetter,
  ensureRetries,
  eventOf,
  findLetter,
  isRetryDeskOpen,
  orderedRetries,
  orderRetry,
  readLetters,
  type StoredLetter,
} from "#kit";
import { plain } from "./change-text.ts";
import { DeadLetterError, type LetterFilter, missing, selectLetters, withLetters } from "./dead-letters-selection.ts";
import { letterTable } from "./dead-letters-text.ts";
import { count } from "./doctor/check.ts";
import type { ServerOptions } from "./event-log.ts";
import { confirm, paint, print, progress, report } from "./terminal.ts";

/** Which letters to change: by their numbers, or all that the filter names. */
export interface Chosen extends LetterFilter {
  readonly all?: true;
}

const WAIT_SECONDS = 10;
const LOOK_MS = 250;
const EXIT_FAILED = 1;

/** Orders another try of the letters; the exit code is 1 when one is not there, or failed again. */
export async function retryCommand(
  numbers: readonly number[],
  options: ServerOptions & Chosen & { readonly wait?: number; readonly json?: true },
): Promise<void> {
  await withLetters(options, async (jetStream, signal) => {
    const { letters, absent } = await chosen(jetStream, numbers, options, signal);
    await ensureRetries(jetStream);
    const ordered: StoredLetter[] = [];
    for (const letter of letters) {
      signal.throwIfAborted();
      const problem = await orderOne(jetStream, letter);
      if (problem === undefined) ordered.push(letter);
      else report(problem);
      progress(`${ordered.length} of ${letters.length} ordered`);
    }
    const results = await resultsOf(jetStream, ordered, (options.wait ?? WAIT_SECONDS) * 1_000, signal);
    for (const each of results.ended) print(options.json ? JSON.stringify(each) : endedText(each));
    if (options.json)
      for (const { number } of results.waiting) print(JSON.stringify({ id: number, result: "waiting" }));
    if (results.waiting.length > 0) report(await waitingText(jetStream, results.waiting));
    if (absent + results.failed + letters.length - ordered.length > 0) process.exitCode = EXIT_FAILED;
  });
}

/** Removes the letters, after asking where somebody can answer. */
export async function dropCommand(
  numbers: readonly number[],
  options: ServerOptions & Chosen & { readonly yes?: true; readonly json?: true },
): Promise<void> {
  await withLetters(options, async (jetStream, signal) => {
    const { letters, absent } = await chosen(jetStream, numbers, options, signal);
    if (absent > 0) process.exitCode = EXIT_FAILED;
    if (letters.length === 0) return;
    if (!options.yes) {
      for (const line of letterTable(letters)) report(line);
      const question = `Drop ${count(letters.length, "dead letter")}? Their events are not tried again.`;
      if (!(await confirm(question, signal))) throw new DeadLetterError("nothing was dropped");
    }
    let dropped = 0;
    for (const { number } of letters) {
      signal.throwIfAborted();
      if (await dropLetter(jetStream, number)) dropped++;
      progress(`${dropped} of ${letters.length} dropped`);
    }
    progress("");
    print(options.json ? JSON.stringify({ dropped }) : `${count(dropped, "dead letter")} dropped.`);
  });
}

/** The letters, and how many numbers name none, which is told. */
async function chosen(jetStream: JetStream, numbers: readonly number[], options: Chosen, signal: AbortSignal) {
  if (options.all) {
    const letters = await selectLetters(jetStream, options, signal);
    if (letters.length === 0) report("There are no such dead letters.");
    return { letters, absent: 0 };
  }
  const letters: StoredLetter[] = [];
  let absent = 0;
  for (const number of new Set(numbers)) {
    const letter = await findLetter(jetStream, number);
    if (letter !== undefined) letters.push(letter);
    else {
      absent++;
      report(missing(number));
    }
  }
  return { letters, absent };
}

/** Resolves to why it cannot be tried again; `undefined` when it is ordered, now or before. */
async function orderOne(jetStream: JetStream, stored: StoredLetter): Promise<string | undefined> {
  const { number, letter } = stored;
  if (letter.payloadOmitted) {
    const whole = await findLetter(jetStream, number);
    if (whole === undefined) return missing(number);
    if ((await eventOf(jetStream, whole)) === undefined)
      return `dead letter ${number} cannot be tried again: its event was too large to be kept with it, and the log has it no more`;
  }
  await orderRetry(jetStream, stored);
  return undefined;
}

/** What became of a letter: `replaced` by another one, because it failed again; it `stays`, because its event does not match any more. */
type Ended =
  | { readonly id: number; readonly result: "succeeded" | "stays" }
  | { readonly id: number; readonly result: "replaced"; readonly by: number; readonly reason: string };

interface Results {
  readonly ended: readonly Ended[];
  readonly failed: number;
  readonly waiting: readonly StoredLetter[];
}

/** Waits until every order is carried out, or nobody is there to do it, or the time is up; then looks what became of the letters. */
async function resultsOf(
  jetStream: JetStream,
  ordered: readonly StoredLetter[],
  waitMs: number,
  signal: AbortSignal,
): Promise<Results> {
  const deadlineMs = performance.now() + waitMs;
  let waiting = ordered;
  for (;;) {
    waiting = await stillOrdered(jetStream, waiting);
    progress(`${ordered.length - waiting.length} of ${ordered.length} tried again`);
    if (waiting.length === 0 || performance.now() > deadlineMs || !(await isAnybodyThere(jetStream, waiting))) break;
    await sleep(LOOK_MS, undefined, { signal });
  }
  progress("");
  const open = new Set(waiting.map(({ number }) => number));
  const again = await lettersAfter(jetStream, ordered, signal);
  const ended: Ended[] = [];
  for (const { number: id } of ordered) {
    if (open.has(id)) continue;
    const next = again.get(id);
    if (next !== undefined) ended.push({ id, result: "replaced", by: next.number, reason: next.letter.reason });
    else ended.push({ id, result: (await findLetter(jetStream, id)) === undefined ? "succeeded" : "stays" });
  }
  return { ended, failed: ended.filter(({ result }) => result !== "succeeded").length, waiting };
}

function endedText(ended: Ended): string {
  const [good, bad] = [paint("green", "✔"), paint("red", "✖")];
  switch (ended.result) {
    case "succeeded":
      return `${good} ${ended.id}: succeeded`;
    case "replaced":
      return `${bad} ${ended.id}: failed again, and is dead letter ${ended.by} now: ${plain(ended.reason)}`;
    case "stays":
      return `${bad} ${ended.id}: stays: its event does not match the subscription any more`;
    default:
      return ended satisfies never;
  }
}

async function stillOrdered(jetStream: JetStream, letters: readonly StoredLetter[]): Promise<readonly StoredLetter[]> {
  const open = new Map<string, ReadonlySet<number>>();
  for (const subscription of subscriptionsOf(letters))
    open.set(subscription, await orderedRetries(jetStream, subscription));
  return letters.filter(({ number, letter }) => open.get(letter.subscription)?.has(number));
}

async function isAnybodyThere(jetStream: JetStream, letters: readonly StoredLetter[]): Promise<boolean> {
  for (const subscription of subscriptionsOf(letters)) if (await isRetryDeskOpen(jetStream, subscription)) return true;
  return false;
}

/** The letters that name others as the ones they are the retry of. */
async function lettersAfter(
  jetStream: JetStream,
  letters: readonly StoredLetter[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, StoredLetter>> {
  const found = new Map<number, StoredLetter>();
  const [first] = letters;
  if (first === undefined) return found;
  for await (const each of readLetters(jetStream, { fromNumber: first.number + 1 }, signal)) {
    if (each.letter.retryOf !== undefined) found.set(each.letter.retryOf, each);
  }
  return found;
}

async function waitingText(jetStream: JetStream, letters: readonly StoredLetter[]): Promise<string> {
  const idle: string[] = [];
  for (const subscription of subscriptionsOf(letters))
    if (!(await isRetryDeskOpen(jetStream, subscription))) idle.push(subscription);
  const waiting = `${count(letters.length, "order")} not carried out yet: kept for 30 days`;
  return idle.length === 0 ? `${waiting}.` : `${waiting}; no process runs ${idle.join(", ")} now (cr-reactor run).`;
}

function subscriptionsOf(letters: readonly StoredLetter[]): ReadonlySet<string> {
  return new Set(letters.map(({ letter }) => letter.subscription));
}
