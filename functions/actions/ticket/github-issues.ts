/**
 * Tickets as GitHub issues. Found again by the list of issues, which is not the search index and shows a new one within moments. A hidden comment
 * in the body names the incident; one in each comment names its event.
 * Source: docs.github.com, REST API endpoints for issues and issue comments, 2022-11-28.
 */
import { z } from "zod";
import { PermanentError } from "#kit";
import { readAnswer } from "../answer.ts";
import { cutText } from "../cut-text.ts";
import { type CallOptions, HttpUrl } from "../http-client.ts";
import { reportMarkdown } from "../report-markdown.ts";
import { Template } from "../template.ts";
import { type GitHubAccess, GitHubCredentials, githubApi } from "./github-api.ts";
import { issueNumber, issuePages } from "./issue-list.ts";
import { hasMarker, hiddenMarker } from "./marker.ts";
import type { Ticket, TicketTracker } from "./ticket-tracker.ts";

/** Where tickets go, for settings. */
export const GitHubTarget = z
  .strictObject({
    type: z.literal("github"),
    /** `owner/name`, as a template. */
    repository: Template,
    /** Default github.com's; a GitHub Enterprise Server has https://<host>/api/v3. */
    apiUrl: HttpUrl.default("https://api.github.com"),
    ...GitHubCredentials.shape,
  })
  .refine((target) => (target.token === undefined) !== (target.app === undefined), {
    error: "set token, or app with id, installationId and privateKey: one of them",
  });
export type GitHubTarget = z.infer<typeof GitHubTarget>;

const TITLE_CHARS_MAX = 256;
/** GitHub's limit is 65,536 characters of what it counts itself. */
const BODY_CHARS_MAX = 60_000;
const REPOSITORY = /^[\w-][\w.-]*\/[\w.-]*[\w-][\w.-]*$/;

const Issue = z.object({
  number: z.int().positive(),
  html_url: z.string(),
  state: z.enum(["open", "closed"]),
  body: z.string().nullish(),
});
type Issue = z.infer<typeof Issue>;
const Comment = z.object({ body: z.string().optional() });

/** The tracker. `repository` is filled in. Throws PermanentError when that is no `owner/name`. */
export function githubIssues(target: GitHubTarget, repository: string, options: CallOptions = {}): TicketTracker {
  if (!REPOSITORY.test(repository))
    throw new PermanentError(`${JSON.stringify(repository.slice(0, 100))} is no repository: expected owner/name`);
  const { apiUrl, token, app } = target;
  const access: GitHubAccess = { ...options, apiUrl, repository, credentials: { token, app } };
  const api = githubApi(access);
  const issues = `/repos/${repository}/issues`;
  const pathOf = (ticket: Ticket) => `${issues}/${issueNumber(ticket, "GitHub")}`;
  const list = async (path: string) => (await api({ method: "GET", path })).body;
  const get = async (ticket: Ticket): Promise<Issue | undefined> => {
    const { status, body } = await api({ method: "GET", path: pathOf(ticket), accepts: [410] });
    return status === 410 ? undefined : readAnswer(Issue, body, "GitHub");
  };
  const patch = async (ticket: Ticket, body: object) => {
    await api({ method: "PATCH", path: pathOf(ticket), body });
  };
  return {
    name: "GitHub",
    markup: "markdown",
    // Escaped, it may be twice as long.
    reportCharsMax: BODY_CHARS_MAX / 2,
    // A creation that timed out can still be on its way; the list itself is current.
    settleMs: 30_000,
    async find(key, sinceMs) {
      const query = { state: "all", sort: "created", direction: "desc", since: new Date(sinceMs).toISOString() };
      for await (const page of issuePages(list, { path: issues, query, item: Issue, service: "GitHub" })) {
        const found = page.filter((issue) => hasMarker(issue.body, key)).toSorted((a, b) => a.number - b.number);
        if (found.length > 0) return found.map(ticketOf);
      }
      return [];
    },
    async create(key, { title, body, labels, assignees }) {
      const text = typeof body === "string" ? body : reportMarkdown(body);
      const draft = {
        title: cutText(title, TITLE_CHARS_MAX),
        body: `${cutText(text, BODY_CHARS_MAX)}\n\n${hiddenMarker(key)}`,
        labels,
        assignees: assignees.map((name) => name.replace(/^@/, "")),
      };
      return ticketOf(readAnswer(Issue, (await api({ method: "POST", path: issues, body: draft })).body, "GitHub"));
    },
    async reopen(ticket, key) {
      const issue = await get(ticket);
      if (issue === undefined) return "gone";
      const body = hasMarker(issue.body, key) ? {} : { body: `${issue.body ?? ""}\n${hiddenMarker(key)}` };
      await patch(ticket, { ...body, ...(issue.state === "closed" && { state: "open", state_reason: "reopened" }) });
      return "reopened";
    },
    async comment(ticket, key, sinceMs, blocks) {
      const path = `${pathOf(ticket)}/comments`;
      if ((await get(ticket)) === undefined) return "gone";
      for await (const page of issuePages(list, {
        path,
        query: { since: new Date(sinceMs).toISOString() },
        item: Comment,
        service: "GitHub",
      }))
        if (page.some(({ body }) => hasMarker(body, key))) return "commented";
      const body = `${cutText(reportMarkdown(blocks), BODY_CHARS_MAX)}\n\n${hiddenMarker(key)}`;
      await api({ method: "POST", path, body: { body } });
      return "commented";
    },
    async close(ticket, duplicateOf) {
      const issue = await get(ticket);
      if (issue === undefined) return "gone";
      // A person's own reason for closing it stays.
      if (issue.state === "open")
        await patch(ticket, { state: "closed", state_reason: duplicateOf ? "duplicate" : "completed" });
      return "closed";
    },
  };
}

function ticketOf(issue: Issue): Ticket {
  return { id: `#${issue.number}`, url: issue.html_url };
}
