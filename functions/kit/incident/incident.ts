/**
 * An incident: the time for which an object is in trouble, from the event that matched a subscription's `when` to the one that matched its
 * `resolve`. What an event does to it is decided and stored before the function runs, once: every try of the event is told the same. Nothing is
 * marked afterwards, since the acknowledgement is the mark. Where the memory is lost, the object's events in the log are judged again.
 */
import { type Envelope, encodeToken, type Json, type Logger } from "#contract";
import type { Matcher, MatchResult } from "../filter/match.ts";
import { PermanentError } from "../outcome.ts";
import { IDENTITY_BYTES_MAX, RECEIPTS_BYTES_MAX } from "./incident-limits.ts";
import type { FoundRecord, IncidentKey, IncidentMemory } from "./incident-memory.ts";
import {
  type Decision,
  type IncidentRecord,
  judgeIncident,
  judgeSilenced,
  type Occurrence,
  stateOf,
} from "./incident-record.ts";

/** What a function is told about the incident that its event belongs to. */
export interface Incident {
  /** `<subscription>/<id of the opening event>`: the same for everything that belongs to this incident, and found again from the log. */
  readonly key: string;
  /** What this event does to it. `updated`: it is open, and the `when` filter matched again. */
  readonly type: "opened" | "updated" | "resolved";
  /** When it was opened (RFC 3339, the opening event's time), and by which event. */
  readonly openedAt: string;
  readonly openedBy: string;
  /** How many events updated it so far, this one included. */
  readonly updateCount: number;
  /** When the incident before this one of the same object was resolved, if one was: for those who reopen within a time. */
  readonly previous?: {
    readonly key: string;
    readonly resolvedAt: string;
    readonly receipts: Readonly<Record<string, Json>>;
  };
  /** What actions have remembered about it (a thread's channel and ts, a ticket's number), by their own name; in this try too. */
  readonly receipts: Readonly<Record<string, Json>>;
  /**
   * Remembers a receipt; it survives restarts, and is gone only when NATS lost it: then it has to be found again at the receiver. Throws
   * PermanentError for a name that is not `[a-z0-9-]{1,64}`, and when all receipts of the incident have more than 16 KiB of JSON.
   */
  remember(name: string, receipt: Json): Promise<void>;
}

/** What following an incident needs besides the event. */
export interface IncidentOptions {
  readonly memory: IncidentMemory;
  readonly subscription: string;
  /** Which filter the event matches. */
  readonly type: Occurrence["type"];
  /** Which filter an older event of the object matches. Throws an Error when the event contradicts itself. */
  readonly match: (event: Envelope) => MatchResult;
  /** With `for`: what has to be so, and for how long, before an event opens anything. */
  readonly window?: Matcher["window"];
  readonly log: Logger;
  /** Aborts when the time of the try is up. */
  readonly signal: AbortSignal;
}

/** The event is about no incident, so there is nothing to tell the function. */
export interface NoIncident {
  readonly type: "none";
  readonly reason: string;
}

const NAME = /^[a-z0-9-]{1,64}$/;

/** Decides what the event does, or finds what was decided. Throws what `signal` aborts with, and what the memory throws. */
export async function followIncident(event: Envelope, options: IncidentOptions): Promise<Incident | NoIncident> {
  const { memory, subscription, type, log, signal } = options;
  const key = { subscription, cluster: event.cluster, uid: event.data.object.metadata.uid };
  checkIdentity(event);
  for (;;) {
    signal.throwIfAborted();
    const found = await memory.read(key, signal);
    const record = found.record ?? (await recordFromHistory(event, options));
    const judged = judgeIncident(record, { event, subscription, type });
    if (judged.type === "none") return judged;
    const revision =
      judged.type === "known" ? found.revision : await memory.write(key, judged.record, found.revision, signal);
    if (revision === undefined) continue; // another process was faster: what it decided counts
    log.debug({ incident: judged.decision.key, type: judged.decision.type }, "incident");
    return incidentOf({ record: judged.record, revision }, judged.decision, key, options);
  }
}

/**
 * Whether a silence holds the event back, and remembers it of an opening: then what resolves it tells nobody either. What was opened before is
 * resolved in a silence too. Throws as `followIncident`.
 */
export async function silenceIncident(event: Envelope, options: IncidentOptions): Promise<boolean> {
  const { memory, subscription, type, signal } = options;
  const key = { subscription, cluster: event.cluster, uid: event.data.object.metadata.uid };
  checkIdentity(event);
  for (;;) {
    signal.throwIfAborted();
    const found = await memory.read(key, signal);
    const record = found.record ?? (await recordFromHistory(event, options));
    const judged = judgeSilenced(record, { event, subscription, type });
    if (judged.record === undefined) return judged.isHeld;
    if ((await memory.write(key, judged.record, found.revision, signal)) !== undefined) return judged.isHeld;
  }
}

