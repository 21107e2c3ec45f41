/**
 * No secret leaves through a log, an error or a note: each action that has one is run against a receiver that refuses, breaks off or talks
 * nonsense, and that repeats everything that it was sent in its answer.
 */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before, describe, type TestContext, test } from "node:test";
import { inspect } from "node:util";
import type { FunctionDefinition } from "../../functions/kit/define.ts";
import type { Logger } from "../../functions/kit/kit.ts";
import { BUILT_IN_FUNCTIONS } from "../../functions/main.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleEvent } from "./actions/sample-event.ts";
import { rememberingContext, remembersNothing } from "./remembered.ts";

const SECRET = "pl4nted-S3CRET-value-0123456789";
const VARIABLE = "CR_REACTOR_TEST_PLANTED";
const URL_VARIABLE = "CR_REACTOR_TEST_PLANTED_URL";
const secret = { env: VARIABLE };
const secretUrl = { env: URL_VARIABLE };
/** As it is, and as HTTP's and SMTP's basic authentication have it. */
const FORMS = [SECRET, ...["bot:", "\0bot\0", ""].map((user) => Buffer.from(`${user}${SECRET}`).toString("base64"))];

const ACTIONS: Readonly<Record<string, (origin: string) => { readonly function: string; readonly config: object }>> = {
  "Slack's webhook": () => ({ function: "notify-slack", config: { webhookUrl: secretUrl } }),
  "Slack's bot": (slackApiUrl) => ({
    function: "notify-slack",
    config: { botToken: secret, channel: "C0123456789", slackApiUrl },
  }),
  GitHub: (apiUrl) => ({
    function: "open-ticket",
    config: { target: { type: "github", repository: "a/b", token: secret, apiUrl } },
  }),
  "Jira Cloud": (url) => ({
    function: "open-ticket",
    config: { target: { type: "jira", url, email: "bot", apiToken: secret, project: "OPS" } },
  }),
  "Jira Server": (url) => ({
    function: "open-ticket",
    config: { target: { type: "jira", url, token: secret, project: "OPS" } },
  }),
  GitLab: (url) => ({
    function: "open-ticket",
    config: { target: { type: "gitlab", url, token: secret, project: "a/b" } },
  }),
  "Alertmanager with a token": (url) => ({ function: "notify-alertmanager", config: { url, token: secret } }),
  "Alertmanager with a password": (url) => ({
    function: "notify-alertmanager",
    config: { url, username: "bot", password: secret },
  }),
  PagerDuty: (url) => ({ function: "notify-pagerduty", config: { url, routingKey: secret } }),
  Teams: () => ({ function: "notify-teams", config: { webhookUrl: secretUrl } }),
  Discord: () => ({ function: "notify-discord", config: { webhookUrl: secretUrl } }),
  relay: (url) => ({
    function: "relay",
    config: { url, token: secret, headers: { "x-key": secret } },
  }),
  "audit-log": (url) => ({ function: "audit-log", config: { target: { type: "http", url, token: secret } } }),
};

const STATUSES = [200, 301, 400, 401, 403, 404, 409, 410, 422, 429, 500];
const event = sampleEvent({ before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } } });

before(() => {
  process.env[VARIABLE] = SECRET;
});
after(() => {
  delete process.env[VARIABLE];
  delete process.env[URL_VARIABLE];
});

/** Everything that a run says: its log, its note, and its error with all that hangs on it. */
async function wordsOf(name: string, config: object): Promise<string> {
  const words: unknown[] = [];
  const loaded = await BUILT_IN_FUNCTIONS[name]?.();
  const definition = loaded?.default as FunctionDefinition;
  const parsed = definition.config.parse(config);
  const { signal } = new AbortController();
  const context = rememberingContext(event, parsed, remembersNothing(), { type: "opened" }, signal);
  const say = (...said: unknown[]) => void words.push(said);
  const log = { trace: say, debug: say, info: say, warn: say, error: say, fatal: say } as unknown as Logger;
  try {
    words.push(await definition.run({ ...context, log, attempt: 2 }));
  } catch (error) {
    words.push(error, error instanceof Error && error.stack, error instanceof Error && error.cause);
  }
  return inspect(words, { depth: 12, maxStringLength: null, showHidden: true });
}

function assertNothingIn(words: string, where: string): void {
  for (const form of FORMS) assert.ok(!words.includes(form), `${where} tells the secret: ${words}`);
}

describe("no log, note or error tells the secret of", () => {
  for (const [name, action] of Object.entries(ACTIONS))
    test(name, async () => {
      for (const status of STATUSES) {
        await using receiver = await startReceiver(({ headers, body }) => {
          const echo = `${JSON.stringify(headers)} ${body}`;
          const json = { ok: false, error: echo, message: echo, errors: { x: echo }, errorMessages: [echo], code: 1 };
          return {
            status,
            headers: { "content-type": "application/json", location: encodeURI(echo).slice(0, 500) },
            body: JSON.stringify(json),
          };
        });
        process.env[URL_VARIABLE] = `${receiver.origin}/hooks/${SECRET}`;
        const { function: called, config } = action(receiver.origin);
        assertNothingIn(await wordsOf(called, config), `${name}, HTTP ${status}`);
      }
      process.env[URL_VARIABLE] = `http://127.0.0.1:1/hooks/${SECRET}`;
      const { function: called, config } = action("http://127.0.0.1:1");
      assertNothingIn(await wordsOf(called, config), `${name}, nobody there`);
    });

  test("a mail server", async (t) => {
    const smtp = { host: "127.0.0.1", port: await startEchoingSmtp(t), tls: "none", username: "bot", password: secret };
    const config = { smtp, from: "a@example.com", to: ["b@example.com"] };
    assertNothingIn(await wordsOf("notify-email", config), "notify-email");
  });
});

/** Refuses to log in, with the words of the client. */
async function startEchoingSmtp(t: TestContext): Promise<number> {
  const server = createServer((socket) => {
    socket.write("220 hello\r\n");
    socket.on("error", () => {});
    socket.on("data", (data) => {
      const line = data.toString().trim();
      if (line.startsWith("EHLO")) socket.write("250-hello\r\n250 AUTH PLAIN LOGIN\r\n");
      else socket.write(`535 5.7.8 refused: ${line}\r\n`);
    });
  }).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : 0;
}
