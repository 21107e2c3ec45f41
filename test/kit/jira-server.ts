/**
 * A local look-alike of Jira, Cloud (API version 3) or Server (version 2). It checks each request against the documented shapes, keeps
 * issues and comments, has a workflow with two ways to Done, and misbehaves on demand. As Cloud its search shows an issue, and its new
 * labels, a minute late by `Date.now`. Source: developer.atlassian.com, Jira Cloud REST API v3, Jira Data Center REST API v2, ADF's schema.
 */
import { z } from "zod";
import type { ReceivedRequest, Reply } from "./misbehaviour.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

/** An issue. */
export interface JiraIssue {
  readonly id: string;
  readonly key: string;
  readonly fields: Readonly<Record<string, unknown>>;
  labels: { readonly name: string; readonly sinceMs: number }[];
  status: "To Do" | "In Progress" | "Done";
  updatedMs: number;
}

/** A comment with its issue's key. */
export interface JiraComment {
  readonly issue: string;
  readonly body: unknown;
  readonly created: string;
}

/** A running look-alike. */
export interface JiraServer extends Omit<Receiver, "until"> {
  readonly project: string;
  readonly email: string;
  /** An API token (Cloud) or a personal access token (Server). */
  readonly token: string;
  readonly issues: JiraIssue[];
  readonly comments: JiraComment[];
}

const SEARCH_DELAY_MS = 60_000;
const TEXT_CHARS_MAX = 32_767;
const EMAIL = "bot@acme.example";
const TOKEN = "ATATT3xVerySecretJiraToken";

const Text = z.strictObject({
  type: z.literal("text"),
  text: z.string().min(1),
  marks: z
    .array(
      z.union([
        z.strictObject({ type: z.literal("link"), attrs: z.strictObject({ href: z.url() }) }),
        z.strictObject({ type: z.literal("subsup"), attrs: z.strictObject({ type: z.enum(["sub", "sup"]) }) }),
      ]),
    )
    .optional(),
});
const Paragraph = z.strictObject({ type: z.literal("paragraph"), content: z.array(Text) });
const Cell = (type: string) => z.strictObject({ type: z.literal(type), content: z.array(Paragraph).min(1) });
const Row = z.strictObject({
  type: z.literal("tableRow"),
  content: z.array(z.union([Cell("tableCell"), Cell("tableHeader")])).min(1),
});
const Block = z.union([
  Paragraph,
  z.strictObject({ type: z.literal("blockquote"), content: z.array(Paragraph).min(1) }),
  z.strictObject({ type: z.literal("table"), content: z.array(Row).min(1) }),
  z.strictObject({
    type: z.literal("bulletList"),
    content: z.array(z.strictObject({ type: z.literal("listItem"), content: z.array(Paragraph).min(1) })).min(1),
  }),
]);
const Document = z.strictObject({ type: z.literal("doc"), version: z.literal(1), content: z.array(Block) });
const Wiki = z.string().min(1).max(TEXT_CHARS_MAX);
const Named = z.strictObject({ name: z.string().min(1) });
const label = z.string().min(1).max(255).regex(/^\S+$/, "The label contains spaces which is invalid.");

const Create = (isCloud: boolean) =>
  z.strictObject({
    fields: z.looseObject({
      project: z.strictObject({ key: z.string() }),
      issuetype: Named,
      summary: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[^\n]*$/),
      description: isCloud ? Document : Wiki,
      labels: z.array(label).optional(),
      priority: Named.optional(),
      assignee: (isCloud ? z.strictObject({ id: z.string() }) : Named).optional(),
    }),
  });
const Search = z.strictObject({ jql: z.string(), maxResults: z.int().max(5_000), fields: z.array(z.string()) });
const BulkFetch = z.strictObject({ issueIdsOrKeys: z.array(z.string()).min(1).max(100), fields: z.array(z.string()) });
const Edit = z.strictObject({
  update: z.strictObject({ labels: z.array(z.strictObject({ add: label })) }),
});
const Transition = z.strictObject({ transition: z.strictObject({ id: z.string() }) });

const TRANSITIONS = [
  { id: "11", name: "To Do", to: { name: "To Do", statusCategory: { key: "new" } } },
  { id: "21", name: "Start", to: { name: "In Progress", statusCategory: { key: "indeterminate" } } },
  { id: "31", name: "Done", to: { name: "Done", statusCategory: { key: "done" } } },
] as const;

/** Starts it on a free loopback port, with one project. */
export async function startJira(edition: "cloud" | "server", project = "OPS"): Promise<JiraServer> {
  const issues: JiraIssue[] = [];
  const comments: JiraComment[] = [];
  const { until: _until, ...receiver } = await startReceiver((request) =>
    answer(request, { edition, project, issues, comments }),
  );
  return { ...receiver, project, email: EMAIL, token: TOKEN, issues, comments };
}

interface World extends Pick<JiraServer, "project" | "issues" | "comments"> {
  readonly edition: "cloud" | "server";
}

