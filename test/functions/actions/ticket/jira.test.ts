import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changeReport, fitReport, reportBlocks } from "../../../../functions/actions/change-report.ts";
import { JiraTarget, jira } from "../../../../functions/actions/ticket/jira.ts";
import type { TicketDraft } from "../../../../functions/actions/ticket/ticket-tracker.ts";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { type JiraServer, startJira } from "../../../kit/jira-server.ts";
import type { Fault } from "../../../kit/misbehaviour.ts";
import { manyFields, sampleEvent } from "../sample-event.ts";
import { failureOf } from "../thrown.ts";

const place = { project: "OPS", issueType: "Task", priority: "" };
const draft: TicketDraft = { title: "Database prod/orders: Failed", body: "It failed.", labels: [], assignees: [] };

function secretFile(secret: string) {
  const file = join(createDataFolder("secret").path, "secret");
  writeFileSync(file, secret);
  return { file };
}

function tracker(server: JiraServer, edition: "cloud" | "server", more: object = {}) {
  const token = secretFile(server.token);
  const access = edition === "cloud" ? { email: server.email, apiToken: token } : { token };
  const target = JiraTarget.parse({ type: "jira", url: server.origin, project: "OPS", ...access, ...more });
  return jira(target, place, { timeoutMs: 60_000 });
}

for (const edition of ["cloud", "server"] as const) {
  describe(`an issue of Jira (${edition})`, () => {
    test("has project, type, priority, labels, assignee and other fields", async () => {
      await using server = await startJira(edition);
      const target = { fields: { customfield_10011: { value: "Production" } } };
      const access =
        edition === "cloud"
          ? { email: server.email, apiToken: secretFile(server.token) }
          : { token: secretFile(server.token) };
      const settings = JiraTarget.parse({ type: "jira", url: server.origin, project: "OPS", ...access, ...target });
      const issues = jira(settings, { ...place, priority: "High" });
      const ticket = await issues.create("databases/uid/1", { ...draft, labels: ["on call"], assignees: ["someone"] });
      assert.deepEqual(ticket, { id: "OPS-1", url: `${server.origin}/browse/OPS-1` });
      const fields = server.issues[0]?.fields ?? {};
      assert.deepEqual([fields["priority"], fields["customfield_10011"]], [{ name: "High" }, { value: "Production" }]);
      assert.deepEqual(fields["assignee"], edition === "cloud" ? { id: "someone" } : { name: "someone" });
      assert.match(String((fields["labels"] as string[]).join()), /^on-call,cr-reactor,cr-reactor-[0-9a-f]{20}$/);
    });

    test("is found at once, though the search shows it a minute later", async () => {
      await using server = await startJira(edition);
      const issues = tracker(server, edition);
      for (let other = 0; other < 30; other++) await issues.create(`other/${other}`, draft);
      const { id } = await issues.create("databases/uid/1", draft);
      assert.deepEqual(
        (await issues.find("databases/uid/1", 0)).map((ticket) => ticket.id),
        [id],
      );
      assert.deepEqual(await issues.find("databases/uid/2", 0), []);
    });

    test("keeps Jira's limits, however much changed and whatever stands in the object", async () => {
      await using server = await startJira(edition);
      const issues = tracker(server, edition);
      const event = sampleEvent(manyFields(400, "{code}|[x|http://evil] [~admin] \u0007 h1. "));
      const report = fitReport(changeReport(event, undefined, 100), issues.reportCharsMax);
      const body = reportBlocks(report, [{ text: "Dashboard", url: "https://grafana.example/d?a=1|b" }]);
      await issues.create("k", { ...draft, title: "x".repeat(400), body });
      await issues.create("l", { ...draft, body: "{*x*}\n\n".repeat(9_000) });
      await issues.comment({ id: "OPS-1", url: "" }, "event", 0, body);
      assert.doesNotMatch(
        JSON.stringify(edition === "server" ? server.comments : ""),
        /(?<!\\\\)\{code|(?<!\\\\)\[~admin/,
      );
    });

    test("is closed by the first way to Done or the one that is named, and opened again", async () => {
      await using server = await startJira(edition);
      const issues = tracker(server, edition);
      const ticket = await issues.create("databases/uid/1", draft);
      assert.equal(await issues.close(ticket), "closed");
      assert.equal(await issues.close(ticket), "closed");
      assert.equal(server.issues[0]?.status, "Done");
      await tracker(server, edition, { reopenTransition: "start" }).reopen(ticket, "databases/uid/2");
      assert.deepEqual([server.issues[0]?.status, server.issues[0]?.labels.length], ["In Progress", 3]);
      const failure = await failureOf(() => tracker(server, edition, { closeTransition: "Ship it" }).close(ticket));
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, /no transition "Ship it" for OPS-1 to close it \(it offers "To Do", "Done"\)/);
    });

    test("that was deleted is not opened again", async () => {
      await using server = await startJira(edition);
      assert.equal(await tracker(server, edition).reopen({ id: "OPS-9", url: "" }, "k"), "gone");
    });

    const rows: { name: string; fault?: Fault; create?: object; treated: "retry" | "dead-letter"; message: RegExp }[] =
      [
        {
          name: "of a field names it",
          create: { ...place, priority: "Loud" },
          treated: "dead-letter",
          message: /priority: Priority name is not valid.*create screen/,
        },
        {
          name: "of a type names it",
          create: { ...place, issueType: "Bugg" },
          treated: "dead-letter",
          message: /issuetype: Specify a valid issue type/,
        },
        {
          name: "of the token says where a new one is made",
          fault: { status: 401 },
          treated: "dead-letter",
          message: /HTTP 401.*create a new/,
        },
        {
          name: "for want of permission names them",
          fault: { status: 403 },
          treated: "dead-letter",
          message: /Create Issues.*CAPTCHA/,
        },
        { name: "404 says what it can mean", fault: { status: 404 }, treated: "dead-letter", message: /check url/ },
        {
          name: "429 waits as long as it says",
          fault: { status: 429, headers: { "retry-after": "7" } },
          treated: "retry",
          message: /HTTP 429/,
        },
        { name: "503 is tried again", fault: { status: 503 }, treated: "retry", message: /HTTP 503/ },
        {
          name: "a success that breaks off is tried again",
          fault: "cut-answer",
          treated: "retry",
          message: /cannot be read/,
        },
      ];
    for (const { name, fault, create, treated, message } of rows) {
      test(`refusal ${name}`, async () => {
        await using server = await startJira(edition);
        if (fault) server.next(fault);
        const access =
          edition === "cloud"
            ? { email: server.email, apiToken: secretFile(server.token) }
            : { token: secretFile(server.token) };
        const target = JiraTarget.parse({ type: "jira", url: server.origin, project: "OPS", ...access });
        const failure = await failureOf(() => jira(target, { ...place, ...create }).create("k", draft));
        assert.equal(failure.treated, treated);
        assert.match(failure.message, message);
        assert.doesNotMatch(failure.words, /ATATT|Ym90/);
      });
    }
  });
}

describe("Jira's settings", () => {
  const jiraSettings = { type: "jira", url: "https://acme.atlassian.net", project: "OPS" };
  const secret = { env: "X" };
  const refused = [
    {},
    { email: "a@b" },
    { apiToken: secret },
    { email: "a@b", apiToken: secret, token: secret },
    { token: secret, email: "a@b" },
  ];
  for (const access of refused)
    test(`refuse ${JSON.stringify(Object.keys(access))} as credentials`, () => {
      assert.match(JiraTarget.safeParse({ ...jiraSettings, ...access }).error?.message ?? "", /set email and apiToken/);
    });
});
