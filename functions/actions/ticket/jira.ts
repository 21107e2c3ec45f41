/**
 * Tickets as Jira issues. A label names the incident. On Cloud JQL shows a new issue, and a new label, only after a while, so that the issues
 * after the newest one that it shows, and those of ours that changed last, are read by their keys, which does not go through the search;
 * on Server the search is current.
 * Source: Jira Cloud REST API v3 and "Search and reconcile"; Jira Data Center REST API v2.
 */
import { z } from "zod";
import { PermanentError } from "#kit";
import { readAnswer } from "../answer.ts";
import type { ReportBlock } from "../change-report.ts";
import { cutText } from "../cut-text.ts";
import type { CallOptions } from "../http-client.ts";
import { reportAdf } from "../report-adf.ts";
import { reportWiki } from "../report-wiki.ts";
import { Template } from "../template.ts";
import { JiraAccess, type JiraApi, jiraApi } from "./jira-api.ts";
import { markerLabel } from "./marker.ts";
import type { Ticket, TicketTracker } from "./ticket-tracker.ts";

/** Where tickets go, for settings. */
export const JiraTarget = z
  .strictObject({
    type: z.literal("jira"),
    ...JiraAccess.shape,
    /** The project's key, as a template. */
    project: Template,
    issueType: Template.default("Task"),
    /** Its name, as a template; empty leaves it to Jira. */
    priority: Template.default(""),
    /** Other fields of a new issue, as Jira's API takes them: `customfield_10011: {value: Production}`. */
    fields: z.record(z.string(), z.json()).default({}),
    /** The name of the transition that closes; default the first one to a status of the category Done. */
    closeTransition: z.string().min(1).optional(),
    /** The name of the one that opens again; default the first one to any other status. */
    reopenTransition: z.string().min(1).optional(),
  })
  .refine(
    ({ email, apiToken, token }) =>
      (email !== undefined && apiToken !== undefined) !== (token !== undefined) && !(token && (email || apiToken)),
    {
      error: "set email and apiToken (Jira Cloud), or token (Server, Data Center)",
    },
  );
export type JiraTarget = z.infer<typeof JiraTarget>;

/** What the target's templates came to. */
export interface JiraPlace {
  readonly project: string;
  readonly issueType: string;
  readonly priority: string;
}

const SUMMARY_CHARS_MAX = 255;
const LABEL_CHARS_MAX = 255;
/** Jira takes 32,767 characters, of wiki markup or of a document's text; escaped, a text may be twice as long. */
const TEXT_CHARS_MAX = 30_000;
const REPORT_CHARS_MAX = 14_000;
/** Together what can be read by keys in one call: a project does not get more within the search's delay, nor we more incidents. */
const NEW_KEYS_MAX = 60;
const OUR_KEYS_MAX = 40;
/** On every ticket of ours. */
const OUR_LABEL = "cr-reactor";
const COMMENTS_PAGE = 50;
/** A thousand comments since an event: whoever writes more may see one of ours twice. */
const PAGES_MAX = 20;
const PROJECT = /^[A-Za-z][A-Za-z0-9_]{0,49}$/;
const ISSUE_KEY = /^[A-Za-z][A-Za-z0-9_]{0,49}-\d{1,12}$/;

const Category = z.object({ statusCategory: z.object({ key: z.string() }) });
const Found = z.object({
  issues: z.array(
    z.object({
      id: z.string(),
      key: z.string(),
      fields: z.object({ labels: z.array(z.string()).catch([]) }).optional(),
    }),
  ),
});
const Created = z.object({ id: z.string(), key: z.string() });
const Status = z.object({ fields: z.object({ status: Category }) });
const Transitions = z.object({ transitions: z.array(z.object({ id: z.string(), name: z.string(), to: Category })) });
const Comments = z.object({ comments: z.array(z.object({ body: z.unknown(), created: z.string() })) });

