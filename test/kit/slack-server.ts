/**
 * A local look-alike of Slack: an incoming webhook, and of the Web API chat.postMessage, chat.update, conversations.history and
 * conversations.replies. It checks each request against what Slack documents and refuses it in Slack's own words, keeps channels,
 * messages, threads and updates, and misbehaves on demand.
 * Source: `slack-schema.ts`; docs.slack.dev, "Sending messages using incoming webhooks" and the four methods' pages.
 */
import type { z } from "zod";
import type { ReceivedRequest, Reply } from "./misbehaviour.ts";
import {
  type Content,
  HistoryArguments,
  PostArguments,
  RepliesArguments,
  readContent,
  UpdateArguments,
  WebhookBody,
} from "./slack-schema.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

/** A message that Slack would have taken, as it is now. */
export interface SlackMessageReceived extends Content {
  readonly via: "webhook" | "bot";
  /** An id. */
  readonly channel: string;
  /** Names the message, as Slack does: epoch seconds and a number. */
  readonly ts: string;
  /** The thread's first message, for a reply. */
  readonly threadTs?: string;
  readonly isBroadcast?: boolean;
  /** What its metadata says it is. */
  readonly key?: string;
  /** How often chat.update changed it. */
  readonly updates: number;
}

/** A channel, and what the bot may do in it. */
export interface SlackChannel {
  readonly name: string;
  isMember: boolean;
  isArchived: boolean;
}

/** A running look-alike. `stop()` it, or bind it with `await using`. */
export interface SlackServer extends Omit<Receiver, "origin" | "until"> {
  /** Its path is the secret. */
  readonly webhookUrl: string;
  readonly apiUrl: string;
  readonly token: string;
  /** The name of the channel that the webhook posts to, and its id. */
  readonly channel: string;
  readonly channelId: string;
  /** By id; more may be added. */
  readonly channels: Map<string, SlackChannel>;
  /** What the bot was granted; scopes may be taken away. */
  readonly scopes: Set<string>;
  /** What was taken, in order. */
  readonly messages: readonly SlackMessageReceived[];
  /** Deletes a message, as people do. */
  remove(ts: string): void;
  /** Whether tables are refused, as in a workspace that does not have them. */
  refusesTables: boolean;
  waitForMessages(count: number, options: { readonly timeoutMs: number }): Promise<void>;
}

const WEBHOOK_PATH = "/services/T0CRREACT/B0CRREACT/wHk9sEcReT4pAtH";
const TOKEN = "xoxb-2147-very-secret-bot-token";
const CHANNEL = "#ops";
const CHANNEL_ID = "C0CRREACT";

/** A workspace: what the methods work on. */
interface Workspace extends Pick<SlackServer, "channels" | "scopes" | "refusesTables"> {
  readonly messages: SlackMessageReceived[];
}
type Draft = Omit<SlackMessageReceived, "ts" | "updates">;
type Answer = { readonly ok: boolean; readonly error?: string; readonly [field: string]: unknown };

/** Starts it on a free loopback port. */
export async function startSlack(): Promise<SlackServer> {
  const workspace: Workspace = {
    channels: new Map([[CHANNEL_ID, { name: "ops", isMember: true, isArchived: false }]]),
    scopes: new Set(["chat:write", "channels:history"]),
    refusesTables: false,
    messages: [],
  };
  const { messages, channels, scopes } = workspace;
  const { origin, until, ...receiver } = await startReceiver((request) => {
    if (request.path.startsWith("/api/")) return botReply(answerBot(request, workspace));
    if (request.path === WEBHOOK_PATH) return answerWebhook(request, workspace);
    return { status: 404, body: "no_service" };
  });
  return {
    ...receiver,
    webhookUrl: `${origin}${WEBHOOK_PATH}`,
    apiUrl: `${origin}/api`,
    token: TOKEN,
    channel: CHANNEL,
    channelId: CHANNEL_ID,
    channels,
    scopes,
    messages,
    remove: (ts) => void messages.splice(messages.findIndex((message) => message.ts === ts) >>> 0, 1),
    get refusesTables() {
      return workspace.refusesTables;
    },
    set refusesTables(refuses) {
      workspace.refusesTables = refuses;
    },
    waitForMessages: (count, { timeoutMs }) =>
      until(() => messages.length >= count, `${count} Slack messages`, timeoutMs),
  };
}

function answerWebhook(request: ReceivedRequest, workspace: Workspace): Reply {
  const body = WebhookBody.safeParse(parseJson(request.body));
  if (request.method !== "POST" || mediaType(request) !== "application/json" || !body.success) {
    return { status: 400, body: "invalid_payload" };
  }
  if (workspace.channels.get(CHANNEL_ID)?.isArchived) return { status: 410, body: "channel_is_archived" };
  const content = contentOf(body.data, workspace);
  if (typeof content === "string") return { status: 400, body: content };
  keep(workspace, { via: "webhook", channel: CHANNEL_ID, ...content });
  return { status: 200, body: "ok" };
}

/** Each method: how its arguments travel, what they are, which scope it needs, and what it does. */
function answerBot(request: ReceivedRequest, workspace: Workspace): Answer {
  const { authorization } = request.headers;
  if (authorization === undefined) return refusal("not_authed");
  if (authorization !== `Bearer ${TOKEN}`) return refusal("invalid_auth");
  switch (request.path) {
    case "/api/chat.postMessage":
      return withArguments(request, "application/json", PostArguments, "chat:write", workspace, postMessage);
    case "/api/chat.update":
      return withArguments(request, "application/json", UpdateArguments, "chat:write", workspace, updateMessage);
    case "/api/conversations.history":
      return withArguments(request, FORM, HistoryArguments, "channels:history", workspace, (args, space) =>
        readMessages(
          args,
          space,
          (message) => message.threadTs === undefined || message.isBroadcast === true,
          "newest",
        ),
      );
    case "/api/conversations.replies":
      return withArguments(request, FORM, RepliesArguments, "channels:history", workspace, (args, space) => {
        if (!space.messages.some(({ ts, channel }) => ts === args.ts && channel === args.channel))
          return refusal("thread_not_found");
        return readMessages(args, space, ({ ts, threadTs }) => ts === args.ts || threadTs === args.ts, "oldest");
      });
    default:
      return refusal("unknown_method");
  }
}

