/**
 * Past events for one subscription once more (`cr-reactor replay`): each is an order in CR_RETRIES that the processes of the subscription
 * carry out as they do those of dead letters. The order names the event, which stays in the log.
 *
 *     crretry.<subscription>.replay-<run>-<sequence of the event>.<subject of the event>
 *
 * `replay-desk.ts` carries them out.
 */
import { z } from "zod";
import {
  encodeToken,
  isWrongLastSequence,
  type JetStream,
  type NatsMessage,
  objectPart,
  RETRIES_ROOT,
  RETRIES_STREAM,
  unlessMissing,
} from "#contract";
import { partitionIn, partitionTokens } from "../ownership/partition.ts";
import { findConsumers } from "./consumer.ts";

/** One call of `cr-reactor replay`. */
export interface Replay {
  /** Names it: `[a-z0-9]{1,16}`. */
  readonly run: string;
  /** Whether steps that are remembered are run once more, under keys of this run. */
  readonly again: boolean;
}

/** An event in the log. */
export interface PastEvent {
  readonly streamSequence: number;
  readonly subject: string;
  /** Its Nats-Msg-Id: a log that was restored may have another event there. */
  readonly messageId: string | undefined;
}

const ReplayOrder = z.object({
  run: z.string().regex(/^[a-z0-9]{1,16}$/),
  again: z.boolean(),
  streamSequence: z.coerce.number().int().positive(),
  messageId: z.string().optional(),
});
/** What an order says. */
export type ReplayOrder = z.infer<typeof ReplayOrder>;

const TOKEN = /^replay-([a-z0-9]{1,16})-(\d+)$/;

/** Whether the name of a run can stand in an order. */
export function isRunName(text: string): boolean {
  return ReplayOrder.shape.run.safeParse(text).success;
}

/** Orders one event. Resolves to false when the run has ordered it before, and it waits. Throws JetStreamApiError and RequestLostError. */
export async function orderReplay(
  jetStream: JetStream,
  subscription: string,
  { run, again }: Replay,
  { streamSequence, subject, messageId }: PastEvent,
): Promise<boolean> {
  const headers = {
    "Cr-Replay": run,
    "Cr-Sequence": String(streamSequence),
    ...(again && { "Cr-Again": "true" }),
    ...(messageId !== undefined && { "Cr-Message-Id": messageId }),
    "Nats-Expected-Last-Subject-Sequence": "0",
  };
  try {
    await jetStream.publish(`${rootOf(subscription)}.replay-${run}-${streamSequence}.${subject}`, "", headers);
    return true;
  } catch (error) {
    if (isWrongLastSequence(error)) return false;
    throw error;
  }
}

/** How many orders of each run wait or are being carried out. */
export async function waitingReplays(jetStream: JetStream, subscription: string): Promise<ReadonlyMap<string, number>> {
  const waiting = new Map<string, number>();
  for (const { run } of await waitingOrders(jetStream, subscription)) waiting.set(run, (waiting.get(run) ?? 0) + 1);
  return waiting;
}

/** Takes the orders of all replays off the stream; what is being carried out ends. Resolves to how many there were. */
export async function cancelReplays(jetStream: JetStream, subscription: string): Promise<number> {
  const orders = await waitingOrders(jetStream, subscription);
  for (const { subject } of orders) await jetStream.api(`STREAM.PURGE.${RETRIES_STREAM}`, { filter: subject });
  return orders.length;
}

async function waitingOrders(
  jetStream: JetStream,
  subscription: string,
): Promise<readonly { readonly run: string; readonly subject: string }[]> {
  const root = `${rootOf(subscription)}.`;
  const asked = jetStream.api<{ state: { subjects?: Readonly<Record<string, number>> } }>(
    `STREAM.INFO.${RETRIES_STREAM}`,
    { subjects_filter: `${root}>` },
  );
  const subjects = Object.keys((await unlessMissing("stream", asked))?.state.subjects ?? {});
  return subjects.flatMap((subject) => {
    const run = TOKEN.exec(subject.slice(root.length).split(".", 1)[0] ?? "")?.[1];
    return run === undefined ? [] : [{ run, subject }];
  });
}

/**
 * Tells of an event whether the subscription is through with it; what is not comes by itself, and in its turn. `undefined`: the subscription has
 * no consumer. Throws JetStreamApiError and RequestLostError.
 */
export async function handledBy(
  jetStream: JetStream,
  subscription: string,
): Promise<((event: Pick<PastEvent, "subject" | "streamSequence">) => boolean) | undefined> {
  const consumers = await findConsumers(jetStream, subscription);
  if (consumers.length === 0) return undefined;
  const floors = consumers.map(({ name, progress }) => {
    const partition = partitionIn(name, subscription);
    const isIdle = progress.unacknowledged + progress.pendingCount === 0;
    return {
      tokens: partition && partitionTokens(partition),
      floor: isIdle ? Number.POSITIVE_INFINITY : progress.floorSequence,
    };
  });
  return ({ subject, streamSequence }) => {
    const token = subject.slice(subject.lastIndexOf(".") + 1);
    return floors.every(({ tokens, floor }) => tokens?.includes(token) === false || streamSequence <= floor);
  };
}

/** What an order says; `undefined` for one of a dead letter. */
export function readReplayOrder({ header }: Pick<NatsMessage, "header">): ReplayOrder | undefined {
  return ReplayOrder.safeParse({
    run: header("Cr-Replay"),
    again: header("Cr-Again") === "true",
    streamSequence: header("Cr-Sequence"),
    messageId: header("Cr-Message-Id"),
  }).data;
}

/** The event's own subject, behind `crretry.<subscription>.<token>`. */
export function eventSubjectIn(orderSubject: string): string {
  return orderSubject.split(".").slice(3).join(".");
}

/** The subjects of all orders of a subscription about the object of this event, those of dead letters too. */
export function ordersAbout(subscription: string, eventSubject: string): string {
  return `${rootOf(subscription)}.*.${objectPart(eventSubject)}.>`;
}

function rootOf(subscription: string): string {
  return `${RETRIES_ROOT}.${encodeToken(subscription)}`;
}
