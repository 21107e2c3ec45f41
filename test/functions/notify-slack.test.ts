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

/** Runs the function as the bot of a local Slack, and answers the channels that the messages went to. */
async function channelsOf(config: object, event = failed): Promise<string[]> {
  await using slack = await startSlack();
  for (const name of ["prod", "team-red"])
    slack.channels.set(`C00000${name.toUpperCase()}`, { name, isMember: true, isArchived: false });
  await withSecretFile(slack.token, async (botToken) => {
    await notifySlack.run(
      sampleContext(event, notifySlack.config.parse({ botToken, slackApiUrl: slack.apiUrl, ...config })),
    );
  });
  return slack.messages.map(({ channel }) => slack.channels.get(channel)?.name ?? "");
}

describe("notify-slack", () => {
  test("posts through an incoming webhook", async () => {
    await using slack = await startSlack();
    await withSecretFile(`${slack.webhookUrl}\n`, async (webhookUrl) => {
      const links = [{ text: "Dashboard", url: "https://grafana.example/d/{{ event.namespace }}/{{ event.name }}" }];
      const templates = { title: "{{ event.kind }} alert", text: "Ask *{{ object.metadata.uid }}*" };
      assert.equal(await run({ webhookUrl, links, ...templates }), "posted through the webhook");
    });
    const [message] = slack.messages;
    assert.equal(message?.text, "Database alert: Database prod/orders: Running → Failed after 2 h 15 m");
    const attachments = JSON.stringify(message.attachments);
    assert.match(attachments, /<https:\/\/grafana\.example\/d\/prod\/orders\|Dashboard>/);
    assert.match(attachments, /Ask \*5f1d7a52-0c3e-4d1b-9a70-3f2f2c1b0a99\*/);
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

describe("notify-slack chooses", () => {
  const labelled = sampleEvent({
    before: { metadata: { labels: { team: "red" } }, status: { phase: "Running" } },
    after: { metadata: { labels: { team: "red" } }, status: { phase: "Failed" } },
  });
  const byLabel = "team-{{ object.metadata.labels.team }}";
  const rows: { name: string; channel: unknown; event?: typeof failed; expected: string }[] = [
    { name: "the channel by the object's namespace", channel: "#{{ event.namespace }}", expected: "prod" },
    { name: "the channel by a label", channel: byLabel, event: labelled, expected: "team-red" },
    {
      name: "the next one where an annotation is missing",
      channel: [{ channel: "{{ object.metadata.annotations['example.com/slack'] }}" }, { channel: "#ops" }],
      expected: "ops",
    },
    {
      name: "the first whose filter holds",
      channel: [
        { when: { namespaces: ["dev-*"] }, channel: "#dev" },
        { when: { phase: { to: "Failed" } }, channel: "#prod" },
        { channel: "#ops" },
      ],
      expected: "prod",
    },
  ];
  for (const { name, channel, event, expected } of rows) {
    test(name, async () => assert.deepEqual(await channelsOf({ channel }, event), [expected]));
  }

  test("no person, whatever an object says, and says that no channel is left", async () => {
    const event = sampleEvent({ op: "created", after: { metadata: { labels: { team: "U0123456789" } } } });
    const failure = await failureOf(async () => channelsOf({ channel: "{{ object.metadata.labels.team }}" }, event));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /no rule of config.channel gives a channel/);
  });

  test("whom to call by what happened, each once", async () => {
    await using slack = await startSlack();
    const mentions = [
      { when: { phase: { to: "Failed" } }, who: ["here", "S0123456789"] },
      { when: { phase: { to: "Running" } }, who: ["channel"] },
      { who: ["U0123456789", "here"] },
    ];
    await withSecretFile(slack.webhookUrl, async (webhookUrl) => void (await run({ webhookUrl, mentions })));
    assert.deepEqual(slack.messages[0]?.blocks[1], {
      type: "section",
      text: { type: "mrkdwn", text: "<!here> <!subteam^S0123456789> <@U0123456789>", verbatim: true },
    });
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
    {
      name: "somebody called by name",
      config: { webhookUrl: secret, mentions: [{ who: ["@oncall"] }] },
      problem: /a user group's \(S0123456789\)/,
    },
    { name: "an unknown key", config: { webhookUrl: secret, chanel: "#ops" }, problem: /chanel/ },
    {
      name: "a link with an unknown placeholder",
      config: { webhookUrl: secret, links: [{ text: "x", url: "https://x.example/{{ pod }}" }] },
      problem: /pod is unknown/,
    },
  ];
  for (const { name, config, problem } of refused) {
    test(`refuse ${name} at start`, () => {
      assert.match(notifySlack.config.safeParse(config).error?.message ?? "", problem);
    });
  }
});
