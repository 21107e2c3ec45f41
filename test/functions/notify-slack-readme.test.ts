/** What functions/actions/README.md says about notify-slack is true: its settings work, and its message is the one that is posted. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { z } from "zod";
import { parseYamlConfig } from "#contract";
import { SurroundingsSettings } from "../../functions/actions/kube/surroundings.ts";
import { slackMessage } from "../../functions/actions/slack/message.ts";
import notifySlack from "../../functions/notify-slack.ts";
import { Attachments, Blocks } from "../kit/slack-schema.ts";
import { startSlack } from "../kit/slack-server.ts";
import { sampleEvent } from "./actions/sample-event.ts";
import { rememberingContext, remembersNothing } from "./remembered.ts";

const README = readFileSync(join(import.meta.dirname, "../../functions/actions/README.md"), "utf8");
const [, section = ""] = /^## notify-slack\n(.*?)^## /ms.exec(README) ?? [];
const block = (language: string) => new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "ms").exec(section)?.[1] ?? "";

const event = sampleEvent({
  before: { metadata: { labels: { tier: "gold" } }, spec: { replicas: 3 }, status: { phase: "Running" } },
  after: {
    metadata: { labels: { tier: "gold" } },
    spec: { replicas: 5 },
    status: { phase: "Failed", message: "disk full" },
  },
});

test("the settings in the actions' README post what it shows, which the Block Kit Builder is given", async () => {
  await using slack = await startSlack();
  slack.channels.set("C0123456789", { name: "prod", isMember: true, isArchived: false });
  process.env["SLACK_BOT_TOKEN"] = slack.token;
  const Entry = z.looseObject({ config: z.looseObject({}) });
  const { subscriptions } = parseYamlConfig(z.object({ subscriptions: z.tuple([Entry]) }), block("yaml"), "README.md");
  const config = notifySlack.config.parse({ ...subscriptions[0].config, slackApiUrl: slack.apiUrl });
  const stage = { type: "opened", openedAt: event.time } as const;
  await notifySlack.run(rememberingContext(event, config, remembersNothing(), stage));

  const message = slack.messages[0] ?? assert.fail("nothing was posted");
  const { blocks, attachments } = message;
  const shown = z.strictObject({ blocks: Blocks, attachments: Attachments }).parse(JSON.parse(block("json")));
  assert.deepEqual(shown, { blocks, attachments });
  assert.equal(message.channel, "C0123456789");
  const [, link = ""] = /\(https:\/\/app\.slack\.com\/block-kit-builder#([^)\s]+)\)/.exec(section) ?? [];
  assert.deepEqual(JSON.parse(decodeURIComponent(link)), shown);
});

test("the settings for what is around the object are accepted", () => {
  const text = /`(kubernetes: \{ warnings.*?\})` \(here/.exec(section)?.[1] ?? "";
  const { kubernetes } = parseYamlConfig(z.object({ kubernetes: SurroundingsSettings }), text, "README.md");
  assert.deepEqual(kubernetes, { warnings: 3, owned: [{ apiVersion: "v1", kind: "Pod" }] });
});

test("the limits in the actions' README are those that are kept", () => {
  const many = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`field${i}`, "x".repeat(100)]));
  const message = slackMessage(sampleEvent({ before: {}, after: { spec: many } }), { fieldsMax: 50 });
  assert.ok(JSON.stringify([message.blocks, message.attachments]).length < 11_000);
  assert.match(section, /about 11,000 characters in all/);
});