/** The tracker. Throws PermanentError when `project` is no project's key, and as readSecret does. */
export function jira(target: JiraTarget, place: JiraPlace, options: CallOptions = {}): TicketTracker {
  if (!PROJECT.test(place.project))
    throw new PermanentError(`${JSON.stringify(place.project.slice(0, 100))} is no project's key, such as OPS`);
  const api = jiraApi(target, options);
  const isCloud = target.apiToken !== undefined;
  const ticketOf = (key: string): Ticket => ({ id: key, url: `${target.url.replace(/\/+$/, "")}/browse/${key}` });
  const document = (blocks: readonly ReportBlock[], marker?: string) =>
    isCloud ? reportAdf(blocks, marker) : `${reportWiki(blocks)}${marker ? `\n\n{anchor:${marker}}` : ""}`;
  return {
    name: "Jira",
    markup: "plain",
    reportCharsMax: REPORT_CHARS_MAX,
    // The search's delay is seconds, at most minutes; beside it, a creation that timed out may still be on its way.
    settleMs: 120_000,
    async find(key) {
      const label = markerLabel(key);
      const found = await search(api, isCloud, `labels = "${label}"`, 10);
      const issues = found.length === 0 && isCloud ? await unseen(api, place.project, label) : found;
      return issues.toSorted((a, b) => Number(a.id) - Number(b.id)).map((issue) => ticketOf(issue.key));
    },
    async create(key, { title, body, labels, assignees }) {
      const text = (words: string) => cutText(words, isCloud ? TEXT_CHARS_MAX : TEXT_CHARS_MAX / 2);
      const own = typeof body === "string" ? [{ type: "paragraph", text: text(body) } as const] : body;
      const [assignee] = assignees;
      const fields = {
        ...target.fields,
        project: { key: place.project },
        issuetype: { name: place.issueType },
        summary: cutText(title, SUMMARY_CHARS_MAX),
        description: document(own),
        labels: [
          ...labels.map((each) => cutText(each.replace(/\s+/g, "-"), LABEL_CHARS_MAX)),
          OUR_LABEL,
          markerLabel(key),
        ],
        ...(place.priority !== "" && { priority: { name: place.priority } }),
        ...(assignee !== undefined && { assignee: isCloud ? { id: assignee } : { name: assignee } }),
      };
      const { body: answer } = await api({ method: "POST", path: "/issue", body: { fields } });
      return ticketOf(readAnswer(Created, answer, "Jira").key);
    },
    async reopen(ticket, key) {
      const path = pathOf(ticket);
      const body = { update: { labels: [{ add: markerLabel(key) }] } };
      if ((await api({ method: "PUT", path, body, accepts: [404] })).status === 404) return "gone";
      if (await isDone(api, path))
        await transition(api, path, "to open it again", target.reopenTransition, (to) => to !== "done");
      return "reopened";
    },
    async comment(ticket, key, sinceMs, blocks) {
      const path = `${pathOf(ticket)}/comment`;
      const marker = markerLabel(key);
      if (await hasComment(api, path, marker, sinceMs)) return "commented";
      await api({ method: "POST", path, body: { body: document(blocks, marker) } });
      return "commented";
    },
    async close(ticket) {
      const path = pathOf(ticket);
      if (!(await isDone(api, path)))
        await transition(api, path, "to close it", target.closeTransition, (to) => to === "done");
      return "closed";
    },
  };
}

type Found = z.infer<typeof Found>["issues"];

async function search(api: JiraApi, isCloud: boolean, jql: string, maxResults: number): Promise<Found> {
  const path = isCloud ? "/search/jql" : "/search";
  const { body } = await api({ method: "POST", path, body: { jql, maxResults, fields: ["labels"] } });
  return readAnswer(Found, body, "Jira").issues;
}

/** The issues with the label that the search does not show yet: new ones, and those of ours that got it lately. */
async function unseen(api: JiraApi, project: string, label: string): Promise<Found> {
  const [last] = await search(api, true, `project = "${project}" ORDER BY key DESC`, 1);
  const ours = await search(
    api,
    true,
    `project = "${project}" AND labels = "${OUR_LABEL}" ORDER BY updated DESC`,
    OUR_KEYS_MAX,
  );
  const number = Number(last?.key.split("-").at(-1) ?? 0);
  const after = Array.from({ length: NEW_KEYS_MAX }, (_, index) => `${project}-${number + 1 + index}`);
  const body = { issueIdsOrKeys: [...ours.map(({ key }) => key), ...after], fields: ["labels"] };
  const fetched = readAnswer(Found, (await api({ method: "POST", path: "/issue/bulkfetch", body })).body, "Jira");
  return fetched.issues.filter((issue) => issue.fields?.labels.includes(label));
}

async function isDone(api: JiraApi, path: string): Promise<boolean> {
  const { body } = await api({ method: "GET", path: `${path}?fields=status` });
  return readAnswer(Status, body, "Jira").fields.status.statusCategory.key === "done";
}

async function transition(
  api: JiraApi,
  path: string,
  purpose: string,
  name: string | undefined,
  leadsThere: (category: string) => boolean,
): Promise<void> {
  const { body } = await api({ method: "GET", path: `${path}/transitions` });
  const { transitions } = readAnswer(Transitions, body, "Jira");
  const found = transitions.find((each) =>
    name === undefined ? leadsThere(each.to.statusCategory.key) : each.name.toLowerCase() === name.toLowerCase(),
  );
  if (found === undefined) {
    const known = transitions.map((each) => JSON.stringify(each.name)).join(", ") || "none";
    throw new PermanentError(
      `Jira offers no transition ${name === undefined ? "" : `${JSON.stringify(name)} `}for ${path.split("/").at(-1)} ${purpose} (it offers ${known}): name one of them in closeTransition or reopenTransition, or give the account Transition Issues`,
    );
  }
  await api({ method: "POST", path: `${path}/transitions`, body: { transition: { id: found.id } } });
}

/** Newest first, as far back as that time. */
async function hasComment(api: JiraApi, path: string, marker: string, sinceMs: number): Promise<boolean> {
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = new URLSearchParams({
      orderBy: "-created",
      startAt: String(page * COMMENTS_PAGE),
      maxResults: String(COMMENTS_PAGE),
    });
    const { comments } = readAnswer(Comments, (await api({ method: "GET", path: `${path}?${query}` })).body, "Jira");
    if (comments.some(({ body }) => JSON.stringify(body ?? "").includes(marker))) return true;
    const last = comments.at(-1);
    if (comments.length < COMMENTS_PAGE || last === undefined || Date.parse(last.created) < sinceMs) return false;
  }
  return false;
}

/** What is remembered of a ticket came from here, or from somebody who edited it. */
function pathOf({ id }: Ticket): string {
  if (!ISSUE_KEY.test(id)) throw new PermanentError(`${JSON.stringify(id)} is no issue of Jira, such as OPS-17`);
  return `/issue/${id}`;
}
