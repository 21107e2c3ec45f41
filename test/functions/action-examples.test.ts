/** The examples of functions/actions/README.md for tickets, alerts and messages: each is a subscription that is accepted, and that works. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, test } from "node:test";
import { parse } from "yaml";
import type { FunctionDefinition } from "../../functions/kit/define.ts";
import { BUILT_IN_FUNCTIONS, bindAll } from "../../functions/main.ts";
import { startDiscord } from "../kit/discord-server.ts";
import { startGitHub } from "../kit/github-server.ts";
import { startJira } from "../kit/jira-server.ts";
import { startPagerDuty } from "../kit/pagerduty-server.ts";
import { startSmtp } from "../kit/smtp-server.ts";
import { startTeams } from "../kit/teams-server.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const readme = readFileSync(join(import.meta.dirname, "../../functions/actions/README.md"), "utf8");
const examples = [...readme.matchAll(/^```yaml\n(- name: [\s\S]*?)^```$/gm)].map(([, text = ""]) => text);

interface Example {
  readonly name: string;
  readonly function: string;
  readonly config: Record<string, unknown>;
}

/** A receiver on this machine in the place of the example's, and how many tickets, alerts or messages it has. */
interface Local extends AsyncDisposable {
  readonly config: object;
  count(): number;
}

const SECRETS = ["GITHUB_TOKEN", "JIRA_TOKEN", "PAGERDUTY_ROUTING_KEY", "TEAMS_WEBHOOK_URL", "DISCORD_WEBHOOK_URL"];

const LOCALS: Readonly<Record<string, (config: Record<string, unknown>) => Promise<Local>>> = {
  "database-ticket": async (config) => {
    const github = await startGitHub();
    process.env["GITHUB_TOKEN"] = github.token;
    const target = { ...(config["target"] as object), apiUrl: github.origin };
    return { config: { ...config, target }, count: () => github.issues.length, [Symbol.asyncDispose]: github.stop };
  },
  "database-jira": async (config) => {
    const jira = await startJira("cloud");
    process.env["JIRA_TOKEN"] = jira.token;
    const target = { ...(config["target"] as object), url: jira.origin };
    return { config: { ...config, target }, count: () => jira.issues.length, [Symbol.asyncDispose]: jira.stop };
  },
  "database-alert": async (config) => {
    const receiver = await startReceiver(() => ({ status: 200 }));
    const count = () => new Set(receiver.requests.map(({ body }) => JSON.stringify(JSON.parse(body)[0].labels))).size;
    return { config: { ...config, url: receiver.origin }, count, [Symbol.asyncDispose]: receiver.stop };
  },
  "database-page": async (config) => {
    const pagerDuty = await startPagerDuty();
    process.env["PAGERDUTY_ROUTING_KEY"] = pagerDuty.routingKey;
    const count = () => pagerDuty.alerts.size;
    return { config: { ...config, url: pagerDuty.url }, count, [Symbol.asyncDispose]: pagerDuty.stop };
  },
  "database-teams": async (config) => {
    const teams = await startTeams();
    process.env["TEAMS_WEBHOOK_URL"] = teams.url;
    return { config, count: () => teams.cards.length - 1, [Symbol.asyncDispose]: teams.stop };
  },
  "database-discord": async (config) => {
    const discord = await startDiscord();
    process.env["DISCORD_WEBHOOK_URL"] = discord.url;
    return { config, count: () => discord.messages.length, [Symbol.asyncDispose]: discord.stop };
  },
  "database-mail": async (config) => {
    const smtp = await startSmtp();
    const server = { host: "127.0.0.1", port: smtp.port, tls: "none" };
    return {
      config: { ...config, smtp: server },
      count: () => smtp.mails.length - 1,
      [Symbol.asyncDispose]: smtp[Symbol.asyncDispose],
    };
  },
};

afterEach(() => {
  for (const name of SECRETS) delete process.env[name];
});

test("every function that comes with cr-reactor has a line in the table of functions/actions/README.md", () => {
  const [, table = ""] = /^\| function \|.*\n\| --- .*\n((?:\|.*\n)+)/m.exec(readme) ?? [];
  const named = [...table.matchAll(/^\| \[?([a-z-]+)/gm)].map(([, name]) => name);
  assert.deepEqual(named.toSorted(), Object.keys(BUILT_IN_FUNCTIONS).toSorted());
});

describe("an example of functions/actions/README.md", () => {
  test("is there for each of these functions", () => {
    const names = examples.map((text) => (parse(text) as Example[])[0]?.name);
    assert.deepEqual(
      Object.keys(LOCALS).filter((name) => !names.includes(name)),
      [],
    );
  });

  for (const text of examples) {
    const [example] = parse(text) as Example[];
    const start = LOCALS[example?.name ?? ""];
    if (example === undefined || start === undefined) continue;
    test(`is accepted and works: ${example.name}, in ${text.trim().split("\n").length} lines`, async (t) => {
      const [binding] = await bindAll({
        subscriptions: { text: JSON.stringify({ subscriptions: [example] }), fileName: "README.md" },
      });
      assert.equal(binding?.functionName, example.function);
      const loaded = await BUILT_IN_FUNCTIONS[example.function]?.();
      await using local = await start(example.config);
      ownClock(t);
      const run = incidentRun(t, loaded?.default as FunctionDefinition, local.config);
      const after = { metadata: { labels: { team: "dba", severity: "page" } } };
      for (const type of ["opened", "resolved"] as const)
        assert.doesNotMatch(await run.event(type, { after }), /dead letter/);
      assert.equal(local.count(), 1);
    });
  }
});
