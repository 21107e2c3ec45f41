import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { context, header, type MessageMaker, section, table } from "../../../../functions/actions/slack/block.ts";
import { postMessage } from "../../../../functions/actions/slack/conversation.ts";
import { postToWebhook } from "../../../../functions/actions/slack/webhook.ts";
import type { Fault } from "../../../kit/misbehaviour.ts";
import { type SlackServer, startSlack } from "../../../kit/slack-server.ts";

import { failureOf } from "../thrown.ts";

const rows = [["Field"], ["x"]];
const message: MessageMaker = (fields) => ({
  text: "hello",
  blocks: [header("Hello")],
  attachments: [{ blocks: [fields === "table" ? table(rows) : section("*world*"), context("small print")] }],
});

/** Where a message goes: the webhook, or the bot's channel. */
interface Target {
  readonly type: "webhook" | "bot";
  readonly secret: string;
  readonly channel?: string;
}

const webhookOf = (slack: SlackServer): Target => ({ type: "webhook", secret: slack.webhookUrl });
const botOf = (slack: SlackServer): Target => ({ type: "bot", secret: slack.token, channel: slack.channel });

function post(slack: SlackServer, { type, secret, channel = "" }: Target, options: { timeoutMs?: number } = {}) {
  return type === "webhook"
    ? postToWebhook(secret, message, options)
    : postMessage({ token: secret, apiUrl: slack.apiUrl }, { channel, key: "k", message }, options);
}

/** Posts to a Slack that misbehaves once, and checks that no secret comes out of it. */
async function failureAt(targetOf: (slack: SlackServer) => Target, fault?: Fault) {
  await using slack = await startSlack();
  if (fault) slack.next(fault);
  const timeoutMs = fault === "hang" ? 100 : 10_000;
  const failure = await failureOf(async () => post(slack, targetOf(slack), { timeoutMs }));
  const secrets = [slack.token, new URL(slack.webhookUrl).pathname, "hello", "world"];
  for (const secret of secrets) assert.ok(!failure.words.includes(secret), `"${secret}" is in: ${failure.words}`);
  assert.equal(slack.messages.length, 0);
  return failure;
}

/** Slack's Web API refuses with status 200. */
const refusal = (answer: object, headers = {}): Fault => ({ status: 200, headers, body: JSON.stringify(answer) });

describe("a message", () => {
  test("arrives once through an incoming webhook", async () => {
    await using slack = await startSlack();
    await post(slack, webhookOf(slack));
    const [received, ...more] = slack.messages;
    assert.deepEqual(more, []);
    const { via, text, blocks, attachments } = received ?? assert.fail();
    assert.deepEqual({ via, text, blocks, attachments }, { via: "webhook", ...message("table") });
  });

  test("arrives once as a bot, and where it stands is known", async () => {
    await using slack = await startSlack();
    const receipt = await post(slack, botOf(slack));
    assert.deepEqual(receipt, { channel: slack.channelId, ts: slack.messages[0]?.ts });
    assert.equal(slack.messages.length, 1);
  });

  test("counts as posted when a look-alike's answer has no ts", async () => {
    await using slack = await startSlack();
    slack.next(refusal({ ok: true }));
    assert.deepEqual(await post(slack, botOf(slack)), { channel: "#ops", ts: null });
  });

  for (const targetOf of [webhookOf, botOf]) {
    test(`comes without its table where Slack refuses tables, ${targetOf.name}`, async () => {
      await using slack = await startSlack();
      slack.refusesTables = true;
      await post(slack, targetOf(slack));
      assert.deepEqual(
        slack.messages.map(({ attachments }) => attachments),
        [message("lines").attachments],
      );
    });
  }
});

describe("an incoming webhook's refusal is final and says what to do", () => {
  const rows: [status: number, body: string, message: RegExp][] = [
    [400, "invalid_payload", /invalid_payload, HTTP 400.*report/],
    [400, "msg_blocks_too_long", /msg_blocks_too_long.*report/],
    [403, "invalid_token", /create a new incoming webhook/],
    [403, "action_prohibited", /administrator/],
    [404, "channel_not_found", /channel does not exist any more/],
    [404, "no_service", /revoked/],
    [410, "channel_is_archived", /unarchive/],
    [
      404,
      "<html>/services/T0CRREACT/B0CRREACT/wHk9sEcReT4pAtH not found</html>",
      /refused the request \(HTTP 404\): check the URL/,
    ],
  ];
  for (const [status, body, expected] of rows) {
    test(`${status} ${body.slice(0, 40)}`, async () => {
      const failure = await failureAt(webhookOf, { status, body });
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, expected);
    });
  }

  test("a URL that is not whole", async () => {
    const failure = await failureAt((slack) => ({ type: "webhook", secret: slack.webhookUrl.slice(0, -4) }));
    assert.match(failure.message, /no_service.*not whole/);
  });
});

