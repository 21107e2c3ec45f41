/**
 * What silences held back, for people: counts by silence and subscription, and the last few. Read from NATS alone, so it tells of sleeping
 * functions too, and of the windows of any subscriptions file.
 */
import {
  encodeToken,
  type JetStream,
  parseObjectSubject,
  read,
  TIMERS_ROOT,
  TIMERS_STREAM,
  unlessMissing,
} from "#contract";
import { readHeldBack } from "./held-back.ts";

/** What one silence held back of one subscription. */
export interface HeldBackCount {
  readonly silence: string;
  readonly subscription: string;
  /** RFC 3339; left out: nobody knows when it ends. */
  readonly ends?: string;
  readonly events: number;
  readonly objects: number;
  /** Objects whose last event is still to be told. */
  readonly untold: number;
  readonly told: number;
  /** The newest objects first. */
  readonly last: readonly HeldBackObject[];
}

/** The last event of an object that was held back. */
export interface HeldBackObject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly cluster: string;
  readonly eventId: string;
  /** In CR_EVENTS. */
  readonly streamSequence: number;
  /** When the log stored it, RFC 3339. */
  readonly storedAt: string;
  readonly events: number;
}

const LAST_MAX = 5;

/** Counts what was held back, by all silences or by one. Throws JetStreamApiError and RequestLostError. */
export async function countHeldBack(
  jetStream: JetStream,
  signal: AbortSignal,
  silence?: string,
): Promise<readonly HeldBackCount[]> {
  const id = silence === undefined ? "*" : encodeToken(silence);
  const filter_subjects = [`${TIMERS_ROOT}.held.*.${id}.>`];
  const reading = { filter_subjects, deliver_policy: "all", headers_only: true } as const;
  const found = new Map<string, HeldBackCount>();
  const countAll = async () => {
    for await (const { message } of read(jetStream, reading, signal, false, TIMERS_STREAM)) {
      const record = readHeldBack(message);
      if (record === undefined) continue;
      const key = `${record.silence} ${record.subscription}`;
      found.set(key, added(found.get(key), record));
    }
  };
  await unlessMissing("stream", countAll());
  return [...found.values()].sort((one, other) =>
    one.silence + one.subscription < other.silence + other.subscription ? -1 : 1,
  );
}

function added(
  sum: HeldBackCount | undefined,
  { silence, subscription, endsMs, count, eventId, last, summary }: NonNullable<ReturnType<typeof readHeldBack>>,
): HeldBackCount {
  const { cluster, kind, namespace, name } = parseObjectSubject(last.subject);
  const { streamSequence } = last;
  const storedAt = new Date(last.storedAtMs).toISOString();
  const object = { cluster, kind, namespace, name, eventId, streamSequence, storedAt, events: count };
  const newest = [object, ...(sum?.last ?? [])].sort((one, other) => (one.storedAt < other.storedAt ? 1 : -1));
  return {
    ...{ silence, subscription },
    ...(endsMs !== undefined && { ends: new Date(endsMs).toISOString() }),
    events: (sum?.events ?? 0) + count,
    objects: (sum?.objects ?? 0) + 1,
    untold: (sum?.untold ?? 0) + Number(summary === "wanted"),
    told: (sum?.told ?? 0) + Number(summary === "told"),
    last: newest.slice(0, LAST_MAX),
  };
}
