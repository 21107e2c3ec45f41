/**
 * The silences as a process knows them: those of its subscriptions file, and those of the bucket CR_SILENCES, which it follows. While NATS is
 * away, the last that it knew count. Before the bucket was read once, it is waited for, a short while: a process that starts must not tell what is
 * silenced, and one that may not read the bucket must not stand still.
 */
import {
  type Envelope,
  type JetStream,
  type KubeObject,
  type Logger,
  SILENCES_BUCKET,
  silencesStream,
} from "#contract";
import { ensureBesideLog } from "../log-settings.ts";
import { type Bucket, openBucket } from "../ownership/bucket.ts";
import { within } from "../waiting.ts";
import { type CompiledSilence, compileSetting, compileSilence, firstHolding } from "./compiled-silence.ts";
import { readNamespaces } from "./namespace-state.ts";
import { type Holding, Silence, type SilenceSetting } from "./silence.ts";

/** The silences of a process. */
export interface SilenceWatch {
  /** Those that concern a subscription, whether or not they hold anything now. */
  about(subscription: string): readonly CompiledSilence[];
  /**
   * The silence that holds back an event of a subscription at any of these moments (epoch milliseconds). Throws what NATS answers about a
   * namespace, and when `signal` aborts.
   */
  holding(subscription: string, asked: AskedEvent, signal: AbortSignal): Promise<Holding | undefined>;
  onChange(listener: () => void): () => void;
}

/** An event about which silences are asked. */
export interface AskedEvent {
  readonly event: Envelope;
  readonly object: KubeObject;
  readonly momentsMs: readonly number[];
}

/** What a watch needs. */
export interface SilenceWatchOptions {
  /** Of the subscriptions file. */
  readonly settings?: readonly SilenceSetting[] | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
  /** How long the first reading of the bucket is waited for; default 5,000. */
  readonly firstReadMs?: number;
}

/** One that may be read is there within milliseconds. */
const FIRST_READ_MS = 5_000;

const LAST_KNOWN = `while NATS is away, the silences of ${SILENCES_BUCKET} count as they were`;

/** Starts to follow, until `signal` aborts. */
export function watchSilences(
  jetStream: JetStream,
  { settings = [], log, signal, firstReadMs = FIRST_READ_MS }: SilenceWatchOptions,
): SilenceWatch {
  const ensure = () => ensureBesideLog(jetStream, silencesStream);
  const bucket = openBucket(jetStream, { name: SILENCES_BUCKET, ensure }, signal);
  const own = settings.map(compileSetting);
  const namespaces = readNamespaces(jetStream, log);
  const compiled = new Map<string, { readonly revision: number; readonly silence: CompiledSilence | undefined }>();
  const all = () => [...own, ...compileNew(bucket, compiled, log)];
  let firstRead: Promise<void> | undefined;
  const wasRead = () => {
    firstRead ??= readOnce(bucket, firstReadMs, signal).then((isRead) => {
      if (!isRead && !signal.aborted)
        log.warn(`the silences in ${SILENCES_BUCKET} cannot be read: until they are, only those of the file count`);
    });
    return firstRead;
  };
  const stopListening = jetStream.onConnection(({ type }) => {
    if (type === "disconnected" && bucket.syncBegunMs !== undefined) log.info(LAST_KNOWN);
  });
  signal.addEventListener("abort", stopListening, { once: true });
  const about = (subscription: string) => all().filter(({ concerns }) => concerns(subscription));
  return {
    about,
    async holding(subscription, asked, asking) {
      if (bucket.syncBegunMs === undefined) await wasRead();
      asking.throwIfAborted();
      let namespace: Promise<KubeObject | undefined> | undefined;
      return await firstHolding(about(subscription), asked, () => (namespace ??= namespaces(asked.event, asking)));
    },
    onChange: (listener) => bucket.onChange(listener),
  };
}

/** Each entry is compiled once. One that cannot be read silences nothing, and is told of once. */
function compileNew(
  { entries }: Bucket,
  compiled: Map<string, { readonly revision: number; readonly silence: CompiledSilence | undefined }>,
  log: Logger,
): readonly CompiledSilence[] {
  for (const id of compiled.keys()) if (!entries.has(id)) compiled.delete(id);
  for (const [id, { revision, value }] of entries) {
    if (compiled.get(id)?.revision === revision) continue;
    const parsed = value === undefined ? undefined : Silence.safeParse(value);
    if (parsed?.success === false) log.warn({ silence: id }, "a silence cannot be understood, and holds back nothing");
    compiled.set(id, { revision, silence: parsed?.success ? compileSilence(id, parsed.data) : undefined });
  }
  return [...compiled.values()].flatMap(({ silence }) => (silence === undefined ? [] : [silence]));
}

async function readOnce(bucket: Bucket, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  const stop = bucket.onChange(() => resolve());
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (bucket.syncBegunMs === undefined) await within(timeoutMs, changed);
  stop();
  return bucket.syncBegunMs !== undefined;
}