/** Over HTTP anything may come. Our own events' identities are those of Kubernetes objects, which are far smaller. */
function checkIdentity({ id, cluster, apiversion, kind, namespace = "", name, data }: Envelope): void {
  const bytes = [id, cluster, apiversion, kind, namespace, name, data.object.metadata.uid].map((each) =>
    Buffer.byteLength(encodeToken(each)),
  );
  const sum = bytes.reduce((total, each) => total + each, 0);
  if (sum > IDENTITY_BYTES_MAX)
    throw new PermanentError(`the event's id and the names of its object have more than ${IDENTITY_BYTES_MAX} bytes`);
}

/** What the log still shows: the same events give the same incidents. */
async function recordFromHistory(event: Envelope, options: IncidentOptions): Promise<IncidentRecord | undefined> {
  const { subscription, log } = options;
  let record: IncidentRecord | undefined;
  for await (const occurrence of occurrencesBefore(event, options)) {
    const judged = judgeIncident(record, { ...occurrence, subscription });
    if (judged.type === "decided") record = judged.record;
  }
  if (record !== undefined) log.info({ incident: record.newest.key }, "incidents of the object were found in the log");
  return record;
}

/** What the function was told about before. With `for`, an event that entered the state counts once the state had held. */
async function* occurrencesBefore(
  event: Envelope,
  { memory, match, window, signal }: IncidentOptions,
): AsyncGenerator<{ readonly event: Envelope; readonly type: Occurrence["type"] }, void, void> {
  let entered: Envelope | undefined;
  const hasHeldAt = (since: Envelope, { time }: Envelope) =>
    window?.state !== undefined && Date.parse(time) - Date.parse(window.state.since(since)) >= window.ms;
  for await (const older of memory.history?.(event, signal) ?? []) {
    const type = matchOf(older, match);
    const hasHeld = entered !== undefined && hasHeldAt(entered, older);
    if (entered !== undefined && hasHeld) yield { event: entered, type: "matched" };
    if (hasHeld || type === "matched" || window?.state?.isSo(older) === false) entered = undefined;
    if (type === "matched" && window !== undefined) entered = older;
    else if (type === "matched" || type === "resolving") yield { event: older, type };
  }
  if (entered !== undefined && hasHeldAt(entered, event)) yield { event: entered, type: "matched" };
}

/** An event that contradicts itself is a dead letter, and decides nothing. */
function matchOf(event: Envelope, match: IncidentOptions["match"]): MatchResult["type"] {
  try {
    return match(event).type;
  } catch {
    return "undecided";
  }
}

function incidentOf(
  found: FoundRecord & { readonly record: IncidentRecord },
  decision: Decision,
  key: IncidentKey,
  { memory, log, signal }: IncidentOptions,
): Incident {
  let { record, revision } = found;
  const { openedAt, openedBy } = stateIn(record, decision);
  const previous = record.newest.key === decision.key ? record.previous : undefined;
  return {
    key: decision.key,
    type: decision.type,
    ...{ openedAt, openedBy, updateCount: decision.updateCount },
    ...(previous?.resolvedAt !== undefined && {
      previous: { key: previous.key, resolvedAt: previous.resolvedAt, receipts: previous.receipts },
    }),
    get receipts() {
      return stateIn(record, decision).receipts;
    },
    async remember(name, receipt) {
      for (;;) {
        signal.throwIfAborted();
        const next = withReceipt(record, decision, name, receipt);
        const written = await memory.write(key, next, revision, signal);
        if (written !== undefined) {
          [record, revision] = [next, written];
          return;
        }
        const now = await memory.read(key, signal);
        revision = now.revision;
        // Where the memory was lost meanwhile, what this try knows of it is written again.
        if (now.record !== undefined && stateOf(now.record, decision.key) !== undefined) record = now.record;
        else if (now.record !== undefined) {
          log.warn({ incident: decision.key, name }, "not remembered: the object has had other incidents since");
          return;
        }
      }
    },
  };
}

function stateIn(record: IncidentRecord, { key }: Decision) {
  return stateOf(record, key) ?? record.newest;
}

function withReceipt(record: IncidentRecord, { key }: Decision, name: string, receipt: Json): IncidentRecord {
  if (!NAME.test(name))
    throw new PermanentError(`receipt ${JSON.stringify(name)}: a name is made of 1 to 64 of a-z, 0-9 and -`);
  const text = JSON.stringify(receipt) as string | undefined;
  if (text === undefined) throw new PermanentError(`receipt "${name}" is not JSON: give null to forget it`);
  const add = <State extends IncidentRecord["newest"]>(state: State): State => {
    if (state.key !== key) return state;
    const receipts = { ...state.receipts, [name]: JSON.parse(text) as Json };
    const bytes = Buffer.byteLength(JSON.stringify(receipts));
    if (bytes <= RECEIPTS_BYTES_MAX) return { ...state, receipts };
    throw new PermanentError(
      `receipt "${name}": the receipts of the incident would have ${bytes} bytes, more than the ${RECEIPTS_BYTES_MAX} that are kept: remember an id or a link`,
    );
  };
  const { newest, previous } = record;
  return { ...record, newest: add(newest), ...(previous && { previous: add(previous) }) };
}
