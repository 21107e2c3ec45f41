/**
 * `cr-reactor dead-letters list` and `show`: what functions gave up on, and why. It reads, and leaves nothing behind.
 */
import { BlobLostError, type JetStream, MalformedEventError, readEvent } from "#contract";
import { eventOf, findLetter, keptSteps, orderedRetries, type StoredLetter, type WholeLetter } from "#kit";
import { DeadLetterError, type LetterFilter, missing, selectLetters, withLetters } from "./dead-letters-selection.ts";
import { type LetterStory, letterTable, renderLetter } from "./dead-letters-text.ts";
import { count } from "./doctor/check.ts";
import type { ServerOptions } from "./event-log.ts";
import { print, report } from "./terminal.ts";

/** Prints the letters, oldest first. */
export async function listCommand(options: ServerOptions & LetterFilter & { readonly json?: true }): Promise<void> {
  await withLetters(options, async (jetStream, signal) => {
    const letters = await selectLetters(jetStream, options, signal);
    if (options.json) for (const each of letters) print(JSON.stringify(asJson(each)));
    else {
      for (const line of letterTable(letters)) print(line);
      const [first] = letters;
      const next = first === undefined ? "" : ` Look at one: cr-reactor dead-letters show ${first.number}`;
      report(`${count(letters.length, "dead letter")}.${next}`);
    }
  });
}

/** Prints one letter with all that is known. */
export async function showCommand(number: number, options: ServerOptions & { readonly json?: true }): Promise<void> {
  await withLetters(options, async (jetStream, signal) => {
    const letter = await findLetter(jetStream, number);
    if (letter === undefined) throw new DeadLetterError(missing(number));
    const story = await storyOf(jetStream, letter, signal);
    if (options.json) print(JSON.stringify({ ...asJson(letter), ...story }, null, 2));
    else print(renderLetter(letter, story));
  });
}

async function storyOf(jetStream: JetStream, letter: WholeLetter, signal: AbortSignal): Promise<LetterStory> {
  const found = await readEventOf(jetStream, letter, signal);
  const { subscription } = letter.letter;
  return {
    ...found,
    steps: found.event === undefined ? [] : await keptSteps(jetStream, subscription, found.event.id),
    isOrdered: (await orderedRetries(jetStream, subscription)).has(letter.number),
  };
}

async function readEventOf(
  jetStream: JetStream,
  letter: WholeLetter,
  signal: AbortSignal,
): Promise<Pick<LetterStory, "event" | "problem">> {
  const message = await eventOf(jetStream, letter);
  if (message === undefined)
    return { problem: "the event was too large to be kept with its letter, and the log has it no more" };
  try {
    return { event: await readEvent(jetStream, message.data, signal) };
  } catch (error) {
    if (error instanceof MalformedEventError || error instanceof BlobLostError) return { problem: error.message };
    throw error;
  }
}

/** The fields that a script wants, with times as text. */
function asJson({ number, storedAtMs, letter }: StoredLetter) {
  return { id: number, storedAt: new Date(storedAtMs).toISOString(), ...letter };
}
