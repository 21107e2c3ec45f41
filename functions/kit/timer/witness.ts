/**
 * Notices that CR_TIMERS has lost what it had: it was deleted, purged, or restored from an older copy. A witness in it is renewed every minute, and
 * a note elsewhere (CR_SUBSCRIPTIONS) says which one must be there, and how far everything was carried out then. A witness that is missing, or
 * older than that, has the log asked for what is to wait again.
 *
 *     crtimer.witness.<subscription>.<consumer>
 *     $KV.CR_SUBSCRIPTIONS.timers.<subscription>.<consumer>
 */
import { z } from "zod";
import {
  encodeToken,
  getStored,
  isUnavailable,
  type JetStream,
  type Logger,
  SUBSCRIPTIONS_BUCKET,
  TIMERS_ROOT,
  TIMERS_STREAM,
  unlessMissing,
} from "#contract";
import { type ConsumerProgress, consumerProgress } from "../delivery/consumer.ts";
import { type RecallOptions, recall } from "./recall.ts";
import { countTimers, ensureTimers } from "./timer-stream.ts";

/** What a witness is about. */
export interface WitnessOptions
  extends Pick<RecallOptions, "jetStream" | "subjects" | "matcher" | "timing" | "signal"> {
  readonly subscription: string;
  /** Its name, in CR_EVENTS and in CR_TIMERS. */
  readonly consumer: string;
  /** What was stored up to there is another generation's. */
  readonly afterSequence: number;
  /** Which log the sequences are of. */
  readonly logCreatedAt: string;
  readonly log: Logger;
}

const Note = z.object({
  version: z.literal(1),
  logCreatedAt: z.string(),
  /** Its sequence in CR_TIMERS. */
  witness: z.int(),
  /** How far the consumer was. */
  handledUpToSequence: z.int(),
  /** Of the events up to there, what was due until then, or waited in a queue, was carried out. */
  over: z.object({ upToSequence: z.int(), dueUntilMs: z.number() }),
});
type Note = z.infer<typeof Note>;

/** As long as the consumer of CR_TIMERS is kept. */
const TTL = "960h";
/** The server sends what is due some hundred milliseconds late. */
const LATE_MS_MAX = 10_000;

/** Looks once, and has found again what was lost when it resolves. Rejects with what NATS answers: look again then. */
export async function lookAtTimers(options: WitnessOptions): Promise<void> {
  const { jetStream, subscription, consumer, logCreatedAt, log } = options;
  const name = `${TIMERS_ROOT}.witness.${encodeToken(subscription)}.${consumer}`;
  const noteName = `$KV.${SUBSCRIPTIONS_BUCKET}.timers.${subscription}.${consumer}`;
  const [found, stored] = await Promise.all([
    getStored(jetStream, TIMERS_STREAM, { last_by_subj: name }),
    getStored(jetStream, `KV_${SUBSCRIPTIONS_BUCKET}`, { last_by_subj: noteName }),
  ]);
  const note = stored && parseNote(stored.data);
  const known = note?.logCreatedAt === logCreatedAt ? note : undefined;
  const progress = await consumerProgress(jetStream, consumer);
  const isOver = await isCarriedOut(options);
  const isThere = found !== undefined && found.sequence >= (note?.witness ?? 0);
  if (!isThere) {
    const count = await recallAll(options, progress, known);
    if (note !== undefined || count > 0)
      log.warn({ waitAgain: count }, `${TIMERS_STREAM} had lost what it had: what the log still tells waits again`);
  }
  const witness = await renew(jetStream, name);
  // What was handled a look ago has been stored, and sent when it was overdue.
  const upToSequence = known?.handledUpToSequence ?? options.afterSequence;
  const unknown = { upToSequence: options.afterSequence, dueUntilMs: progress.createdAtMs };
  const next: Note = {
    ...{ version: 1, logCreatedAt, witness, handledUpToSequence: progress.floorSequence },
    over: isOver ? { upToSequence, dueUntilMs: progress.answeredAtMs - LATE_MS_MAX } : (known?.over ?? unknown),
  };
  await jetStream.publish(noteName, JSON.stringify(next), { "Nats-TTL": TTL });
}

/** Where nothing is known of what was carried out, only what is still to come waits again. */
function recallAll(options: WitnessOptions, progress: ConsumerProgress, note: Note | undefined): Promise<number> {
  const handled = { afterSequence: options.afterSequence, upToSequence: progress.deliveredSequence };
  const over = note?.over ?? { upToSequence: progress.deliveredSequence, dueUntilMs: progress.answeredAtMs };
  return recall({ ...options, handled, over });
}

/** Nothing waits in a queue, and nothing that is due is left. */
async function isCarriedOut({ jetStream, subscription, consumer, timing }: WitnessOptions): Promise<boolean> {
  type Info = { readonly num_pending: number; readonly num_ack_pending: number };
  const asked = jetStream.api<Info>(`CONSUMER.INFO.${TIMERS_STREAM}.${consumer}`);
  const due = await unlessMissing("stream", unlessMissing("consumer", asked));
  if (due === undefined || due.num_pending + due.num_ack_pending > 0) return false;
  if (timing.delay?.type === "window") return true;
  return (await countTimers(jetStream, [`${TIMERS_ROOT}.member.${encodeToken(subscription)}.>`])) === 0;
}

async function renew(jetStream: JetStream, name: string): Promise<number> {
  const publish = () => jetStream.publish(name, "", { "Nats-TTL": TTL });
  try {
    return (await publish()).seq;
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    await ensureTimers(jetStream);
    return (await publish()).seq;
  }
}

function parseNote(data: Uint8Array): Note | undefined {
  try {
    return Note.safeParse(JSON.parse(Buffer.from(data).toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
