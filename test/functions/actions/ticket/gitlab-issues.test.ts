import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { changeReport, reportBlocks } from "../../../../functions/actions/change-report.ts";
import { GitLabTarget, gitlabIssues } from "../../../../functions/actions/ticket/gitlab-issues.ts";
import type { TicketDraft } from "../../../../functions/actions/ticket/ticket-tracker.ts";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { type GitLabServer, startGitLab } from "../../../kit/gitlab-server.ts";
import type { Fault } from "../../../kit/misbehaviour.ts";
import { sampleEvent } from "../sample-event.ts";
import { failureOf } from "../thrown.ts";

const draft: TicketDraft = { title: "Database prod/orders: Failed", body: "It failed.", labels: [], assignees: [] };

function tracker(gitlab: GitLabServer, project = gitlab.project) {
  const file = join(createDataFolder("secret").path, "secret");
  writeFileSync(file, gitlab.token);
  return gitlabIssues(GitLabTarget.parse({ type: "gitlab", url: gitlab.origin, project, token: { file } }), project);
}

describe("an issue of GitLab", () => {
  test("has labels and assignees, and is found beyond the first page", async () => {
    await using gitlab = await startGitLab();
    const issues = tracker(gitlab);
    await issues.create("databases/uid.1", { ...draft, labels: ["incident", "a,b"], assignees: ["@ada"] });
    for (let other = 0; other < 60; other++) await issues.create(`other/${other}`, draft);
    assert.deepEqual([gitlab.issues[0]?.labels, gitlab.issues[0]?.assignee_ids], [["incident", "a b"], [7]]);
    assert.deepEqual(
      (await issues.find("databases/uid.1", 0)).map(({ id }) => id),
      ["#1"],
    );
  });

  test("carries out nothing that stands in an object", async () => {
    await using gitlab = await startGitLab();
    const status = { message: "no space\n/close\n/assign @root" };
    const event = sampleEvent({ before: { spec: { a: 1 } }, after: { spec: { a: 2 }, status } });
    const body = reportBlocks(changeReport(event, undefined, 5), []);
    const ticket = await tracker(gitlab).create("k", { ...draft, body });
    await tracker(gitlab).comment(ticket, "e", 0, body);
    assert.deepEqual([gitlab.issues.length, gitlab.notes.length], [1, 1]);
  });

  test("that was deleted is not opened again", async () => {
    await using gitlab = await startGitLab();
    assert.equal(await tracker(gitlab).reopen({ id: "#9", url: "" }, "k"), "gone");
  });

  const rows: {
    name: string;
    fault?: Fault;
    draft?: Partial<TicketDraft>;
    treated: "retry" | "dead-letter";
    message: RegExp;
  }[] = [
    {
      name: "for the token says to create one",
      fault: { status: 401 },
      treated: "dead-letter",
      message: /acme\/infra\/ops.*create a new one/,
    },
    {
      name: "for its role names it",
      fault: { status: 403, body: '{"message":"403 Forbidden"}' },
      treated: "dead-letter",
      message: /403 Forbidden.*Reporter/,
    },
    { name: "404 says what it can mean", fault: { status: 404 }, treated: "dead-letter", message: /check project/ },
    {
      name: "of an unknown assignee names it",
      draft: { assignees: ["nobody"] },
      treated: "dead-letter",
      message: /no user "nobody"/,
    },
    {
      name: "429 waits as long as it says",
      fault: { status: 429, headers: { "retry-after": "9" } },
      treated: "retry",
      message: /HTTP 429/,
    },
    {
      name: "by a success that breaks off is tried again",
      fault: "cut-answer",
      treated: "retry",
      message: /cannot be read/,
    },
  ];
  for (const { name, fault, draft: more, treated, message } of rows) {
    test(`refused ${name}`, async () => {
      await using gitlab = await startGitLab();
      if (fault) gitlab.next(fault);
      const failure = await failureOf(() => tracker(gitlab).create("k", { ...draft, ...more }));
      assert.equal(failure.treated, treated);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /glpat/);
    });
  }

  test("needs a project that is one", async () => {
    await using gitlab = await startGitLab();
    for (const project of ["ops", "../ops", "acme/..", "a/b?c"])
      assert.throws(() => tracker(gitlab, project), /expected group\/name/);
  });
});
