import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type SlackServer, startSlack } from "../../../kit/slack-server.ts";

const header = (text: string, type = "plain_text") => ({ type: "header", text: { type, text } });
const section = (text: string) => ({ type: "section", text: { type: "mrkdwn", text } });

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
    const both = slack.waitForMessages(2, { timeoutMs: 10_000 });
    await answerTo(slack, { text: "one" });
    await answerTo(slack, { text: "two" });
    await both;
    await assert.rejects(slack.waitForMessages(3, { timeoutMs: 1 }), /3 Slack messages; 2 requests came/);
  });
});
