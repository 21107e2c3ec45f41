/**
 * A local look-alike of GitLab's issues: it checks each request against the documented attributes, keeps issues and notes, and misbehaves on
 * demand. Source: docs.gitlab.com, "Issues API", "Notes API", "Users API".
 */
import { z } from "zod";
import type { ReceivedRequest, Reply } from "./misbehaviour.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

/** An issue. */
export interface GitLabIssue {
  readonly iid: number;
  readonly web_url: string;
  title: string;
  description: string;
  state: "opened" | "closed";
  readonly labels: readonly string[];
  readonly assignee_ids: readonly number[];
  updated_at: string;
}

/** A note with its issue's number. */
export interface GitLabNote {
  readonly issue: number;
  readonly body: string;
  readonly created_at: string;
}

/** A running look-alike with one project and one user, `ada`. */
export interface GitLabServer extends Receiver {
  readonly project: string;
  readonly token: string;
  readonly issues: GitLabIssue[];
  readonly notes: GitLabNote[];
}

const TOKEN = "glpat-VerySecretGitLab";
const text = z.string().min(1).max(1_048_576);
/** A line that GitLab would carry out. */
const QUICK_ACTION = /^\/[a-z]/m;

const Create = z.strictObject({
  title: z.string().min(1).max(255),
  description: text,
  labels: z.string().optional(),
  assignee_ids: z.array(z.int()).optional(),
});
const Update = z.strictObject({ description: text.optional(), state_event: z.enum(["close", "reopen"]).optional() });
const NewNote = z.strictObject({ body: text });

type World = Pick<GitLabServer, "project" | "issues" | "notes">;

/** Starts it on a free loopback port. */
export async function startGitLab(project = "acme/infra/ops"): Promise<GitLabServer> {
  const world: World = { project, issues: [], notes: [] };
  const receiver = await startReceiver((request) => answer(request, world));
  return { ...receiver, ...world, token: TOKEN };
}

function answer(request: ReceivedRequest, world: World): Reply {
  if (request.headers["private-token"] !== TOKEN) return reply(401, { message: "401 Unauthorized" });
  const { pathname, searchParams } = new URL(request.path, "http://gitlab");
  if (pathname === "/api/v4/users") return reply(200, searchParams.get("username") === "ada" ? [{ id: 7 }] : []);
  const issues = `/api/v4/projects/${encodeURIComponent(world.project)}/issues`;
  if (!pathname.startsWith(issues)) return reply(404, { message: "404 Project Not Found" });
  const [, number, rest = ""] = /^(?:\/(\d+)(\/notes)?)?$/.exec(pathname.slice(issues.length)) ?? [];
  const issue = world.issues.find(({ iid }) => iid === Number(number));
  if (number !== undefined && issue === undefined) return reply(404, { message: "404 Issue Not Found" });
  const body = parseJson(request.body);
  switch (`${request.method} ${issue === undefined ? "all" : "one"}${rest}`) {
    case "GET all":
      return list(
        world.issues.filter((each) => isSince(each.updated_at, searchParams.get("updated_after"))),
        searchParams,
      );
    case "POST all":
      return checked(Create, body, (draft) => create(world, draft));
    case "GET one":
      return reply(200, issue ?? {});
    case "PUT one":
      return checked(Update, body, ({ state_event, description }) => {
        const state = state_event === "close" ? "closed" : state_event === "reopen" ? "opened" : issue?.state;
        Object.assign(issue ?? {}, { state, ...(description && { description }), updated_at: now() });
        return reply(200, issue ?? {});
      });
    case "GET one/notes":
      return list(
        world.notes.filter((note) => note.issue === issue?.iid),
        searchParams,
      );
    case "POST one/notes":
      return checked(NewNote, body, (note) => {
        if (QUICK_ACTION.test(note.body)) return reply(400, { message: "a quick action" });
        world.notes.push({ issue: issue?.iid ?? 0, body: note.body, created_at: now() });
        return reply(201, { id: world.notes.length });
      });
    default:
      return reply(405, { error: "405 Method Not Allowed" });
  }
}

function create(world: World, { title, description, labels = "", assignee_ids = [] }: z.infer<typeof Create>): Reply {
  if (QUICK_ACTION.test(description)) return reply(400, { message: "a quick action" });
  const iid = world.issues.length + 1;
  const issue: GitLabIssue = {
    ...{ iid, web_url: `https://gitlab.com/${world.project}/-/issues/${iid}`, title, description, assignee_ids },
    ...{ state: "opened", labels: labels.split(",").filter((label) => label !== ""), updated_at: now() },
  };
  world.issues.push(issue);
  return reply(201, issue);
}

function list(items: readonly object[], query: URLSearchParams): Reply {
  const [count, page] = [Number(query.get("per_page") ?? 20), Number(query.get("page") ?? 1)];
  const ordered = query.get("sort") === "asc" ? items : items.toReversed();
  return reply(200, ordered.slice((page - 1) * count, page * count));
}

function isSince(time: string, since: string | null): boolean {
  return since === null || Date.parse(time) >= Date.parse(since);
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  body: unknown,
  take: (body: z.output<Schema>) => Reply,
): Reply {
  const parsed = schema.safeParse(body);
  return parsed.success ? take(parsed.data) : reply(400, { message: z.flattenError(parsed.error).fieldErrors });
}

function now(): string {
  return new Date(Date.now()).toISOString();
}

function reply(status: number, body: object): Reply {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
