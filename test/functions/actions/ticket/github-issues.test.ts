import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changeReport, reportBlocks } from "../../../../functions/actions/change-report.ts";
import { GitHubTarget, githubIssues } from "../../../../functions/actions/ticket/github-issues.ts";
import type { TicketDraft } from "../../../../functions/actions/ticket/ticket-tracker.ts";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { type GitHubServer, startGitHub } from "../../../kit/github-server.ts";
import type { Fault } from "../../../kit/misbehaviour.ts";
import { manyFields, sampleEvent } from "../sample-event.ts";
import { failureOf } from "../thrown.ts";

const NOW_MS = Date.parse("2026-03-04T05:06:07Z");
const draft: TicketDraft = { title: "Database prod/orders: Failed", body: "It failed.", labels: [], assignees: [] };

function secretFile(secret: string) {
  const file = join(createDataFolder("secret").path, "secret");
  writeFileSync(file, secret);
  return { file };
}

function tracker(github: GitHubServer, more: object = {}, repository = github.repository) {
  const token = { token: secretFile(github.token) };
  const target = GitHubTarget.parse({ type: "github", repository, apiUrl: github.origin, ...token, ...more });
  return githubIssues(target, repository, { now: () => NOW_MS, timeoutMs: 60_000 });
}

describe("a refusal of GitHub", () => {
  const json = { "content-type": "application/json" };
  const rows: { name: string; fault: Fault; treated: "retry" | "dead-letter"; afterMs?: number; message: RegExp }[] = [
    {
      name: "of a token says to create a new one",
      fault: { status: 401, headers: json, body: '{"message":"Bad credentials"}' },
      treated: "dead-letter",
      message: /acme\/ops.*Bad credentials.*create a new one/,
    },
    {
      name: "for want of a permission names it",
      fault: { status: 403, headers: json, body: '{"message":"Resource not accessible by personal access token"}' },
      treated: "dead-letter",
      message: /Issues: read and write/,
    },
    {
      name: "with the rate limit used up waits until its reset",
      fault: {
        status: 403,
        headers: { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(NOW_MS / 1000 + 90) },
      },
      treated: "retry",
      afterMs: 91_000,
      message: /rate limit/,
    },
    {
      name: "by a secondary limit waits as long as it says",
      fault: {
        status: 403,
        headers: { "retry-after": "40" },
        body: '{"message":"You have exceeded a secondary rate limit"}',
      },
      treated: "retry",
      afterMs: 40_000,
      message: /rate limit/,
    },
    {
      name: "by a secondary limit that says no time waits a minute",
      fault: { status: 403, headers: json, body: '{"message":"You have exceeded a secondary rate limit"}' },
      treated: "retry",
      afterMs: 60_000,
      message: /rate limit/,
    },
    {
      name: "429 alone waits a minute",
      fault: { status: 429 },
      treated: "retry",
      afterMs: 60_000,
      message: /rate limit/,
    },
    {
      name: "of a repository that is not seen says what to check",
      fault: { status: 404, headers: json, body: '{"message":"Not Found"}' },
      treated: "dead-letter",
      message: /check the name.*may not see it/,
    },
    {
      name: "where issues are disabled says where to enable them",
      fault: { status: 410, headers: json, body: '{"message":"Issues are disabled for this repo"}' },
      treated: "dead-letter",
      message: /enable them in the repository's settings/,
    },
    {
      name: "of a field names it",
      fault: {
        status: 422,
        headers: json,
        body: '{"message":"Validation Failed","errors":[{"resource":"Issue","field":"assignees","code":"invalid"}]}',
      },
      treated: "dead-letter",
      message: /assignees invalid.*check labels, assignees/,
    },
    {
      name: "of a moved repository is not followed with the token",
      fault: { status: 301, headers: { location: "http://elsewhere.example/" } },
      treated: "dead-letter",
      message: /was moved/,
    },
    {
      name: "that is no answer of GitHub's is told too",
      fault: { status: 403, body: "<html>" },
      treated: "dead-letter",
      message: /HTTP 403/,
    },
    { name: "500 is tried again", fault: { status: 500 }, treated: "retry", message: /HTTP 500/ },
    {
      name: "a success that breaks off is tried again",
      fault: "cut-answer",
      treated: "retry",
      message: /cannot be read/,
    },
  ];
  for (const { name, fault, treated, afterMs, message } of rows) {
    test(name, async () => {
      await using github = await startGitHub();
      github.next(fault);
      const failure = await failureOf(() => tracker(github).create("databases/uid/1", draft));
      assert.deepEqual([failure.treated, failure.afterMs], [treated, afterMs]);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /github_pat/);
    });
  }

  test("of an assignee comes from the real validation", async () => {
    await using github = await startGitHub();
    const failure = await failureOf(() => tracker(github).create("k", { ...draft, assignees: ["nobody"] }));
    assert.match(failure.message, /assignees invalid/);
  });
});

