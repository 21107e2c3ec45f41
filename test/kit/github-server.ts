/**
 * A local look-alike of GitHub's issues. It checks each request's query and body against GitHub's published OpenAPI description, keeps
 * issues and comments, and misbehaves on demand. `github-openapi.json` has the seven operations that are used, taken from
 * @octokit/openapi 23.0.2 (`api.github.com.json`), with references resolved and descriptions left out: the package itself has 440 MB.
 */
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { z } from "zod";
import description from "./github-openapi.json" with { type: "json" };
import type { ReceivedRequest, Reply } from "./misbehaviour.ts";
import { parseJson, type Receiver, startReceiver } from "./webhook-server.ts";

/** An issue as GitHub answers it, as far as we answer it. */
export interface GitHubIssue {
  readonly number: number;
  readonly html_url: string;
  title: string;
  body: string | null;
  state: "open" | "closed";
  state_reason: string | null;
  readonly labels: readonly { readonly name: string }[];
  readonly assignees: readonly { readonly login: string }[];
  readonly created_at: string;
  updated_at: string;
  closed_at: string | null;
}

/** A comment with its issue's number. */
export interface GitHubComment {
  readonly issue: number;
  readonly body: string;
  readonly updated_at: string;
}

/** A running look-alike; its clock is `Date.now`, so that a test may set it. */
export interface GitHubServer extends Receiver {
  readonly repository: string;
  readonly token: string;
  readonly app: { readonly id: string; readonly installationId: number; readonly privateKey: string };
  readonly issues: GitHubIssue[];
  readonly comments: GitHubComment[];
  /** Numbers of deleted issues, which are answered with 410. */
  readonly deleted: Set<number>;
}

interface Operation {
  readonly query: Readonly<Record<string, object>>;
  readonly body?: { readonly properties: object };
}

const TOKEN = "github_pat_11AVERYSECRET_token";
const INSTALLATION_TOKEN = "ghs_anInstallationsSecretToken";
const BODY_CHARS_MAX = 65_536;

