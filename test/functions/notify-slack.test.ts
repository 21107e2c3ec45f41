import assert from "node:assert/strict";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SecretError } from "#contract";
import { createProcessMemory } from "../../functions/kit/step/process-memory.ts";
import notifySlack from "../../functions/notify-slack.ts";
import { startSlack } from "../kit/slack-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";

const failed = sampleEvent({ before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } } });

/** Runs the function with settings as they stand in YAML. */
const run = (config: object, memory = createProcessMemory()) =>
  notifySlack.run(sampleContext(failed, notifySlack.config.parse(config), memory));

/** A secret in a file, as Kubernetes mounts it. */
async function withSecretFile(
  secret: string,
  use: (source: { file: string }, path: string) => Promise<void>,
): Promise<void> {
  const path = join(tmpdir(), `cr-reactor-secret-${process.pid}-${Math.random().toString(36).slice(2)}`);
  await writeFile(path, secret);
  await use({ file: path }, path).finally(() => rm(path));
}

describe("notify-slack", () => {
  test("posts through an incoming webhook", async () => {
    await using slack = await startSlack();
    await withSecretFile(`${slack.webhookUrl}\n`, async (webhookUrl) => {
      const link = { text: "Dashboard", url: "https://grafana.example/d/{namespace}/{name}" };
      assert.equal(await run({ webhookUrl, title: "Database alert", link }), "posted through the webhook");
    });
    const [message] = slack.messages;
    assert.equal(message?.text, "Database alert: Database prod/orders: Running → Failed after 2 h 15 m");
    assert.match(JSON.stringify(message.blocks), /<https:\/\/grafana\.example\/d\/prod\/orders\|Dashboard>/);
  });

  test("posts as a bot, and notes where", async () => {
    await using slack = await startSlack();
    await withSecretFile(slack.token, async (botToken) => {
      const note = await run({ botToken, channel: slack.channel, slackApiUrl: slack.apiUrl });
      assert.match(note ?? "", /^posted to C0CRREACT, ts \d+\.\d+$/);
    });
    assert.equal(slack.messages[0]?.via, "bot");
  });

  test("does not post again when it is tried again", async () => {
    await using slack = await startSlack();
    const memory = createProcessMemory();
    await withSecretFile(slack.token, async (botToken) => {
      const config = { botToken, channel: slack.channel, slackApiUrl: slack.apiUrl };
      assert.equal(await run(config, memory), await run(config, memory));
    });
    assert.equal(slack.messages.length, 1);
  });

  test("takes a rotated secret without a restart", async () => {
    await using slack = await startSlack();
    await withSecretFile("xoxb-old", async (botToken, path) => {
      const config = { botToken, channel: slack.channel, slackApiUrl: slack.apiUrl };
      assert.match((await failureOf(async () => run(config))).message, /invalid_auth/);
      await writeFile(path, slack.token);
      await run(config);
    });
    assert.equal(slack.messages.length, 1);
  });

  test("tries again while its secret is missing, and says where it looked", async () => {
    await assert.rejects(async () => run({ webhookUrl: { env: "CR_REACTOR_NO_SUCH_SECRET" } }), SecretError);
  });
});

describe("notify-slack's settings", () => {
  const secret = { env: "SLACK" };
  const refused: { name: string; config: object; problem: RegExp }[] = [
    { name: "nowhere to post to", config: {}, problem: /set webhookUrl, or botToken and channel/ },
    {
      name: "two ways to post",
      config: { webhookUrl: secret, botToken: secret, channel: "#ops" },
      problem: /keep one/,
    },
    { name: "a bot without a channel", config: { botToken: secret }, problem: /needs a channel/ },
    {
      name: "a channel beside a webhook",
      config: { webhookUrl: secret, channel: "#ops" },
      problem: /the channel it was made for/,
    },
    {
      name: "a secret written down",
      config: { webhookUrl: "https://hooks.slack.com/services/T/B/x" },
      problem: /env: NAME/,
    },
    { name: "an unknown key", config: { webhookUrl: secret, chanel: "#ops" }, problem: /chanel/ },
    {
      name: "a link with an unknown placeholder",
      config: { webhookUrl: secret, link: { text: "x", url: "https://x.example/{pod}" } },
      problem: /\{pod\} is unknown/,
    },
  ];
  for (const { name, config, problem } of refused) {
    test(`refuse ${name} at start`, () => {
      assert.match(notifySlack.config.safeParse(config).error?.message ?? "", problem);
    });
  }
});
