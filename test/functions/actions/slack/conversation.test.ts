import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { header, type MessageMaker } from "../../../../functions/actions/slack/block.ts";
import { findMessage, postMessage, updateMessage } from "../../../../functions/actions/slack/conversation.ts";
import { type SlackServer, startSlack } from "../../../kit/slack-server.ts";
import { failureOf } from "../thrown.ts";

const say =
  (text: string): MessageMaker =>
  () => ({ text, blocks: [header(text)], attachments: [] });
const botOf = ({ token, apiUrl }: SlackServer) => ({ token, apiUrl });
const post = async (slack: SlackServer, key: string, threadTs?: string) =>
  await postMessage(botOf(slack), {
    channel: slack.channelId,
    key,
    message: say(key),
    ...(threadTs !== undefined && { threadTs }),
  });
const others = async (slack: SlackServer, count: number) =>
  await Promise.all(Array.from({ length: count }, () => post(slack, "other")));
const HOUR_AGO = { sinceMs: Date.now() - 3_600_000 };

describe("a bot's message", () => {
  test("is found again by its key, in the channel and in its thread", async () => {
    await using slack = await startSlack();
    const first = await post(slack, "one");
    const ts = first?.ts ?? assert.fail();
    const reply = await post(slack, "two", ts);
    const where = { channel: slack.channelId, ...HOUR_AGO };
    assert.deepEqual(await findMessage(botOf(slack), { ...where, key: "one" }), { type: "found", ts });
    assert.deepEqual(await findMessage(botOf(slack), { ...where, key: "two" }), { type: "absent" });
    const inThread = { ...where, threadTs: ts };
    assert.deepEqual(await findMessage(botOf(slack), { ...inThread, key: "two" }), { type: "found", ts: reply?.ts });
    assert.deepEqual(await findMessage(botOf(slack), { ...inThread, key: "three" }), { type: "absent" });
  });

  test("is found behind many others, and not looked for behind a thousand", async () => {
    await using slack = await startSlack();
    const where = { channel: slack.channelId, ...HOUR_AGO };
    const { ts } = (await post(slack, "one")) ?? assert.fail();
    await others(slack, 250);
    assert.deepEqual(await findMessage(botOf(slack), { ...where, key: "one" }), { type: "found", ts });
    await others(slack, 750);
    const finding = await findMessage(botOf(slack), { ...where, key: "one" });
    assert.match(finding.type === "unknown" ? finding.problem : "", /not among the last 1000 messages/);
  });

  const unknown: { name: string; change: (slack: SlackServer) => void; channel?: string; problem: RegExp }[] = [
    {
      name: "without the scope",
      change: ({ scopes }) => scopes.delete("channels:history"),
      problem: /missing_scope, needs channels:history\): add the scope/,
    },
    { name: "by a channel's name", change: () => undefined, channel: "#ops", problem: /by its id .* instead of #ops/ },
    {
      name: "where the bot is not",
      change: ({ channels, channelId }) => Object.assign(channels.get(channelId) ?? {}, { isMember: false }),
      problem: /not_in_channel.*\/invite/,
    },
  ];
  for (const { name, change, channel, problem } of unknown) {
    test(`cannot be looked for ${name}, and it is said what would allow it`, async () => {
      await using slack = await startSlack();
      change(slack);
      const where = { channel: channel ?? slack.channelId, key: "one", ...HOUR_AGO };
      const finding = await findMessage(botOf(slack), where);
      assert.match(finding.type === "unknown" ? finding.problem : finding.type, problem);
    });
  }

  test("is not looked for while Slack cannot answer: that is tried again", async () => {
    await using slack = await startSlack();
    slack.next({ status: 429, headers: { "retry-after": "60" } });
    const where = { channel: slack.channelId, key: "one", ...HOUR_AGO };
    const failure = await failureOf(async () => findMessage(botOf(slack), where));
    assert.deepEqual([failure.treated, failure.afterMs], ["retry", 60_000]);
  });

  test("takes another content, any number of times", async () => {
    await using slack = await startSlack();
    const { channel, ts } = (await post(slack, "one")) ?? assert.fail();
    const where = { channel, ts: ts ?? assert.fail(), key: "one", message: say("done") };
    for (let i = 0; i < 2; i++) assert.equal(await updateMessage(botOf(slack), where), "updated");
    assert.deepEqual(
      slack.messages.map(({ text, updates, key }) => ({ text, updates, key })),
      [{ text: "done", updates: 2, key: "one" }],
    );
  });

  test("that somebody deleted is told apart, for a reply and for an update", async () => {
    await using slack = await startSlack();
    const { channel, ts } = (await post(slack, "one")) ?? assert.fail();
    const gone = ts ?? assert.fail();
    slack.remove(gone);
    assert.equal(await post(slack, "two", gone), undefined);
    const where = { channel, ts: gone, key: "one", message: say("done") };
    assert.deepEqual(await updateMessage(botOf(slack), where), { gone: "message_not_found" });
    const inThread = { channel, threadTs: gone, key: "two", ...HOUR_AGO };
    assert.deepEqual(await findMessage(botOf(slack), inThread), { type: "absent" });
  });
});