/** Starts it on a free loopback port, with one repository. */
export async function startGitHub(repository = "acme/ops"): Promise<GitHubServer> {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const app = {
    id: "Iv23liAbCd",
    installationId: 4711,
    privateKey: privateKey.export({ type: "pkcs1", format: "pem" }).toString(),
  };
  const issues: GitHubIssue[] = [];
  const comments: GitHubComment[] = [];
  const deleted = new Set<number>();
  const world = {
    repository,
    issues,
    comments,
    deleted,
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
  const receiver = await startReceiver((request) => answer(request, world, app.id));
  return { ...receiver, repository, token: TOKEN, app, issues, comments, deleted };
}

type World = Pick<GitHubServer, "repository" | "issues" | "comments" | "deleted"> & { readonly publicKeyPem: string };

function answer(request: ReceivedRequest, world: World, appId: string): Reply {
  const { pathname, searchParams } = new URL(request.path, "http://github");
  const { authorization = "", accept, "x-github-api-version": version } = request.headers;
  if (accept !== "application/vnd.github+json" || version !== "2022-11-28")
    return reply(400, { message: "wrong headers" });
  const bearer = authorization.replace("Bearer ", "");
  if (pathname.startsWith("/app/")) {
    if (!isJwtOf(bearer, world.publicKeyPem, appId))
      return reply(401, { message: "A JSON web token could not be decoded" });
    const wrong = mismatch("POST /app/installations/{installation_id}/access_tokens", request, searchParams);
    return wrong ?? reply(201, { token: INSTALLATION_TOKEN, expires_at: at(3_600_000) });
  }
  if (bearer !== TOKEN && bearer !== INSTALLATION_TOKEN) return reply(401, { message: "Bad credentials" });
  const [, owner, name, number, rest] =
    /^\/repos\/([^/]+)\/([^/]+)\/issues(?:\/(\d+)(\/comments)?)?$/.exec(pathname) ?? [];
  if (`${owner}/${name}` !== world.repository) return reply(404, { message: "Not Found" });
  const path = `/repos/{owner}/{repo}/issues${number ? "/{issue_number}" : ""}${rest ?? ""}`;
  const wrong = mismatch(`${request.method} ${path}`, request, searchParams);
  if (wrong) return wrong;
  const body = parseJson(request.body) as Record<string, never>;
  if (number === undefined) return request.method === "GET" ? list(world.issues, searchParams) : create(world, body);
  if (world.deleted.has(Number(number))) return reply(410, { message: "This issue was deleted" });
  const issue = world.issues.find((each) => each.number === Number(number));
  if (issue === undefined) return reply(404, { message: "Not Found" });
  if (rest === undefined) return request.method === "GET" ? reply(200, issue) : update(issue, body);
  if (request.method === "GET")
    return list(
      world.comments.filter((each) => each.issue === issue.number),
      searchParams,
    );
  const comment = { issue: issue.number, body: String(body["body"]), updated_at: at() };
  if (comment.body.length > BODY_CHARS_MAX) return invalid("body is too long (maximum is 65536 characters)");
  world.comments.push(comment);
  issue.updated_at = at();
  return reply(201, comment);
}

function create(world: World, body: Record<string, unknown>): Reply {
  const text = String(body["body"] ?? "");
  if (String(body["title"]).length > 256) return invalid("title is too long (maximum is 256 characters)");
  if (text.length > BODY_CHARS_MAX) return invalid("body is too long (maximum is 65536 characters)");
  const assignees = (body["assignees"] ?? []) as string[];
  if (assignees.includes("nobody"))
    return reply(422, {
      message: "Validation Failed",
      errors: [{ resource: "Issue", field: "assignees", code: "invalid" }],
    });
  const number = world.issues.length + world.deleted.size + 1;
  const issue: GitHubIssue = {
    number,
    html_url: `https://github.com/${world.repository}/issues/${number}`,
    title: String(body["title"]),
    body: text,
    state: "open",
    state_reason: null,
    labels: ((body["labels"] ?? []) as string[]).map((label) => ({ name: label })),
    assignees: assignees.map((login) => ({ login })),
    created_at: at(),
    updated_at: at(),
    closed_at: null,
  };
  world.issues.push(issue);
  return reply(201, issue);
}

function update(issue: GitHubIssue, body: Partial<GitHubIssue>): Reply {
  const { state = issue.state, state_reason = issue.state_reason } = body;
  Object.assign(issue, body, { state, state_reason, updated_at: at(), closed_at: state === "closed" ? at() : null });
  return reply(200, issue);
}

function list(items: readonly { readonly updated_at: string }[], query: URLSearchParams): Reply {
  const since = Date.parse(query.get("since") ?? "1970-01-01T00:00:00Z");
  const perPage = Math.min(100, Number(query.get("per_page") ?? 30));
  const start = (Number(query.get("page") ?? 1) - 1) * perPage;
  const ordered = query.get("direction") === "desc" ? items.toReversed() : items;
  return reply(200, ordered.filter((item) => Date.parse(item.updated_at) >= since).slice(start, start + perPage));
}

/** What is wrong with a request, by the published description; one that it does not have is refused. */
function mismatch(name: string, request: ReceivedRequest, query: URLSearchParams): Reply | undefined {
  const operation = (description.operations as Readonly<Record<string, Operation | undefined>>)[name];
  if (operation === undefined) return reply(404, { message: `there is no ${name}` });
  for (const [key, text] of query) {
    const schema = operation.query[key];
    const value = schema && "type" in schema && schema.type === "integer" ? Number(text) : text;
    if (
      schema === undefined ||
      !z.fromJSONSchema(schema as never, { defaultTarget: "openapi-3.0" }).safeParse(value).success
    )
      return invalid(`the query ${key} is not what is described`);
  }
  if (operation.body === undefined) return request.body === "" ? undefined : invalid("a body where none is described");
  if (request.headers["content-type"] !== "application/json") return reply(415, { message: "no JSON" });
  const parsed = z
    .fromJSONSchema(operation.body as never, { defaultTarget: "openapi-3.0" })
    .safeParse(parseJson(request.body));
  if (!parsed.success) return invalid(parsed.error.message);
  const unknown = Object.keys(parsed.data as object).filter(
    (key) => !Object.hasOwn(operation.body?.properties ?? {}, key),
  );
  return unknown.length > 0 ? invalid(`not described: ${unknown.join(", ")}`) : undefined;
}

function isJwtOf(jwt: string, publicKeyPem: string, appId: string): boolean {
  const [header = "", claims = "", signature = ""] = jwt.split(".");
  const key = createPublicKey(publicKeyPem);
  if (!verify("sha256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url"))) return false;
  const decoded = z
    .strictObject({ iat: z.int(), exp: z.int(), iss: z.literal(appId) })
    .safeParse(parseJson(Buffer.from(claims, "base64url").toString("utf8")));
  const nowSeconds = Date.now() / 1000;
  return decoded.success && decoded.data.iat <= nowSeconds && decoded.data.exp <= nowSeconds + 600;
}

function at(laterMs = 0): string {
  return new Date(Date.now() + laterMs).toISOString();
}

function invalid(message: string): Reply {
  return reply(422, { message: "Validation Failed", errors: [{ message }] });
}

function reply(status: number, body: object): Reply {
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(body) };
}
