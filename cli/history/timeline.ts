/**
 * Everything that NATS knows of one object: its events in the log, and of each what functions did about it, from the steps, incidents and
 * dead letters that they left. What the log has lost is found by the fence: each event was published naming the object's event before it.
 */
import { type Envelope, type JetStream, objectPart, read, unlessMissing } from "#contract";
import {
  compileFilter,
  handledBy,
  type Json,
  type KeptIncidents,
  type KnownStep,
  keptIncidents,
  knownSteps,
  type Matcher,
  type PastEvent,
  readLetters,
  readSubscription,
  type StoredLetter,
  subscriptionNames,
} from "#kit";
import { chooseEvents } from "../event-choice.ts";
import { readEnvelope } from "../event-log.ts";
import type { Target } from "./target.ts";

/** What a function did about an event, or what became of it there. */
export type Deed =
  | { readonly type: "step"; readonly subscription: string; readonly step: KnownStep }
  | {
      readonly type: "incident";
      readonly subscription: string;
      readonly what: "opened" | "updated" | "resolved";
      readonly receipts: Readonly<Record<string, Json>>;
    }
  | { readonly type: "dead-letter"; readonly subscription: string; readonly letter: StoredLetter }
  /** Its filter asks for the event, and nothing is kept of what it did; or it is not through with it. */
  | { readonly type: "matched" | "coming"; readonly subscription: string };

/** An event of the object. */
export interface Entry {
  readonly sequence: number;
  readonly storedAtMs: number;
  readonly subject: string;
  readonly envelope: Envelope;
  /** Between it and the one before, the log has lost others. */
  readonly isAfterHole: boolean;
  /** It is of another object than the one before: that was deleted, and this one has its name. */
  readonly isReplacement: boolean;
  readonly deeds: readonly Deed[];
}

/** All of it, oldest first, and which functions subscriptions run. */
export interface Timeline {
  readonly entries: readonly Entry[];
  readonly functions: ReadonlyMap<string, string>;
}

/** The object is not there, or several are meant: the message says what to do. */
export class ObjectError extends Error {
  readonly code = "OBJECT";
}

/** Far more than the log keeps of an object (32 of each sort of change, some dozen sorts). */
const ENTRIES_MAX = 10_000;
const NAMES_MAX = 5;

/** Reads it. Throws ObjectError, and what NATS answers. */
export async function readTimeline(
  jetStream: JetStream,
  target: Target & { readonly cluster?: string },
  signal: AbortSignal,
): Promise<Timeline> {
  const bare = await readEntries(jetStream, target, signal);
  const [first] = bare;
  if (first === undefined)
    throw new ObjectError(
      `the log has nothing of ${nameOf(target)}: it is not watched, never was there, or was deleted days ago (look: cr-reactor tail ${target.kind} --since 7d)`,
    );
  const object = objectPart(first.subject);
  const steps = Map.groupBy(
    await knownSteps(jetStream, [...new Set(bare.map(({ envelope }) => envelope.id))], signal),
    ({ eventId }) => eventId,
  );
  const letters = Map.groupBy(await lettersOf(jetStream, object, signal), ({ letter }) => letter.streamSequence);
  const incidents = await incidentsOf(jetStream, bare, signal);
  const subscriptions = await subscriptionsOf(jetStream);
  signal.throwIfAborted(); // which ends a reading without an error
  const entries = bare.map((entry) => {
    const done = [
      ...(steps.get(entry.envelope.id) ?? []).map(
        (step): Deed => ({ type: "step", subscription: step.subscription, step }),
      ),
      ...incidents.flatMap((each) => incidentDeeds(each, entry.envelope.id)),
      ...(letters.get(entry.sequence) ?? []).map(
        (letter): Deed => ({ type: "dead-letter", subscription: letter.letter.subscription, letter }),
      ),
    ];
    return { ...entry, deeds: [...done, ...silentDeeds(subscriptions, entry, done)] };
  });
  return { entries, functions: new Map(subscriptions.map(({ name, functionName }) => [name, functionName])) };
}

type BareEntry = Omit<Entry, "deeds">;

