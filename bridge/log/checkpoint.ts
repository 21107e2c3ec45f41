/**
 * How far a watch is: the low-water resourceVersion below which every event is acknowledged by NATS, kept in a key-value bucket so
 * that a restart resumes instead of listing. It belongs to one watch and to a hash of its settings; with other settings it does
 * not count, and the log is compared with a list.
 * Source: NATS ADR-8 (key-value), which is a stream with one message per subject.
 */
import { z } from "zod";
import type { JetStream } from "../nats/jetstream.ts";
import { unlessMissing } from "../nats/jetstream-error.ts";
import { CHECKPOINTS_BUCKET } from "../nats/stream.ts";

/** Which watch a checkpoint is of, for whoever finds it when its kind is gone. */
export const CheckpointedWatch = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  plural: z.string(),
  namespaced: z.boolean(),
  namespace: z.string().optional(),
  labelSelector: z.string().optional(),
  fieldSelector: z.string().optional(),
});
export type CheckpointedWatch = z.infer<typeof CheckpointedWatch>;

/** What is stored for a watch. */
export const Checkpoint = z.object({
  version: z.literal(1),
  settingsHash: z.string(),
  resourceVersion: z.string().regex(/^[0-9]+$/),
  /** Which life of etcd the version is of. */
  epoch: z.int().min(1).default(1),
  /** The newest acknowledged event: its sequence and id are the witness that the log still is what it was. */
  sequence: z.int().nonnegative(),
  id: z.string(),
  savedAt: z.iso.datetime(),
  watch: CheckpointedWatch.optional(),
});
export type Checkpoint = z.infer<typeof Checkpoint>;

/** Finished entries are cut off the front in batches, so that each costs the same however many wait. */
const COMPACT_AFTER = 1_024;

/** Reads a watch's checkpoint; `undefined` when there is none, or none that can be read. */
export async function loadCheckpoint(jetStream: JetStream, key: string): Promise<Checkpoint | undefined> {
  const query = { last_by_subj: `$KV.${CHECKPOINTS_BUCKET}.${key}` };
  const asked = jetStream.api<{ message: { data?: string } }>(`STREAM.MSG.GET.KV_${CHECKPOINTS_BUCKET}`, query);
  const stored = await unlessMissing("message", asked);
  if (stored === undefined) return undefined;
  try {
    const json: unknown = JSON.parse(Buffer.from(stored.message.data ?? "", "base64").toString("utf8"));
    return Checkpoint.safeParse(json).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Reads all checkpoints whose keys match, by their keys. */
export async function loadCheckpoints(jetStream: JetStream, keys: string): Promise<ReadonlyMap<string, Checkpoint>> {
  const root = `$KV.${CHECKPOINTS_BUCKET}.`;
  const { state } = await jetStream.api<{ state: { subjects?: Record<string, number> } }>(
    `STREAM.INFO.KV_${CHECKPOINTS_BUCKET}`,
    { subjects_filter: root + keys },
  );
  const found = new Map<string, Checkpoint>();
  for (const subject of Object.keys(state.subjects ?? {})) {
    const key = subject.slice(root.length);
    const checkpoint = await loadCheckpoint(jetStream, key);
    if (checkpoint !== undefined) found.set(key, checkpoint);
  }
  return found;
}

/** Stores a watch's checkpoint. Throws JetStreamApiError or RequestLostError; an older one then stays, which is harmless. */
export async function saveCheckpoint(jetStream: JetStream, key: string, checkpoint: Checkpoint): Promise<void> {
  await jetStream.publish(`$KV.${CHECKPOINTS_BUCKET}.${key}`, JSON.stringify(checkpoint), {});
}

/** Forgets a watch that will not come back. Throws as `saveCheckpoint`. */
export async function forgetCheckpoint(jetStream: JetStream, key: string): Promise<void> {
  await jetStream.publish(`$KV.${CHECKPOINTS_BUCKET}.${key}`, "", { "KV-Operation": "DEL" });
}

/** The low-water mark of versions that are handled out of order. */
export interface LowWater {
  /** Everything up to here is done; `undefined` before the first. */
  readonly resourceVersion: string | undefined;
  /** Announces a version, in the order of the watch; call the result when it is done. */
  begin(resourceVersion: string): () => void;
}

/** Starts at `initial`. Versions are announced in order, so the mark is the newest one with nothing unfinished before it. */
export function createLowWater(initial: string | undefined): LowWater {
  const open: { readonly resourceVersion: string; done: boolean }[] = [];
  let mark = initial;
  let finished = 0;
  return {
    get resourceVersion() {
      return mark;
    },
    begin(resourceVersion) {
      const entry = { resourceVersion, done: false };
      open.push(entry);
      return () => {
        entry.done = true;
        for (let next = open[finished]; next?.done; next = open[++finished]) mark = next.resourceVersion;
        if (finished < open.length && finished < COMPACT_AFTER) return;
        open.splice(0, finished);
        finished = 0;
      };
    },
  };
}