describe("a GitHub app", () => {
  test("signs in with its key, for this repository and issues only", async () => {
    await using github = await startGitHub();
    const privateKey = secretFile(github.app.privateKey);
    const app = { id: github.app.id, installationId: github.app.installationId, privateKey };
    const target = GitHubTarget.parse({ type: "github", repository: "acme/ops", apiUrl: github.origin, app });
    const issues = githubIssues(target, "acme/ops");
    assert.equal((await issues.create("databases/uid/1", draft)).id, "#1");
    assert.deepEqual(JSON.parse(github.requests[0]?.body ?? ""), {
      repositories: ["ops"],
      permissions: { issues: "write" },
    });
    await issues.find("databases/uid/1", NOW_MS);
    assert.equal(github.requests.filter(({ path }) => path.startsWith("/app/")).length, 1);
  });

  test("with a key that is none says so, and does not quote it", async () => {
    await using github = await startGitHub();
    const app = { id: 1, installationId: 2, privateKey: secretFile("-----BEGIN SECRET") };
    const target = GitHubTarget.parse({ type: "github", repository: "acme/ops", apiUrl: github.origin, app });
    const failure = await failureOf(() => githubIssues(target, "acme/ops").create("k", draft));
    assert.match(failure.message, /whole \.pem file/);
    assert.doesNotMatch(failure.words, /BEGIN SECRET/);
  });
});

describe("an issue", () => {
  test("keeps GitHub's limits and its marker, however much changed", async () => {
    await using github = await startGitHub();
    const report = changeReport(sampleEvent(manyFields(400, "<@x> |".repeat(60))), undefined, 100);
    const blocks = reportBlocks({ ...report, fields: Array(9).fill(report.fields).flat() }, []);
    await tracker(github).create("databases/uid/1", { ...draft, title: "x".repeat(400), body: blocks });
    assert.match(github.issues[0]?.body ?? "", /\n\n<!-- cr-reactor: databases\/uid\/1 -->$/);
    assert.deepEqual(
      (await tracker(github).find("databases/uid/1", 0)).map(({ id }) => id),
      ["#1"],
    );
  });

  test("mentions nobody, refers to nothing and stays in its cells, whatever stands in the object", async () => {
    await using github = await startGitHub();
    const message = "@everyone closes #1 | </td><script> [x](http://evil) \n\n# big";
    const event = sampleEvent({
      before: { spec: { a: "1" } },
      after: { spec: { a: "b|c `@team`" }, status: { message } },
    });
    await tracker(github).create("k", { ...draft, body: reportBlocks(changeReport(event, undefined, 5), []) });
    const body = github.issues[0]?.body ?? "";
    assert.doesNotMatch(body, /@everyone|@team|#1\b|(?<!\\)<script|(?<!\\)\[x\]|^# /m);
    assert.match(body, /^\| spec\\\.a \| 1 \| b\\\|c/m);
  });

  test("is found beyond the first page", async () => {
    await using github = await startGitHub();
    await tracker(github).create("databases/uid/1", draft);
    for (let other = 0; other < 60; other++) await tracker(github).create(`other/${other}`, draft);
    assert.deepEqual(
      (await tracker(github).find("databases/uid/1", 0)).map(({ id }) => id),
      ["#1"],
    );
  });

  for (const repository of ["ops", "acme/ops/x", "acme/..", "../ops", "acme/o ps", ""])
    test(`is refused for the repository ${JSON.stringify(repository)}`, async () => {
      await using github = await startGitHub();
      assert.throws(() => tracker(github, {}, repository), /expected owner\/name/);
    });
});

test("GitHub's settings need one way to sign in", () => {
  const target = { type: "github", repository: "a/b" };
  assert.match(GitHubTarget.safeParse(target).error?.message ?? "", /set token, or app/);
  assert.ok(GitHubTarget.safeParse({ ...target, token: { env: "X" } }).success);
});