const FORM = "application/x-www-form-urlencoded";

function withArguments<Schema extends z.ZodType>(
  request: ReceivedRequest,
  contentType: string,
  schema: Schema,
  scope: string,
  workspace: Workspace,
  act: (args: z.output<Schema>, workspace: Workspace) => Answer,
): Answer {
  if (request.method !== "POST" || mediaType(request) !== contentType) return refusal("invalid_post_type");
  const json = contentType === FORM ? Object.fromEntries(new URLSearchParams(request.body)) : parseJson(request.body);
  if (json === undefined) return refusal("invalid_json");
  if (!workspace.scopes.has(scope)) {
    return { ...refusal("missing_scope"), needed: scope, provided: [...workspace.scopes].join(",") };
  }
  const args = schema.safeParse(json);
  return args.success ? act(args.data, workspace) : refusal("invalid_arguments");
}

function postMessage(args: z.infer<typeof PostArguments>, workspace: Workspace): Answer {
  const { thread_ts: threadTs, reply_broadcast: isBroadcast, metadata } = args;
  const channel = channelIdOf(args.channel, workspace);
  const state = channel && workspace.channels.get(channel);
  if (!channel || !state) return refusal("channel_not_found");
  if (!state.isMember) return refusal("not_in_channel");
  if (state.isArchived) return refusal("is_archived");
  const content = contentOf(args, workspace);
  if (typeof content === "string") return refusal(content);
  const parent = workspace.messages.find((message) => message.ts === threadTs && message.channel === channel);
  if (threadTs !== undefined && parent === undefined) return refusal("thread_not_found");
  const key = metadata?.event_payload["key"];
  const ts = keep(workspace, {
    via: "bot",
    channel,
    ...content,
    ...(threadTs !== undefined && { threadTs }),
    ...(isBroadcast && { isBroadcast }),
    ...(typeof key === "string" && { key }),
  });
  return { ok: true, channel, ts };
}

function updateMessage(args: z.infer<typeof UpdateArguments>, workspace: Workspace): Answer {
  if (!workspace.channels.has(args.channel)) return refusal("channel_not_found");
  const content = contentOf(args, workspace);
  if (typeof content === "string") return refusal(content);
  const index = workspace.messages.findIndex(({ ts, channel }) => ts === args.ts && channel === args.channel);
  const message = workspace.messages[index];
  if (message === undefined) return refusal("message_not_found");
  if (message.via !== "bot") return refusal("cant_update_message");
  workspace.messages[index] = { ...message, ...content, updates: message.updates + 1 };
  return { ok: true, channel: args.channel, ts: args.ts, text: content.text };
}

function readMessages(
  args: z.infer<typeof HistoryArguments>,
  workspace: Workspace,
  belongs: (message: SlackMessageReceived) => boolean,
  first: "newest" | "oldest",
): Answer {
  const channel = workspace.channels.get(args.channel);
  if (channel === undefined) return refusal("channel_not_found");
  if (!channel.isMember) return refusal("not_in_channel");
  const all = workspace.messages.filter(
    (message) => message.channel === args.channel && belongs(message) && message.ts > (args.oldest ?? "0"),
  );
  if (first === "newest") all.reverse();
  const start = Number(args.cursor ?? 0);
  const end = start + args.limit;
  const messages = all.slice(start, end).map(({ ts, text, key }) => ({
    type: "message",
    ts,
    text,
    ...(key !== undefined && {
      metadata: { event_type: "cr_reactor_message", ...(args.include_all_metadata && { event_payload: { key } }) },
    }),
  }));
  return {
    ok: true,
    messages,
    has_more: end < all.length,
    response_metadata: { next_cursor: end < all.length ? `${end}` : "" },
  };
}

function contentOf(args: z.infer<typeof WebhookBody>, workspace: Workspace): Content | string {
  const content = readContent(args);
  if (typeof content === "string" || !workspace.refusesTables) return content;
  const hasTable = content.attachments.some(({ blocks }) => blocks.some(({ type }) => type === "table"));
  return hasTable ? "invalid_attachments" : content;
}

/** Slack's ts is when it took the message, and unique in its channel. */
function keep({ messages }: Workspace, draft: Draft): string {
  const last = messages.at(-1)?.ts ?? "0.0";
  const now = `${Math.floor(Date.now() / 1000)}.000100`;
  const [seconds = "0", number = "0"] = (now > last ? now : last).split(".");
  const ts = `${seconds}.${String(Number(number) + (now > last ? 0 : 100)).padStart(6, "0")}`;
  messages.push({ ...draft, ts, updates: 0 });
  return ts;
}

function channelIdOf(nameOrId: string, { channels }: Workspace): string | undefined {
  if (channels.has(nameOrId)) return nameOrId;
  return [...channels].find(([, { name }]) => name === nameOrId.replace(/^#/, ""))?.[0];
}

function refusal(error: string): Answer {
  return { ok: false, error };
}

function botReply(answer: Answer): Reply {
  return { status: 200, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(answer) };
}

function mediaType(request: ReceivedRequest): string | undefined {
  return request.headers["content-type"]?.split(";")[0]?.trim();
}
