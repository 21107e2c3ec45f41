/**
 * Between judging an event and running it: a silence may hold it back, or some events of its batch. What is held back is in the book before it
 * is acknowledged. What resolves an incident that somebody was told of is run all the same.
 */
import type { Envelope, Logger } from "#contract";
import type { IncidentMemory } from "../incident/incident-memory.ts";
import type { HeldEntry, SilenceGate } from "../silence/silence-gate.ts";
import type { Binding } from "../subscription.ts";
import type { Batch } from "../timer/batches.ts";
import type { LoggedEvent } from "../timer/timer.ts";

/** It is in the book of what silences held back. */
export interface Silenced {
  readonly type: "silenced";
  /** Which one; left out: it was in the book before. */
  readonly silence?: string;
}

/** What would be run. */
type Run = Pick<Parameters<Binding["run"]>[0], "event" | "match" | "held" | "events">;

/** A silence holds back some events of a call, or all. */
export interface HoldBack<Call extends Run> {
  readonly type: "hold-back";
  readonly event: Envelope;
  readonly held: readonly HeldEntry[];
  /** The call, if it has to be after all, and without what is held back; `undefined`: nothing is left of it. */
  readonly whole: Call;
  readonly rest: Call | undefined;
}

/** An event in hand. */
interface InHand extends Partial<Omit<LoggedEvent, "message">>, Pick<LoggedEvent, "message"> {
  readonly dueAtMs?: number;
  readonly batch?: Batch;
  readonly summaryOf?: string;
}

/** Asks the silences about a call. Throws what NATS answers, and when `signal` aborts. */
export async function askSilences<Call extends Run>(
  call: Call,
  { message, streamSequence = 0, storedAtMs, dueAtMs, batch, summaryOf }: InHand,
  silences: SilenceGate,
  signal: AbortSignal,
): Promise<Call | HoldBack<Call>> {
  const { event, events = [event], held: waited } = call;
  const nowMs = silences.nowMs();
  const alone = { event, message, streamSequence, storedAtMs: storedAtMs ?? nowMs };
  const members = batch?.events.map((each, index) => ({ event: each, ...(batch.members[index] as LoggedEvent) }));
  const asked = {
    entries: members?.filter((member) => events.includes(member.event)) ?? [alone],
    object: waited?.object,
    // By the server's clock too: what is due because a silence is over must not run into it again.
    momentsMs: [dueAtMs ?? alone.storedAtMs, Math.max(nowMs, dueAtMs ?? 0)],
    looksUp: batch === undefined && summaryOf === undefined,
  };
  const held = await silences.heldOf(asked, signal);
  if (held.length === 0) return call;
  const left = events.filter((each) => !held.some(({ entry }) => entry.event === each));
  const [first] = left;
  const rest = first && { ...call, event: first, events: left };
  return { type: "hold-back", event, held, whole: call, rest };
}

/** Whether the object's trouble was over before anybody could be told of it. Throws as `askSilences`. */
export async function isResolvedSince(
  event: Envelope,
  { message, streamSequence = 0, storedAtMs = 0 }: InHand,
  silences: SilenceGate,
  {
    binding,
    stopping,
  }: { readonly binding: Pick<Binding, "subscription" | "matcher">; readonly stopping: AbortSignal },
): Promise<boolean> {
  if (binding.subscription.resolve === undefined) return false;
  for await (const later of silences.since({ event, message, streamSequence, storedAtMs }, stopping))
    if (typeOf(binding.matcher, later) === "resolving") return true;
  return false;
}

/** An event that contradicts itself resolves nothing. */
function typeOf({ match }: Binding["matcher"], event: Envelope): string {
  try {
    return match(event).type;
  } catch {
    return "unmatched";
  }
}

/** Writes what is held back into the book; resolves to what is left to run, and the ids of the others. Rejects as the gate does. */
export async function keepHeld<Call extends Run>(
  { event, held, whole, rest }: HoldBack<Call>,
  silences: SilenceGate,
  { binding, ...options }: KeepOptions,
): Promise<{ readonly left: Call | undefined; readonly heldBack: readonly string[] }> {
  if (!(await binding.isHeldBack({ event, match: whole.match, ...options }))) return { left: whole, heldBack: [] };
  await silences.keep(held, options.signal);
  return { left: rest, heldBack: held.map(({ entry }) => entry.event.id) };
}

interface KeepOptions {
  readonly binding: Pick<Binding, "isHeldBack">;
  readonly incidentMemory: IncidentMemory;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** How the first of them ended. */
export function silencedBy([first]: readonly HeldEntry[]): Silenced {
  return { type: "silenced", ...(typeof first?.by === "object" && { silence: first.by.id }) };
}
