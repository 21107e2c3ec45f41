import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { postSlackMessage } from "../../../functions/actions/slack.ts";
import { SLACK_LIMITS } from "../../../functions/actions/slack-block.ts";
import { type SlackMessageOptions, slackMessage } from "../../../functions/actions/slack-message.ts";
import { startSlack } from "../../kit/slack-server.ts";
import { manyFields, type Sample, sampleEvent } from "./sample-event.ts";

describe("Slack takes the message about", () => {
  const hostile = "&".repeat(10_000);
  const condition = (i: number, status: string) => ({
    type: `${i}${hostile}`,
    status,
    reason: hostile,
    message: `${hostile}\n`.repeat(50),
  });
  const conditions = (status: string) => Array.from({ length: 60 }, (_, i) => condition(i, status));
  const rows: { name: string; sample: Sample; options?: Partial<SlackMessageOptions> }[] = [
    {
      name: "200 fields of 10 KB, all wanted",
      sample: manyFields(200, "y".repeat(10_000)),
      options: { fieldsMax: 50 },
    },
    { name: "fields that grow fivefold when escaped", sample: manyFields(200, hostile), options: { fieldsMax: 50 } },
    {
      name: "60 conditions with endless reasons, an endless name, title and link",
      sample: {
        before: {
          metadata: { name: hostile },
          spec: { [hostile]: 1 },
          status: { phase: hostile, conditions: conditions("True") },
        },
        after: {
          metadata: { name: hostile },
          spec: { [hostile]: 2 },
          status: { phase: `b${hostile}`, message: "\n&\n".repeat(900), conditions: conditions("False") },
        },
        gap: true,
      },
      options: {
        title: hostile,
        link: { text: hostile, url: `https://x.example/${"z".repeat(1_200)}` },
        fieldsMax: 50,
      },
    },
    {
      name: "an emoji at every place where text is cut",
      sample: manyFields(30, "😀".repeat(200)),
      options: { title: `x${"😀".repeat(100)}` },
    },
    { name: "half a surrogate pair", sample: { before: { spec: { a: 1 } }, after: { spec: { a: "\uD83D" } } } },
    {
      name: "a link too long to be sent",
      sample: manyFields(1, "v"),
      options: { link: { text: "x", url: `https://x.example/${"z".repeat(5_000)}` } },
    },
  ];
  for (const { name, sample, options } of rows) {
    test(name, async () => {
      await using slack = await startSlack();
      const message = slackMessage(sampleEvent(sample), { fieldsMax: 10, ...options });
      await postSlackMessage({ type: "webhook", url: slack.webhookUrl }, message);
      assert.deepEqual(slack.messages[0]?.blocks, message.blocks);
      assert.ok(message.text.length <= SLACK_LIMITS.fallbackCharsMax);
      assert.ok(JSON.stringify(message).isWellFormed());
      assert.doesNotMatch(JSON.stringify(message), /\\ud[89a-f]/i, "no half of a pair is left");
    });
  }
});
