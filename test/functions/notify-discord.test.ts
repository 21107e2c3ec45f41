import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import notifyDiscord from "../../functions/notify-discord.ts";
import { type DiscordServer, startDiscord } from "../kit/discord-server.ts";
import type { Fault } from "../kit/misbehaviour.ts";
import { manyFields, sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const URL_VARIABLE = "CR_REACTOR_TEST_DISCORD";
const settings = ({ url }: Pick<DiscordServer, "url">, more: object = {}) => {
  process.env[URL_VARIABLE] = url;
  return { webhookUrl: { env: URL_VARIABLE }, ...more };
};
const changed = sampleEvent({ before: { spec: { a: 1 } }, after: { spec: { a: 2 } } });
const GREEN = 0x12b76a;

afterEach(() => {
  delete process.env[URL_VARIABLE];
});

describe("an incident in Discord", () => {
  test("is one message, which turns green", async (t) => {
    await using discord = await startDiscord();
    ownClock(t);
    const run = incidentRun(t, notifyDiscord, settings(discord, { threadId: "42" }));
    await run.event("opened");
    await run.event("updated");
    assert.match(await run.event("resolved"), /^changed 9/);
    assert.deepEqual(
      discord.messages.map(({ embed, threadId }) => [embed.color, threadId]),
      [[GREEN, "42"]],
    );
  });

  test("is told anew where its message was deleted or is forgotten", async (t) => {
    await using discord = await startDiscord();
    ownClock(t);
    const run = incidentRun(t, notifyDiscord, settings(discord));
    await run.event("opened");
    discord.messages.length = 0;
    await run.event("resolved");
    assert.equal(discord.messages[0]?.embed.color, GREEN);
  });

  test("changes its message once more where an answer is lost", async (t) => {
    await using discord = await startDiscord();
    ownClock(t);
    const run = incidentRun(t, notifyDiscord, settings(discord));
    await run.event("opened");
    discord.next("lose-answer");
    await run.event("resolved");
    assert.equal(discord.messages.length, 1);
  });
});

describe("a message in Discord", () => {
  test("keeps the limits, and mentions and formats nothing", async () => {
    await using discord = await startDiscord();
    const config = notifyDiscord.config.parse(settings(discord, { fieldsMax: 20, title: "*".repeat(900) }));
    await notifyDiscord.run(sampleContext(sampleEvent(manyFields(400, "@everyone <@1> **x** ".repeat(20))), config));
    const { embed } = discord.messages[0] ?? {};
    assert.doesNotMatch(JSON.stringify(embed), /@everyone|(?<!\\\\)<@|(?<!\\\\)\*x/);
    assert.match(embed?.description ?? "", /more changed fields/);
  });

  const rows: {
    name: string;
    fault?: Fault;
    path?: string;
    treated: "retry" | "dead-letter";
    afterMs?: number;
    message: RegExp;
  }[] = [
    {
      name: "for a deleted webhook says to create one",
      path: "/api/webhooks/1/other",
      treated: "dead-letter",
      message: /10015 Unknown Webhook.*create one/,
    },
    {
      name: "at the rate limit waits as long as it says",
      fault: { status: 429, body: '{"message":"You are being rate limited.","retry_after":2.5,"global":false}' },
      treated: "retry",
      afterMs: 2_500,
      message: /rate limit/,
    },
    {
      name: "for a forum asks for a thread",
      fault: { status: 400, body: '{"code":220001,"message":"x"}' },
      treated: "dead-letter",
      message: /set threadId/,
    },
    { name: "without an answer is tried again", fault: "empty-answer", treated: "retry", message: /cannot be read/ },
  ];
  for (const { name, fault, path, treated, afterMs, message } of rows) {
    test(name, async () => {
      await using discord = await startDiscord();
      if (fault) discord.next(fault);
      const config = notifyDiscord.config.parse(settings({ url: path ? `${discord.origin}${path}` : discord.url }));
      const failure = await failureOf(async () => notifyDiscord.run(sampleContext(changed, config)));
      assert.deepEqual([failure.treated, failure.afterMs], [treated, afterMs]);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /vErYsEcReT/);
    });
  }
});
