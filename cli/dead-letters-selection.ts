/**
 * What all of `cr-reactor dead-letters` begins with: NATS, and which letters are meant.
 */
import { type JetStream, parseObjectSubject } from "#contract";
import { readLetters, type StoredLetter } from "#kit";
import { type ServerOptions, withNats } from "./event-log.ts";

/** Which letters. */
export interface LetterFilter {
  readonly subscription?: string;
  /** As people write it: Database, or databases.demo.example.com's kind in any case. */
  readonly kind?: string;
  readonly namespace?: string;
  /** Milliseconds. */
  readonly since?: number;
}

/** A letter is not there, or the stream is not: the message says what to do. */
export class DeadLetterError extends Error {
  readonly code = "DEAD_LETTER";
}

/** Connects, works, and turns a missing stream into a sentence. */
export async function withLetters(
  options: ServerOptions,
  work: (jetStream: JetStream, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const noLetters = (cause: unknown) =>
    new DeadLetterError(
      "there is no stream CR_DEAD_LETTERS on this NATS: it is made when functions first run (cr-reactor run); is this the right server?",
      { cause },
    );
  await withNats(options, "dead-letters", noLetters, async (jetStream, signal) => {
    await work(jetStream, signal);
    signal.throwIfAborted();
  });
}

/** The letters that a filter names, oldest first. */
export async function selectLetters(
  jetStream: JetStream,
  { subscription, since, kind, namespace }: LetterFilter,
  signal: AbortSignal,
): Promise<StoredLetter[]> {
  const sinceMs = since === undefined ? undefined : Date.now() - since;
  const found: StoredLetter[] = [];
  for await (const each of readLetters(jetStream, { subscription, sinceMs }, signal)) {
    const object = objectOf(each);
    const isKind = kind === undefined || object?.kind.toLowerCase() === kind.toLowerCase();
    if (isKind && (namespace === undefined || object?.namespace === namespace)) found.push(each);
  }
  signal.throwIfAborted();
  return found;
}

/** The object that a letter is about; `undefined` when its subject is none of an event's. */
export function objectOf({ letter }: StoredLetter): ReturnType<typeof parseObjectSubject> | undefined {
  try {
    return parseObjectSubject(letter.subject);
  } catch {
    return undefined;
  }
}

/** The sentence for a number that names no letter. */
export function missing(number: number): string {
  return `there is no dead letter ${number}: it was dropped, tried again with success, or is older than 30 days (cr-reactor dead-letters list)`;
}
