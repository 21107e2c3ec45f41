import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type SlackServer, startSlack } from "../../../kit/slack-server.ts";

const header = (text: string, type = "plain_text") => ({ type: "header", text: { type, text } });
const section = (text: string) => ({ type: "section", text: { type: "mrkdwn", text } });

const cell = (text: string) => ({
  type: "rich_text",
  elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }],
});
const table = (rows: string[][]) => ({ type: "table", rows: rows.map((row) => row.map(cell)) });

/** Posts a body as it stands, and returns what Slack says to it. */
async function answerTo(slack: SlackServer, body: unknown, contentType = "application/json"): Promise<string> {
  const response = await fetch(slack.webhookUrl, {
    method: "POST",
    headers: { "content-type": contentType },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return `${response.status} ${await response.text()}`;
}

describe("the local Slack refuses what Slack refuses", () => {
  const rows: { name: string; body: unknown; contentType?: string; answer: string }[] = [
    { name: "a message of text alone is taken", body: { text: "hi" }, answer: "200 ok" },
    { name: "50 blocks are taken", body: { blocks: Array(50).fill({ type: "divider" }) }, answer: "200 ok" },
    { name: "51 blocks", body: { blocks: Array(51).fill({ type: "divider" }) }, answer: "400 invalid_blocks" },
    { name: "nothing to show", body: {}, answer: "400 no_text" },
    { name: "no JSON", body: "{", answer: "400 invalid_payload" },
    { name: "another media type", body: { text: "hi" }, contentType: "text/plain", answer: "400 invalid_payload" },
    { name: "a header of 151 characters", body: { blocks: [header("x".repeat(151))] }, answer: "400 invalid_blocks" },
    { name: "a header with markup", body: { blocks: [header("x", "mrkdwn")] }, answer: "400 invalid_blocks" },
    {
      name: "a section of 3,001 characters",
      body: { blocks: [section("x".repeat(3001))] },
      answer: "400 invalid_blocks",
    },
    { name: "an empty section", body: { blocks: [section("")] }, answer: "400 invalid_blocks" },
    { name: "an unknown block", body: { blocks: [{ type: "banner" }] }, answer: "400 invalid_blocks" },
    { name: "an unknown field", body: { blocks: [{ ...section("x"), color: "red" }] }, answer: "400 invalid_blocks" },
    {
      name: "a table outside of an attachment",
      body: { blocks: [table([["x"]])] },
      answer: "400 invalid_blocks",
    },
    {
      name: "a table in an attachment is taken",
      body: { attachments: [{ blocks: [table([["x"]])] }] },
      answer: "200 ok",
    },
    {
      name: "two tables",
      body: { attachments: [{ blocks: [table([["x"]]), table([["y"]])] }] },
      answer: "400 invalid_attachments",
    },
    {
      name: "101 rows",
      body: { attachments: [{ blocks: [table(Array(101).fill(["x"]))] }] },
      answer: "400 invalid_attachments",
    },
    { name: "an empty cell", body: { attachments: [{ blocks: [table([[""]])] }] }, answer: "400 invalid_attachments" },
    {
      name: "101 attachments",
      body: { attachments: Array(101).fill({ blocks: [section("x")] }) },
      answer: "400 invalid_attachments",
    },
    {
      name: "a colour that is none",
      body: { attachments: [{ color: "red", blocks: [section("x")] }] },
      answer: "400 invalid_attachments",
    },
    {
      name: "too much in all",
      body: { blocks: Array(5).fill(section("x".repeat(2900))) },
      answer: "400 msg_blocks_too_long",
    },
  ];
  for (const { name, body, contentType, answer } of rows) {
    test(name, async () => {
      await using slack = await startSlack();
      assert.equal(await answerTo(slack, body, contentType), answer);
      assert.equal(slack.messages.length, answer === "200 ok" ? 1 : 0);
    });
  }

  test("whoever waits for messages gets them, or is told what came", async () => {
    await using slack = await startSlack();
    const both = slack.waitForMessages(2, { timeoutMs: 60_000 });
    await answerTo(slack, { text: "one" });
    await answerTo(slack, { text: "two" });
    await both;
    await assert.rejects(slack.waitForMessages(3, { timeoutMs: 1 }), /3 Slack messages; 2 requests came/);
  });
});

/** Calls a method as a bot, and returns what Slack says to it. */
async function call(
  slack: SlackServer,
  method: string,
  args: object,
  token = slack.token,
): Promise<Record<string, unknown>> {
  const isReading = method.startsWith("conversations.");
  const response = await fetch(`${slack.apiUrl}/${method}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": isReading ? "application/x-www-form-urlencoded" : "application/json; charset=utf-8",
    },
    body: isReading ? new URLSearchParams(args as Record<string, string>).toString() : JSON.stringify(args),
  });
  return (await response.json()) as Record<string, unknown>;
}

describe("the local Slack's Web API refuses what Slack refuses", () => {
  const message = { channel: "C0CRREACT", text: "hi" };
  const rows: { name: string; method: string; args: object; error: string; before?: (slack: SlackServer) => void }[] = [
    { name: "an unknown method", method: "chat.shout", args: {}, error: "unknown_method" },
    {
      name: "an unknown channel",
      method: "chat.postMessage",
      args: { ...message, channel: "#no" },
      error: "channel_not_found",
    },
    {
      name: "an unknown argument",
      method: "chat.postMessage",
      args: { ...message, chanel: "x" },
      error: "invalid_arguments",
    },
    {
      name: "a thread that is not there",
      method: "chat.postMessage",
      args: { ...message, thread_ts: "1700000000.000100" },
      error: "thread_not_found",
    },
    {
      name: "an update of a message that is not there",
      method: "chat.update",
      args: { ...message, ts: "1700000000.000100" },
      error: "message_not_found",
    },
    {
      name: "a message where the bot is not",
      method: "chat.postMessage",
      args: message,
      error: "not_in_channel",
      before: ({ channels, channelId }) => Object.assign(channels.get(channelId) ?? {}, { isMember: false }),
    },
    {
      name: "a message in an archive",
      method: "chat.postMessage",
      args: message,
      error: "is_archived",
      before: ({ channels, channelId }) => Object.assign(channels.get(channelId) ?? {}, { isArchived: true }),
    },
    {
      name: "the history of a name",
      method: "conversations.history",
      args: { channel: "#ops" },
      error: "channel_not_found",
    },
    {
      name: "a history without its scope",
      method: "conversations.history",
      args: { channel: "C0CRREACT" },
      error: "missing_scope",
      before: ({ scopes }) => void scopes.delete("channels:history"),
    },
    {
      name: "the replies to nothing",
      method: "conversations.replies",
      args: { channel: "C0CRREACT", ts: "1700000000.000100" },
      error: "thread_not_found",
    },
  ];
  for (const { name, method, args, error, before } of rows) {
    test(name, async () => {
      await using slack = await startSlack();
      before?.(slack);
      assert.equal((await call(slack, method, args))["error"], error);
    });
  }

  test("a wrong token", async () => {
    await using slack = await startSlack();
    assert.equal((await call(slack, "chat.postMessage", message, "xoxb-no"))["error"], "invalid_auth");
  });

  test("an update of what a webhook posted", async () => {
    await using slack = await startSlack();
    await answerTo(slack, { text: "hi" });
    const args = { ...message, ts: slack.messages[0]?.ts };
    assert.equal((await call(slack, "chat.update", args))["error"], "cant_update_message");
  });
});

describe("the local Slack keeps a channel as Slack does", () => {
  test("the newest first, replies only in their thread unless they are broadcast, page by page", async () => {
    await using slack = await startSlack();
    const post = async (text: string, more = {}) =>
      (await call(slack, "chat.postMessage", { channel: "#ops", text, ...more }))["ts"] as string;
    const thread_ts = await post("one");
    await post("reply", { thread_ts });
    await post("broadcast", { thread_ts, reply_broadcast: true });
    await post("two");
    const texts = ({ messages }: Record<string, unknown>) => (messages as { text: string }[]).map(({ text }) => text);
    const page = await call(slack, "conversations.history", { channel: slack.channelId, limit: "2" });
    assert.deepEqual(texts(page), ["two", "broadcast"]);
    const { next_cursor: cursor = "" } = page["response_metadata"] as { next_cursor?: string };
    const rest = await call(slack, "conversations.history", { channel: slack.channelId, limit: "2", cursor });
    assert.deepEqual([texts(rest), rest["has_more"]], [["one"], false]);
    const replies = await call(slack, "conversations.replies", { channel: slack.channelId, ts: thread_ts });
    assert.deepEqual(texts(replies), ["one", "reply", "broadcast"]);
  });

  test("metadata's payload only for who asks for all of it", async () => {
    await using slack = await startSlack();
    const metadata = { event_type: "cr_reactor_message", event_payload: { key: "k" } };
    await call(slack, "chat.postMessage", { channel: "#ops", text: "hi", metadata });
    const read = async (args: object) =>
      (
        (await call(slack, "conversations.history", { channel: slack.channelId, ...args }))["messages"] as {
          metadata: unknown;
        }[]
      )[0]?.metadata;
    assert.deepEqual(await read({}), { event_type: "cr_reactor_message" });
    assert.deepEqual(await read({ include_all_metadata: "true" }), metadata);
  });
});