async function readEntries(
  jetStream: JetStream,
  { cluster, ...target }: Target & { readonly cluster?: string },
  signal: AbortSignal,
): Promise<readonly BareEntry[]> {
  const { subjects, wants } = await chooseEvents(jetStream, target);
  const reading = { filter_subjects: subjects, deliver_policy: "all" } as const;
  const entries: BareEntry[] = [];
  const objects = new Map<string, Envelope>();
  let last: BareEntry | undefined;
  for await (const { message, streamSequence, storedAtMs } of read(jetStream, reading, signal, false)) {
    const envelope = await readEnvelope(jetStream, message, signal);
    if (envelope === undefined || !wants(envelope) || (cluster !== undefined && envelope.cluster !== cluster)) continue;
    objects.set(objectPart(message.subject), envelope);
    const fence = Number(message.header("Nats-Expected-Last-Subject-Sequence") ?? Number.NaN);
    const isAfterHole = fence > (last?.sequence ?? 0);
    const uid = (each: Envelope) => each.data.object.metadata.uid;
    const isReplacement = last !== undefined && uid(last.envelope) !== uid(envelope);
    last = {
      ...{ sequence: streamSequence, storedAtMs, subject: message.subject, envelope },
      ...{ isAfterHole, isReplacement },
    };
    entries.push(last);
    if (entries.length > ENTRIES_MAX) throw new ObjectError(`the log has more than ${ENTRIES_MAX} such events`);
  }
  signal.throwIfAborted();
  if (objects.size > 1) throw new ObjectError(severalText(target, [...objects.values()]));
  return entries;
}

function severalText(target: Target, found: readonly Envelope[]): string {
  const names = found.map(
    ({ apiversion, kind, namespace, name, cluster }) =>
      `${kind} (${apiversion}) ${namespace === undefined ? "" : `${namespace}/`}${name} in ${cluster}`,
  );
  const shown = names.length > NAMES_MAX ? [...names.slice(0, NAMES_MAX), `${names.length - NAMES_MAX} more`] : names;
  return `${nameOf(target)} means several objects: ${shown.join(", ")}; say which, with the namespace, the kind's group, or --cluster`;
}

function nameOf({ kind, namespace, name }: Target): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/** Without functions there is no such stream. */
async function lettersOf(jetStream: JetStream, object: string, signal: AbortSignal): Promise<readonly StoredLetter[]> {
  const letters = Array.fromAsync(readLetters(jetStream, { object }, signal));
  return (await unlessMissing("stream", letters)) ?? [];
}

async function incidentsOf(
  jetStream: JetStream,
  entries: readonly BareEntry[],
  signal: AbortSignal,
): Promise<readonly KeptIncidents[]> {
  const objects = new Map(
    entries.map(({ envelope: { cluster, data } }) => [
      data.object.metadata.uid,
      { cluster, uid: data.object.metadata.uid },
    ]),
  );
  const found: KeptIncidents[] = [];
  for (const object of objects.values()) found.push(...(await keptIncidents(jetStream, object, signal)));
  return found;
}

/** Of the newest two incidents only what opened them is known for long. */
function incidentDeeds({ subscription, newest, previous, decisions }: KeptIncidents, eventId: string): readonly Deed[] {
  const states = [newest, ...(previous ? [previous] : [])];
  const decision = decisions.find((each) => each.eventId === eventId);
  const opened = states.find(({ openedBy }) => openedBy === eventId);
  const what = decision?.type ?? (opened && "opened");
  if (what === undefined) return [];
  const receipts = states.find(({ key }) => key === (decision?.key ?? opened?.key))?.receipts ?? {};
  return [{ type: "incident", subscription, what, receipts: what === "opened" ? receipts : {} }];
}

interface KnownSubscription {
  readonly name: string;
  readonly functionName: string;
  readonly matcher: Matcher | undefined;
  readonly isHandled: ((event: PastEvent) => boolean) | undefined;
}

async function subscriptionsOf(jetStream: JetStream): Promise<readonly KnownSubscription[]> {
  const found: KnownSubscription[] = [];
  for (const name of await subscriptionNames(jetStream)) {
    const stored = await readSubscription(jetStream, name);
    if (stored === undefined) continue;
    const { selection } = stored;
    const matcher = selection && compileFilter(selection);
    found.push({ name, functionName: stored.function, matcher, isHandled: await handledBy(jetStream, name) });
  }
  return found;
}

/** By their filters as they are now: those that leave nothing, and those that are still to come to it. */
function silentDeeds(
  subscriptions: readonly KnownSubscription[],
  { envelope, subject, sequence }: BareEntry,
  known: readonly Deed[],
): readonly Deed[] {
  return subscriptions.flatMap(({ name, matcher, isHandled }): readonly Deed[] => {
    if (known.some(({ subscription }) => subscription === name) || !isAskedFor(matcher, envelope)) return [];
    const isDone = isHandled?.({ subject, streamSequence: sequence, messageId: undefined }) ?? true;
    return [{ type: isDone ? "matched" : "coming", subscription: name }];
  });
}

function isAskedFor(matcher: Matcher | undefined, envelope: Envelope): boolean {
  try {
    return matcher?.match(envelope).type === "matched";
  } catch {
    return false;
  }
}
