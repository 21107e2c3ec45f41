/**
 * One thread for each incident: its first message when it opens, a reply for each later event, and the first message turned green when
 * it is resolved. Each outward call is a step, so a retry does not repeat it. Where a try may have posted before this one, and where the
 * receipt of the first message is lost, the message is looked for in the channel before another is posted.
 */
import { z } from "zod";
import type { Envelope, FunctionContext, Incident, Logger } from "#kit";
import type { MessageMaker } from "./block.ts";
import { findMessage, postMessage, type SlackReceipt, updateMessage } from "./conversation.ts";
import type { IncidentNote } from "./fact.ts";
import type { SlackBot, SlackOptions } from "./web-api.ts";

/** What every call needs of the function that makes it. */
interface Call extends Pick<FunctionContext<unknown>, "step" | "event" | "attempt"> {
  /** Reads the token at each try. */
  readonly bot: () => SlackBot;
  readonly log: Pick<Logger, "warn">;
}

/** A message that is to be there once. */
interface OnePost extends Call {
  /** The step's. */
  readonly name: string;
  readonly channel: string;
  readonly message: MessageMaker;
  /** What it is found by; default the step's idempotency key. */
  readonly key?: string;
}

/** What happened in an incident, and how to say it. */
export interface IncidentNews extends Call {
  readonly incident: Incident;
  /** Where its first message is to stand. */
  readonly channel: () => string;
  /** What happened, in a few words: "Running → Failed". */
  readonly state: string;
  readonly message: (note: IncidentNote) => MessageMaker;
  /** Whether a reply is also shown in the channel. */
  readonly isBroadcast: boolean;
}

/** What is remembered of an incident's first message. */
const ThreadReceipt = z.object({ channel: z.string(), ts: z.string(), opened: z.string().optional() });
type ThreadReceipt = z.infer<typeof ThreadReceipt>;

/** The receipt's name among an incident's. */
const RECEIPT = "slack";
/** A younger event cannot have been tried before by somebody who died of it; an older one may come from a dead letter. */
const FIRST_TRY_MS_MAX = 60_000;
/** How far the clocks of Slack, of the cluster and of this machine may be apart. */
const CLOCKS_MS_MAX = 600_000;

/** Posts a message as a step; looks for it first where an earlier try may have posted it. */
export async function postOnce(post: OnePost): Promise<SlackReceipt> {
  return await post.step(post.name, async ({ idempotencyKey, signal }) => {
    const { channel, message, event } = post;
    const key = post.key ?? idempotencyKey;
    const earlier = mayBeRepeated(post) ? await find(post, { channel, key, since: event.time }, { signal }) : undefined;
    const receipt = earlier
      ? { channel, ts: earlier }
      : await postMessage(post.bot(), { channel, key, message }, { signal });
    if (receipt === undefined) throw new Error("a message outside of threads cannot miss its thread");
    return { ...receipt };
  });
}

/** Does what an event asks for in its incident's thread. Resolves to a note on what was done. */
export async function tellIncident(news: IncidentNews): Promise<string> {
  const { incident } = news;
  if (incident.type === "opened") {
    const receipt = await postFirst(news, news.channel(), false);
    return `opened a thread in ${receipt.channel}, ts ${receipt.ts}`;
  }
  const thread = await threadOf(news);
  if (thread === undefined || !(await reply(news, thread))) {
    const { channel, ts } = await postFirst(news, thread?.channel ?? news.channel(), true);
    return `the thread is gone: ${incident.type} in a new one in ${channel}, ts ${ts}`;
  }
  if (incident.type === "updated") return `replied in ${thread.channel}, ts ${thread.ts}`;
  const outcome = await turnGreen(news, thread);
  return outcome === "updated"
    ? `resolved the thread in ${thread.channel}, ts ${thread.ts}`
    : `replied in ${thread.channel}, ts ${thread.ts}; its first message could not be changed (${outcome})`;
}

/** The first message; `isSubstitute` when there was one. Remembered, unless Slack did not say where it stands. */
async function postFirst(news: IncidentNews, channel: string, isSubstitute: boolean): Promise<SlackReceipt> {
  const { incident, state } = news;
  const message = news.message({ ...noteOf(incident), place: "first", isSubstitute });
  const name = isSubstitute ? "post-again" : "post";
  const receipt = await postOnce({ ...news, name, channel, message, key: incident.key });
  const { ts } = receipt;
  if (ts !== null) {
    const opened = isSubstitute ? {} : { opened: state };
    await incident.remember(RECEIPT, { channel: receipt.channel, ts, ...opened });
  }
  return receipt;
}

/** The thread as it is remembered, or found again. */
async function threadOf(news: IncidentNews): Promise<ThreadReceipt | undefined> {
  const { incident, step } = news;
  const remembered = ThreadReceipt.safeParse(incident.receipts[RECEIPT]);
  if (remembered.success) return remembered.data;
  const found = await step("find", async ({ signal }) => {
    const channel = news.channel();
    const ts = await find(news, { channel, key: incident.key, since: incident.openedAt }, { signal });
    return ts === undefined ? null : { channel, ts };
  });
  if (found === null) return undefined;
  await incident.remember(RECEIPT, found);
  return found;
}

/** Resolves to whether the thread was there. */
async function reply(news: IncidentNews, thread: ThreadReceipt): Promise<boolean> {
  const { channel, ts: threadTs } = thread;
  const message = news.message({ ...noteOf(news.incident), place: "reply", opened: thread.opened });
  return await news.step("reply", async ({ idempotencyKey: key, signal }) => {
    const where = { channel, threadTs, key, since: news.event.time };
    if (mayBeRepeated(news) && (await find(news, where, { signal })) !== undefined) return true;
    const post = { channel, threadTs, broadcast: news.isBroadcast, key, message };
    return (await postMessage(news.bot(), post, { signal })) !== undefined;
  });
}

/** Resolves to "updated", or to Slack's word for why the first message cannot be changed any more. */
async function turnGreen(news: IncidentNews, { channel, ts, opened }: ThreadReceipt): Promise<string> {
  const { key } = news.incident;
  const message = news.message({ ...noteOf(news.incident), place: "first", opened });
  return await news.step("update", async ({ signal }) => {
    const outcome = await updateMessage(news.bot(), { channel, ts, message, key }, { signal });
    return outcome === "updated" ? outcome : outcome.gone;
  });
}

function noteOf({ type, openedAt, updateCount }: Incident): Pick<IncidentNote, "type" | "openedAt" | "updateCount"> {
  return { type, openedAt, updateCount };
}

function mayBeRepeated({ attempt, event }: Pick<Call, "attempt" | "event">): boolean {
  return attempt > 1 || Date.now() - timeOf(event) > FIRST_TRY_MS_MAX;
}

function timeOf(event: Envelope): number {
  return Date.parse(event.recordedtime ?? event.time);
}

/** Where a message stands; `undefined` when it is not there, or cannot be looked for, which is told. */
async function find(
  { bot, log }: Pick<Call, "bot" | "log">,
  where: { readonly channel: string; readonly threadTs?: string; readonly key: string; readonly since: string },
  options: SlackOptions,
): Promise<string | undefined> {
  const { since, ...rest } = where;
  const finding = await findMessage(bot(), { ...rest, sinceMs: Date.parse(since) - CLOCKS_MS_MAX }, options);
  switch (finding.type) {
    case "found":
      return finding.ts;
    case "absent":
      return undefined;
    case "unknown":
      log.warn(
        { channel: where.channel },
        `an earlier message cannot be looked for, so there may be two: ${finding.problem}`,
      );
      return undefined;
    default:
      return finding satisfies never;
  }
}