describe("a bot's refusal is final and says what to do", () => {
  const rows: [answer: object, message: RegExp][] = [
    [{ ok: false, error: "invalid_auth" }, /token is wrong.*install the app again/],
    [{ ok: false, error: "not_authed" }, /no token arrived/],
    [{ ok: false, error: "token_revoked" }, /install the app again/],
    [{ ok: false, error: "account_inactive" }, /removed from the workspace/],
    [{ ok: false, error: "channel_not_found" }, /check the channel's name/],
    [{ ok: false, error: "not_in_channel" }, /\/invite @/],
    [{ ok: false, error: "is_archived" }, /unarchive/],
    [{ ok: false, error: "missing_scope", needed: "chat:write" }, /needs chat:write\): add the scope to the app/],
    [{ ok: false, error: "msg_too_long" }, /report/],
    [{ ok: false, error: "msg_blocks_too_long" }, /report/],
    [{ ok: false, error: "restricted_action" }, /administrator/],
    [{ ok: false, error: "ekm_access_denied" }, /Enterprise Key Management/],
    [{ ok: false, error: "team_access_not_granted" }, /organization to grant it/],
    [{ ok: false, error: "a_new_one" }, /a_new_one.*docs\.slack\.dev/],
    [{ ok: false, error: "Hello world, said xoxb-2147-very-secret-bot-token" }, /an error without a name/],
    [{ ok: false }, /an error without a name/],
  ];
  for (const [answer, expected] of rows) {
    test(JSON.stringify(answer), async () => {
      const failure = await failureAt(botOf, refusal(answer));
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, expected);
    });
  }

  test("blocks that Slack refuses even without a table are named, not quoted", async () => {
    await using slack = await startSlack();
    const problems = [
      "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]",
      "[ERROR] invalid text: hello [json-pointer:/blocks/0]",
      "hello",
    ];
    const answer = refusal({ ok: false, error: "invalid_blocks", response_metadata: { messages: problems } });
    slack.next(answer);
    slack.next(answer);
    const failure = await failureOf(async () => post(slack, botOf(slack)));
    assert.equal(failure.treated, "dead-letter");
    assert.match(
      failure.message,
      /invalid_blocks, must be less than 151 characters \/blocks\/0\/text\/text\): .*report/,
    );
    assert.doesNotMatch(failure.words, /hello/);
  });

  test("a wrong token and an unknown channel are told apart", async () => {
    const token = await failureAt((slack) => ({ ...botOf(slack), secret: "xoxb-other" }));
    assert.match(token.message, /invalid_auth/);
    const channel = await failureAt((slack) => ({ ...botOf(slack), channel: "#elsewhere" }));
    assert.match(channel.message, /channel_not_found/);
  });
});

describe("Slack's own trouble is tried again", () => {
  const rows: { name: string; target: "webhook" | "bot"; fault: Fault; afterMs?: number; message: RegExp }[] = [
    {
      name: "a webhook's 429, after the time it says",
      target: "webhook",
      fault: { status: 429, headers: { "retry-after": "7" } },
      afterMs: 7_000,
      message: /HTTP 429/,
    },
    { name: "a webhook's 500", target: "webhook", fault: { status: 500, body: "rollup_error" }, message: /HTTP 500/ },
    { name: "a webhook that says nothing", target: "webhook", fault: "hang", message: /did not answer within 100 ms/ },
    { name: "a webhook's broken connection", target: "webhook", fault: "reset", message: /broke off/ },
    {
      name: "a bot's 429, after the time it says",
      target: "bot",
      fault: { status: 429, headers: { "retry-after": "7" } },
      afterMs: 7_000,
      message: /HTTP 429/,
    },
    {
      name: "ratelimited with status 200, after the time it says",
      target: "bot",
      fault: refusal({ ok: false, error: "ratelimited" }, { "retry-after": "9" }),
      afterMs: 9_000,
      message: /ratelimited/,
    },
    {
      name: "internal_error",
      target: "bot",
      fault: refusal({ ok: false, error: "internal_error" }),
      message: /internal_error/,
    },
    { name: "fatal_error", target: "bot", fault: refusal({ ok: false, error: "fatal_error" }), message: /fatal_error/ },
    {
      name: "service_unavailable",
      target: "bot",
      fault: refusal({ ok: false, error: "service_unavailable" }),
      message: /service_unavailable/,
    },
    {
      name: "request_timeout",
      target: "bot",
      fault: refusal({ ok: false, error: "request_timeout" }),
      message: /request_timeout/,
    },
    {
      name: "an answer that is not JSON",
      target: "bot",
      fault: { status: 200, body: "<html>hello</html>" },
      message: /not one of Slack's/,
    },
    { name: "an answer without ok", target: "bot", fault: refusal({}), message: /not one of Slack's/ },
    {
      name: "an answer longer than any of Slack's",
      target: "bot",
      fault: { status: 200, body: `{"ok":true,"x":"${"x".repeat(300_000)}"}` },
      message: /not one of Slack's/,
    },
  ];
  for (const { name, target, fault, afterMs, message: expected } of rows) {
    test(name, async () => {
      const failure = await failureAt(target === "bot" ? botOf : webhookOf, fault);
      assert.equal(failure.treated, "retry");
      assert.equal(failure.afterMs, afterMs);
      assert.match(failure.message, expected);
    });
  }
});
