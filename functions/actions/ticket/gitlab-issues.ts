/**
 * Tickets as GitLab issues, on gitlab.com or one's own. Found again by the list of issues, which reads the database; a hidden comment names the
 * incident in the description and the event in each note. Values are escaped, so that no line of theirs is a quick action.
 * Source: docs.gitlab.com, "Issues API", "Notes API", "Users API", "Quick actions".
 */
import { z } from "zod";
import { PermanentError, readSecret, SecretSource } from "#kit";
import { parseJson, readAnswer } from "../answer.ts";
import { cutText } from "../cut-text.ts";
import { type CallOptions, type HttpRequest, HttpUrl, httpRequest } from "../http-client.ts";
import { reportMarkdown } from "../report-markdown.ts";
import { Template } from "../template.ts";
import { issueNumber, issuePages } from "./issue-list.ts";
import { hasMarker, hiddenMarker } from "./marker.ts";
import type { Ticket, TicketTracker } from "./ticket-tracker.ts";

/** Where tickets go, for settings. */
export const GitLabTarget = z.strictObject({
  type: z.literal("gitlab"),
  url: HttpUrl.default("https://gitlab.com"),
  /** The project's path (`group/name`) or number, as a template. */
  project: Template,
  /** A project, group or personal access token with the scope `api` and the role Reporter. */
  token: SecretSource,
});
export type GitLabTarget = z.infer<typeof GitLabTarget>;

const TITLE_CHARS_MAX = 255;
const TEXT_CHARS_MAX = 100_000;
const RESPONSE_BYTES_MAX = 32 * 1024 * 1024;
const PROJECT = /^(?:\d{1,15}|[\w-][\w.-]*(?:\/[\w-][\w.-]*)+)$/;

const Issue = z.object({
  iid: z.int().positive(),
  web_url: z.string(),
  state: z.enum(["opened", "closed"]),
  description: z.string().nullish(),
});
type Issue = z.infer<typeof Issue>;
const Note = z.object({ body: z.string(), created_at: z.string() });
const Refusal = z.object({ message: z.unknown().optional(), error: z.unknown().optional() });

type Call = (
  method: HttpRequest["method"],
  path: string,
  body?: object,
  accepts?: readonly number[],
) => Promise<Answer>;
interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** The tracker. `project` is filled in. Throws PermanentError when that is no project, and as readSecret does. */
export function gitlabIssues(target: GitLabTarget, project: string, options: CallOptions = {}): TicketTracker {
  if (!PROJECT.test(project))
    throw new PermanentError(
      `${JSON.stringify(project.slice(0, 100))} is no project: expected group/name or its number`,
    );
  const call = caller(target, project, options);
  const issues = `/projects/${encodeURIComponent(project)}/issues`;
  const pathOf = (ticket: Ticket) => `${issues}/${issueNumber(ticket, "GitLab")}`;
  const list = async (path: string) => (await call("GET", path)).body;
  const get = async (ticket: Ticket) => readAnswer(Issue, (await call("GET", pathOf(ticket))).body, "GitLab");
  return {
    name: "GitLab",
    markup: "markdown",
    reportCharsMax: TEXT_CHARS_MAX / 2,
    settleMs: 30_000,
    async find(key, sinceMs) {
      const since = new Date(sinceMs).toISOString();
      const query = { scope: "all", order_by: "created_at", sort: "desc", updated_after: since };
      for await (const page of issuePages(list, { path: issues, query, item: Issue, service: "GitLab" })) {
        const found = page.filter(({ description }) => hasMarker(description, key)).toSorted((a, b) => a.iid - b.iid);
        if (found.length > 0) return found.map(ticketOf);
      }
      return [];
    },
    async create(key, { title, body, labels, assignees }) {
      const text = typeof body === "string" ? body : reportMarkdown(body);
      const ids = await Promise.all(assignees.map((name) => userId(call, name.replace(/^@/, ""))));
      const draft = {
        title: cutText(title, TITLE_CHARS_MAX),
        description: `${cutText(text, TEXT_CHARS_MAX)}\n\n${hiddenMarker(key)}`,
        labels: labels.map((label) => label.replaceAll(",", " ")).join(","),
        ...(ids.length > 0 && { assignee_ids: ids }),
      };
      return ticketOf(readAnswer(Issue, (await call("POST", issues, draft)).body, "GitLab"));
    },
    async reopen(ticket, key) {
      const { status, body } = await call("GET", pathOf(ticket), undefined, [404]);
      if (status === 404) return "gone";
      const issue = readAnswer(Issue, body, "GitLab");
      const marked = hasMarker(issue.description, key)
        ? {}
        : { description: `${issue.description ?? ""}\n${hiddenMarker(key)}` };
      const change = { ...marked, ...(issue.state === "closed" && { state_event: "reopen" }) };
      if (Object.keys(change).length > 0) await call("PUT", pathOf(ticket), change);
      return "reopened";
    },
    async comment(ticket, key, sinceMs, blocks) {
      const path = `${pathOf(ticket)}/notes`;
      for await (const page of issuePages(list, {
        path,
        query: { order_by: "created_at", sort: "desc" },
        item: Note,
        service: "GitLab",
      })) {
        if (page.some(({ body }) => hasMarker(body, key))) return "commented";
        if (page.some(({ created_at }) => Date.parse(created_at) < sinceMs)) break;
      }
      const text = cutText(reportMarkdown(blocks), TEXT_CHARS_MAX);
      await call("POST", path, { body: `${text}\n\n${hiddenMarker(key)}` });
      return "commented";
    },
    async close(ticket) {
      if ((await get(ticket)).state === "opened") await call("PUT", pathOf(ticket), { state_event: "close" });
      return "closed";
    },
  };
}

function caller(target: GitLabTarget, project: string, options: CallOptions): Call {
  const token = readSecret(target.token);
  return async (method, path, body, accepts = []) => {
    const response = await httpRequest({
      ...options,
      url: `${target.url.replace(/\/+$/, "")}/api/v4${path}`,
      method,
      headers: { "private-token": token, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
      acceptedStatuses: accepts,
      responseBytesMax: RESPONSE_BYTES_MAX,
      explain: (status, text) =>
        `GitLab refused the call for ${project} (${saidBy(status, text)}): ${nextStep(status)}`,
    });
    return { status: response.status, body: parseJson(response.text) };
  };
}

function saidBy(status: number, text: string): string {
  const { message, error } = Refusal.safeParse(parseJson(text)).data ?? {};
  const said = message ?? error;
  const words = typeof said === "string" ? said : said === undefined ? "" : JSON.stringify(said);
  return words === "" ? `HTTP ${status}` : `HTTP ${status}: ${words.slice(0, 300)}`;
}

function nextStep(status: number): string {
  switch (status) {
    case 401:
      return "the token is wrong, expired or revoked: create a new one and put it into the secret";
    case 403:
      return "give the token the scope api and at least the role Reporter";
    case 404:
      return "check project; GitLab says the same when the token may not see it, or when the project has no issues";
    default:
      return "check title, labels and assignees";
  }
}

async function userId(call: Call, username: string): Promise<number> {
  const { body } = await call("GET", `/users?${new URLSearchParams({ username })}`);
  const [user] = readAnswer(z.array(z.object({ id: z.int() })), body, "GitLab");
  if (user === undefined) throw new PermanentError(`GitLab has no user ${JSON.stringify(username)}: check assignees`);
  return user.id;
}

function ticketOf({ iid, web_url }: Issue): Ticket {
  return { id: `#${iid}`, url: web_url };
}
