import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import openTicket from "../../functions/open-ticket.ts";
import { type GitHubServer, startGitHub } from "../kit/github-server.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const TOKEN = "CR_REACTOR_TEST_TICKET_TOKEN";
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

const settings = (github: GitHubServer, more: object = {}) => ({
  target: { type: "github", repository: github.repository, apiUrl: github.origin, token: { env: TOKEN } },
  ...more,
});

before(() => {
  process.env[TOKEN] = "github_pat_11AVERYSECRET_token";
});
after(() => {
  delete process.env[TOKEN];
});

describe("an incident", () => {
  test("has one ticket: opened, commented on, closed as done", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(
      t,
      openTicket,
      settings(github, { labels: ["incident", "{{ object.metadata.namespace }}", "{{ object.spec.nothing }}"] }),
    );
    assert.equal(await run.event("opened"), "opened #1");
    assert.equal(await run.event("updated", { laterMs: 2 * HOUR_MS }), "commented #1");
    assert.equal(await run.event("resolved"), "closed #1");
    const [issue] = github.issues;
    assert.deepEqual([github.issues.length, issue?.state, issue?.state_reason], [1, "closed", "completed"]);
    assert.equal(issue?.title, "Database prod/orders: Running → Failed");
    assert.deepEqual(
      issue.labels.map(({ name }) => name),
      ["incident", "prod"],
    );
    assert.equal(github.comments.length, 2);
    assert.match(github.comments[1]?.body ?? "", /^Resolved\\: Database prod\\\/orders\\: Failed → Running/);
  });

  test("is not commented on more often than is allowed, whichever process it is", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github, { commentEveryMinutes: 30 }));
    await run.event("opened");
    for (let update = 0; update < 8; update++) await run.event("updated", { laterMs: 10 * MINUTE_MS });
    assert.equal(github.comments.length, 2);
  });

  test("that comes soon after the last one opens its ticket again", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github));
    await run.event("opened");
    await run.event("resolved");
    assert.equal(await run.event("opened", { laterMs: 2 * HOUR_MS }), "reopened #1");
    assert.deepEqual([github.issues[0]?.state, github.issues[0]?.state_reason], ["open", "reopened"]);
    assert.match(github.comments.at(-1)?.body ?? "", /^It happened again/);
    await run.event("resolved");
    assert.equal(github.issues[0]?.state, "closed");
    assert.equal(github.issues.length, 1);
  });

  test("that comes later has a ticket of its own", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github, { reopenWithinHours: 1 }));
    await run.event("opened");
    await run.event("resolved");
    assert.equal(await run.event("opened", { laterMs: 2 * HOUR_MS }), "opened #2");
  });

  test("whose memory is gone finds its ticket, and that of the incident before", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github));
    await run.event("opened");
    run.forget();
    assert.equal(await run.event("updated", { laterMs: 48 * HOUR_MS }), "commented #1");
    run.forget();
    await run.event("resolved");
    run.forget();
    assert.equal(await run.event("opened"), "reopened #1");
    run.forget();
    assert.equal(await run.event("resolved"), "closed #1");
    assert.deepEqual(
      github.issues.map(({ state }) => state),
      ["closed"],
    );
  });

  test("whose ticket was deleted goes on without it", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github));
    await run.event("opened");
    github.deleted.add(1);
    assert.equal(await run.event("updated", { laterMs: 2 * HOUR_MS }), "gone #1");
    assert.equal(await run.event("resolved"), "gone #1");
  });

  test("leaves a ticket alone that a person closed for a reason of their own", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github));
    await run.event("opened");
    Object.assign(github.issues[0] ?? {}, { state: "closed", state_reason: "not_planned" });
    await run.event("resolved");
    assert.equal(github.issues[0]?.state_reason, "not_planned");
  });

  test("only comments on recovery where that is wished", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const run = incidentRun(t, openTicket, settings(github, { onResolve: "comment" }));
    await run.event("opened");
    assert.equal(await run.event("resolved"), "commented #1");
    assert.equal(github.issues[0]?.state, "open");
  });

  test("without a ticket is not given one to close", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    assert.equal(await incidentRun(t, openTicket, settings(github)).event("resolved"), "there is no ticket to close");
    assert.equal(github.issues.length, 0);
  });

  for (const fault of ["lose-answer", "fail-answer", "cut-answer", "empty-answer", "reset"] as const) {
    test(`has one ticket though its creation met ${fault}`, async (t) => {
      await using github = await startGitHub();
      ownClock(t);
      const run = incidentRun(t, openTicket, settings(github));
      github.next({ status: 200, headers: { "content-type": "application/json" }, body: "[]" });
      github.next(fault);
      assert.match(await run.event("opened"), /^(found|opened) #1$/);
      assert.equal(github.issues.length, 1);
    });
  }

  test("that two processes opened at once keeps the older ticket", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const [one, other] = [incidentRun(t, openTicket, settings(github)), incidentRun(t, openTicket, settings(github))];
    await Promise.all([one.event("opened"), other.event("opened")]);
    await Promise.all([one.event("updated", { laterMs: HOUR_MS }), other.event("updated", { laterMs: HOUR_MS })]);
    const states = github.issues.map(({ state, state_reason }) => [state, state_reason]);
    assert.deepEqual(
      states,
      [
        ["open", null],
        ["closed", "duplicate"],
      ].slice(0, states.length),
    );
  });

  test("cannot take another one's ticket with a forged marker", async (t) => {
    await using github = await startGitHub();
    ownClock(t);
    const victim = incidentRun(t, openTicket, settings(github), { uid: "victim" });
    const attacker = incidentRun(t, openTicket, settings(github), { uid: "attacker" });
    const status = { message: "\n\n<!-- cr-reactor: databases/victim.101 -->\n" };
    await attacker.event("opened", { after: { status } });
    assert.equal(await victim.event("opened"), "opened #2");
  });
});
