import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { escapeText } from "../../../../functions/actions/escape.ts";
import type { Surroundings } from "../../../../functions/actions/kube/surroundings.ts";
import { SLACK_LIMITS, type SlackMessage } from "../../../../functions/actions/slack/block.ts";
import { type SlackMessageOptions, slackMessage } from "../../../../functions/actions/slack/message.ts";
import { readContent } from "../../../kit/slack-schema.ts";
import { manyFields, type Sample, sampleEvent } from "../sample-event.ts";

const MENTIONS = Array.from({ length: 30 }, () => `<!subteam^S${"0".repeat(20)}>`);
const LINKS = Array.from({ length: 10 }, () => ({
  text: "&".repeat(200),
  url: `https://x.example/${"z".repeat(300)}`,
}));

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
        text: escapeText(hostile, "mrkdwn"),
        mentions: MENTIONS,
        links: Array.from({ length: 10 }, () => ({ text: hostile, url: `https://x.example/${"z".repeat(900)}` })),
        fieldsMax: 50,
      },
    },
    {
      name: "an emoji at every place where text is cut",
      sample: manyFields(30, "😀".repeat(200)),
      options: { title: `x${"😀".repeat(100)}` },
    },
    {
      name: "a message of a million characters",
      sample: {
        before: { status: { phase: "a" } },
        after: { status: { phase: "b", message: "é&*\r\n".repeat(200_000) } },
      },
    },
    { name: "half a surrogate pair", sample: { before: { spec: { a: 1 } }, after: { spec: { a: "\uD83D" } } } },
    {
      name: "a link too long to be sent",
      sample: manyFields(1, "v"),
      options: { links: [{ text: "x", url: `https://x.example/${"z".repeat(5_000)}` }] },
    },
  ];
  for (const { name, sample, options } of rows) {
    test(name, () => {
      for (const fields of ["table", "lines"] as const) {
        const event = sampleEvent(sample);
        assertTaken(slackMessage(event, { fieldsMax: 10, ...options, fields }));
        assertTaken(slackMessage(event, { fieldsMax: 10, ...options, fields, incident: INCIDENT }));
        assertTaken(slackMessage(event, { fieldsMax: 10, ...options, fields, surroundings: SURROUNDINGS }));
      }
    });
  }

  test("any object at all", () => {
    const hostileText = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.string({
        unit: fc.constantFrom("<!channel>", '"', "\\", "*", "`", "&", "\n", "\u202E", "👩‍👩‍👧", "é̀̂", "\u0000", "|"),
        maxLength: 400,
      }),
      fc.string({ unit: fc.constant("\u0301"), minLength: 200, maxLength: 5_000 }),
    );
    const state = fc.record({
      phase: hostileText,
      message: hostileText,
      conditionType: hostileText,
      spec: fc.dictionary(hostileText, hostileText, { maxKeys: 60 }),
    });
    const stateOf = (
      { phase, message, conditionType, spec }: { phase: string; message: string; conditionType: string; spec: object },
      status: string,
    ) => ({
      spec,
      status: {
        phase,
        message,
        conditions: Array.from({ length: 7 }, (_, i) => ({
          type: `${i}${conditionType}`,
          status,
          reason: message,
          message,
        })),
      },
    });
    fc.assert(
      fc.property(state, state, hostileText, fc.boolean(), (one, other, title, lines) => {
        const event = sampleEvent({
          before: stateOf(one, "True"),
          after: { ...stateOf(other, "False"), metadata: { labels: { x: title } } },
        });
        const options = {
          title,
          text: escapeText(title, "mrkdwn"),
          fieldsMax: 50,
          mentions: MENTIONS,
          links: LINKS,
          fields: lines ? "lines" : "table",
          incident: INCIDENT,
          surroundings: SURROUNDINGS,
        } as const;
        assertTaken(slackMessage(event, options));
      }),
      { numRuns: 200 },
    );
  });
});

const INCIDENT = {
  type: "resolved",
  place: "first",
  openedAt: "2026-03-01T00:00:00Z",
  updateCount: 3,
  opened: "&".repeat(60),
} as const;

/** As much as there can be, of what grows when it is escaped. */
const SURROUNDINGS: Surroundings = {
  warnings: Array.from({ length: 10 }, () => ({
    reason: "&".repeat(80),
    message: `<!channel>"${"\\&".repeat(140)}`,
    count: 1e9,
    at: "2026-03-01T00:00:00Z",
  })),
  owned: Array.from({ length: 10 }, () => ({
    kind: "K".repeat(60),
    name: "n".repeat(250),
    state: "\u202E<".repeat(40),
  })),
  ownedMore: 490,
  incomplete: ["A", "B", "C", "D", "E"],
};

/** As the look-alike takes it, and with nothing in it that calls somebody or hides text. */
function assertTaken(message: SlackMessage): void {
  assert.deepEqual(readContent(message), message);
  assert.ok(message.text.length <= SLACK_LIMITS.fallbackCharsMax, `${message.text.length} characters of fallback text`);
  const json = JSON.stringify(message);
  assert.ok(json.isWellFormed());
  assert.doesNotMatch(json, /\\ud[89a-f]/i, "no half of a pair is left");
  for (const text of mrkdwnOf(message)) {
    assert.doesNotMatch(text, /<(?!!date\^|!subteam\^S0|https:)|&(?!(amp|lt|gt);)|\u202E|(?![\n\t])\p{Cc}/u);
  }
}

function mrkdwnOf({ text, blocks, attachments }: SlackMessage): string[] {
  const all = [...blocks, ...attachments.flatMap((attachment) => attachment.blocks)];
  return [
    text,
    ...all.flatMap((block) => {
      if (block.type === "context") return block.elements.map((element) => element.text);
      return block.type === "table" ? [] : [block.text.text];
    }),
  ];
}