function answer(request: ReceivedRequest, world: World): Reply {
  const isCloud = world.edition === "cloud";
  const { pathname, searchParams } = new URL(request.path, "http://jira");
  const expected = isCloud ? `Basic ${Buffer.from(`${EMAIL}:${TOKEN}`).toString("base64")}` : `Bearer ${TOKEN}`;
  if (request.headers.authorization !== expected) return refused(401, "You are not authenticated.");
  const api = isCloud ? "/rest/api/3" : "/rest/api/2";
  if (!pathname.startsWith(`${api}/`)) return refused(404, "null for uri");
  const path = pathname.slice(api.length);
  const body = parseJson(request.body);
  if (request.method !== "GET" && request.headers["content-type"] !== "application/json")
    return refused(415, "no JSON");
  const route = `${request.method} ${path.replace(/[A-Z]+-\d+/, "{key}")}`;
  switch (route) {
    case "POST /issue":
      return checked(Create(isCloud), body, ({ fields }) => create(world, fields));
    case isCloud ? "POST /search/jql" : "POST /search":
      return checked(Search, body, (query) => search(world, query));
    case isCloud ? "POST /issue/bulkfetch" : "":
      return checked(BulkFetch, body, ({ issueIdsOrKeys }) =>
        reply(200, {
          issues: world.issues.filter(({ key }) => issueIdsOrKeys.includes(key)).map(shown),
          issueErrors: [],
        }),
      );
    default:
      return answerIssue(route, world, path, searchParams, body);
  }
}

function answerIssue(route: string, world: World, path: string, query: URLSearchParams, body: unknown): Reply {
  const issue = world.issues.find(({ key }) => key === path.split("/")[2]);
  if (issue === undefined) return refused(404, "Issue does not exist or you do not have permission to see it.");
  switch (route) {
    case "GET /issue/{key}": {
      const category = TRANSITIONS.find(({ to }) => to.name === issue.status)?.to;
      return reply(200, { id: issue.id, key: issue.key, fields: { status: category } });
    }
    case "PUT /issue/{key}":
      return checked(Edit, body, ({ update }) => {
        issue.labels.push(...update.labels.map(({ add }) => ({ name: add, sinceMs: Date.now() })));
        return { status: 204 };
      });
    case "GET /issue/{key}/transitions":
      return reply(200, { transitions: TRANSITIONS.filter(({ to }) => to.name !== issue.status) });
    case "POST /issue/{key}/transitions":
      return checked(Transition, body, ({ transition }) => {
        const found = TRANSITIONS.find(({ id, to }) => id === transition.id && to.name !== issue.status);
        if (found === undefined)
          return refused(400, "It seems that you have tried to perform a workflow operation that is not valid.");
        Object.assign(issue, { status: found.to.name, updatedMs: Date.now() });
        return { status: 204 };
      });
    case "GET /issue/{key}/comment": {
      const [start, count] = [Number(query.get("startAt")), Number(query.get("maxResults"))];
      const own = world.comments.filter(({ issue: key }) => key === issue.key).toReversed();
      return reply(200, { comments: own.slice(start, start + count), total: own.length });
    }
    case "POST /issue/{key}/comment": {
      const Body = z.strictObject({ body: world.edition === "cloud" ? Document : Wiki });
      return checked(Body, body, (comment) => {
        world.comments.push({ issue: issue.key, body: comment.body, created: new Date(Date.now()).toISOString() });
        return reply(201, { id: String(world.comments.length) });
      });
    }
    default:
      return refused(405, "Method Not Allowed");
  }
}

function create(world: World, fields: z.infer<ReturnType<typeof Create>>["fields"]): Reply {
  const errors: Record<string, string> = {};
  if (fields.project.key !== world.project) errors["project"] = "valid project is required";
  if (fields.issuetype.name !== "Task") errors["issuetype"] = "Specify a valid issue type";
  if (fields.priority && fields.priority.name !== "High") errors["priority"] = "Priority name is not valid";
  if (Object.keys(errors).length > 0) return reply(400, { errorMessages: [], errors });
  const number = world.issues.length + 1;
  const labels = (fields.labels ?? []).map((name) => ({ name, sinceMs: Date.now() }));
  const issue: JiraIssue = {
    id: String(10_000 + number),
    key: `${world.project}-${number}`,
    fields,
    labels,
    status: "To Do",
    updatedMs: Date.now(),
  };
  world.issues.push(issue);
  return reply(201, { id: issue.id, key: issue.key, self: "" });
}

function search(world: World, { jql, maxResults }: z.infer<typeof Search>): Reply {
  const seenUntilMs = Date.now() - (world.edition === "cloud" ? SEARCH_DELAY_MS : 0);
  const [, project, label, order] =
    /^(?:project = "(\w+)")?(?: AND )?(?:labels = "([^"]+)")?(?: ORDER BY (key|updated) DESC)?$/.exec(jql) ?? [];
  if ((project ?? label) === undefined) return refused(400, `Error in the JQL Query: ${jql}`);
  const found = world.issues.filter(
    ({ key, labels: [first, ...others] }) =>
      (project === undefined || key.startsWith(`${project}-`)) &&
      (first?.sinceMs ?? 0) <= seenUntilMs &&
      [first, ...others].some((each) => label === undefined || (each?.name === label && each.sinceMs <= seenUntilMs)),
  );
  const issues = order === "updated" ? found.toSorted((a, b) => a.updatedMs - b.updatedMs) : found;
  return reply(200, { issues: issues.toReversed().slice(0, maxResults).map(shown), isLast: true });
}

function shown({ id, key, labels }: JiraIssue): object {
  return { id, key, fields: { labels: labels.map(({ name }) => name) } };
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
  take: (body: z.output<Schema>) => Reply,
): Reply {
  const parsed = schema.safeParse(body);
  if (parsed.success) return take(parsed.data);
  const errors = parsed.error.issues.map(({ path, message }) => [path.slice(1).join("."), message]);
  return reply(400, { errorMessages: [], errors: Object.fromEntries(errors) });
}

function refused(status: number, message: string): Reply {
  return reply(status, { errorMessages: [message], errors: {} });
}

function reply(status: number, body: object): Reply {
  return { status, headers: { "content-type": "application/json;charset=UTF-8" }, body: JSON.stringify(body) };
}
