/**
 * A subscription as NATS knows it: the record that its processes keep. For those who ask about a subscription without having its file.
 */
import { getStored, type JetStream, SUBSCRIPTIONS_BUCKET, unlessMissing } from "#contract";
import { Selection } from "../filter/filter.ts";
import { newestOf, SubscriptionRecord } from "./subscription-record.ts";

/** What its processes run, by the newest file that is in force or proposed. */
export interface StoredSubscription {
  readonly name: string;
  readonly function: string;
  /** Which events it asks for; `undefined` when the record does not say it, or another version wrote it. */
  readonly selection: Selection | undefined;
}

const STREAM = `KV_${SUBSCRIPTIONS_BUCKET}`;
const ROOT = `$KV.${SUBSCRIPTIONS_BUCKET}.subscription.`;

/** The names of all that there are, in alphabetical order. Throws JetStreamApiError and RequestLostError. */
export async function subscriptionNames(jetStream: JetStream): Promise<readonly string[]> {
  const asked = jetStream.api<{ state: { subjects?: Readonly<Record<string, number>> } }>(`STREAM.INFO.${STREAM}`, {
    subjects_filter: `${ROOT}>`,
  });
  const subjects = (await unlessMissing("stream", asked))?.state.subjects ?? {};
  return Object.keys(subjects)
    .map((subject) => subject.slice(ROOT.length))
    .toSorted();
}

/** `undefined` when no process has run it on this NATS. Throws JetStreamApiError and RequestLostError. */
export async function readSubscription(jetStream: JetStream, name: string): Promise<StoredSubscription | undefined> {
  const record = await readRecord(jetStream, name);
  if (record === undefined) return undefined;
  const newest = newestOf(record);
  return { name, function: newest.function, selection: Selection.safeParse(newest.selection).data };
}

/** The record itself; `undefined` when there is none, or it is of somebody else. */
export async function readRecord(jetStream: JetStream, name: string): Promise<SubscriptionRecord | undefined> {
  const stored = await getStored(jetStream, STREAM, { last_by_subj: ROOT + name });
  if (stored === undefined) return undefined;
  try {
    return SubscriptionRecord.safeParse(JSON.parse(Buffer.from(stored.data).toString("utf8"))).data;
  } catch {
    return undefined; // deleted
  }
}
