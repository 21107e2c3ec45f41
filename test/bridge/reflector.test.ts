/** Faults that a real API server does not show on demand are scripted; `test/journey` runs the reflector against the real one. */
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { describe, test } from "node:test";
import { type ApiRequest, type ApiServer, ApiStatusError } from "../../bridge/api-server.ts";
import { ignoring } from "../../bridge/diff.ts";
import { type ReflectorState, reflect, type WatchEvent } from "../../bridge/reflector.ts";
import type { WatchedResource } from "../../bridge/resource.ts";

const resource: WatchedResource = {
  cluster: "c",
  group: "demo.example.com",
  version: "v1",
  kind: "Database",
  plural: "databases",
  namespace: undefined,
  phase: { type: "path", segments: ["status", "phase"] },
  ignored: ignoring([]),
  settingsHash: "",
};

/** What the server does at one request: lines of a watch, a page of a list, or a refusal. */
type Answer = { readonly lines: readonly string[] } | { readonly page: object } | { readonly error: Error };

const object = (name: string, resourceVersion: string) => ({
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  metadata: { name, uid: `uid-${name}`, resourceVersion },
});
const line = (type: string, name: string, resourceVersion: string) =>
  `${JSON.stringify({ type, object: object(name, resourceVersion) })}\n`;
const bookmark = (resourceVersion: string, ends = false) =>
  `${JSON.stringify({ type: "BOOKMARK", object: { metadata: { resourceVersion, ...(ends && { annotations: { "k8s.io/initial-events-end": "true" } }) } } })}\n`;
const status = (code: number, reason = "", retryAfterMs = 0) =>
  new ApiStatusError(code, reason, "said so", retryAfterMs);

/** Answers one request after the other, and stops the reflector at the end of the script. */
function scripted(answers: readonly Answer[], stop: AbortController) {
  const requests: Readonly<Record<string, string>>[] = [];
  const next = (options: ApiRequest | undefined): Answer => {
    requests.push(options?.query ?? {});
    const answer = answers[requests.length - 1];
    if (answer !== undefined) return answer;
    stop.abort();
    throw new Error("the script is at its end");
  };
  const apiServer: ApiServer = {
    url: "https://scripted",
    context: "scripted",
    async open(_, options) {
      const answer = next(options);
      if ("error" in answer) throw answer.error;
      assert.ok("lines" in answer, "a watch was expected");
      return Readable.from(answer.lines.map((text) => Buffer.from(text)));
    },
    async json<T>(_: string, options?: ApiRequest) {
      const answer = next(options);
      if ("error" in answer) throw answer.error;
      assert.ok("page" in answer, "a list was expected");
      return answer.page as T;
    },
    close: async () => undefined,
  };
  return { apiServer, requests };
}

async function play(answers: readonly Answer[], resumeFrom?: string) {
  const stop = new AbortController();
  const { apiServer, requests } = scripted(answers, stop);
  const states: ReflectorState[] = [];
  const events: string[] = [];
  const onState = (state: ReflectorState) => states.push(state);
  for await (const event of reflect({
    apiServer,
    resource,
    signal: stop.signal,
    onState,
    random: () => 0,
    backoff: { firstMs: 1, maxMs: 1, resetAfterMs: 1 },
    ...(resumeFrom && { resumeFrom }),
  })) {
    events.push(short(event));
  }
  return { events, requests, problems: states.flatMap((state) => (state.type === "waiting" ? [state.problem] : [])) };
}

function short(event: WatchEvent): string {
  switch (event.type) {
    case "listing":
      return "listing";
    case "listed":
    case "bookmark":
      return `${event.type} ${event.resourceVersion}`;
    default:
      return `${event.type} ${event.object.metadata.name}@${event.object.metadata.resourceVersion}`;
  }
}

describe("the reflector", () => {
  test("streams the list and goes on watching on the same connection", async () => {
    const { events, requests } = await play([
      { lines: [line("ADDED", "a", "3"), bookmark("5", true), line("MODIFIED", "a", "6")] },
    ]);
    assert.deepEqual(events, ["listing", "initial a@3", "listed 5", "modified a@6"]);
    assert.equal(requests[0]?.["sendInitialEvents"], "true");
    assert.equal(requests[1]?.["resourceVersion"], "6");
  });

  test("lists in pages where the server has no streaming list, and never asks for one again", async () => {
    const page = (items: object[], token?: string) => ({
      page: { metadata: { resourceVersion: "5", ...(token && { continue: token }) }, items },
    });
    const { events, requests } = await play([
      { error: status(422, "Invalid") },
      page([object("a", "3")], "next"),
      page([{ metadata: object("b", "4").metadata }]),
      { lines: [line("DELETED", "a", "7")] },
      { error: status(410, "Expired") },
      page([]),
    ]);
    assert.deepEqual(events, [
      "listing",
      "listing",
      "initial a@3",
      "initial b@4",
      "listed 5",
      "deleted a@7",
      "listing",
      "listed 5",
    ]);
    assert.deepEqual(
      [requests[1]?.["limit"], requests[2]?.["continue"], requests[3]?.["resourceVersion"]],
      ["500", "next", "5"],
    );
  });

  test("starts a list over when its continue token expires", async () => {
    const { events } = await play([
      { error: status(400) },
      { page: { metadata: { resourceVersion: "5", continue: "next" }, items: [object("a", "3")] } },
      { error: status(410, "Expired") },
      { page: { metadata: { resourceVersion: "9" }, items: null } },
    ]);
    assert.deepEqual(events.slice(1), ["listing", "initial a@3", "listing", "listed 9"]);
  });

  test("resumes from a checkpoint without a list", async () => {
    const { events, requests } = await play([{ lines: [line("ADDED", "a", "43"), bookmark("50")] }], "42");
    assert.deepEqual(events, ["added a@43", "bookmark 50"]);
    assert.deepEqual(
      requests.map((query) => query["resourceVersion"]),
      ["42", "50"],
    );
  });

  const expiries = [
    { name: "as an HTTP status", answer: { error: status(410, "Gone") } },
    {
      name: "as an ERROR event",
      answer: {
        lines: [`${JSON.stringify({ type: "ERROR", object: { code: 410, reason: "Expired", message: "too old" } })}\n`],
      },
    },
  ] satisfies { name: string; answer: Answer }[];
  for (const { name, answer } of expiries) {
    test(`lists again when its version is too old, told ${name}`, async () => {
      const { events, problems } = await play([answer, { lines: [bookmark("60", true)] }], "42");
      assert.deepEqual(events, ["listing", "listed 60"]);
      assert.deepEqual(problems, []);
    });
  }

  test("drops a line that was cut off, and resumes behind the last whole one", async () => {
    const { events, requests } = await play(
      [{ lines: [line("ADDED", "a", "43"), line("ADDED", "b", "44").slice(0, 30)] }],
      "42",
    );
    assert.deepEqual(events, ["added a@43"]);
    assert.equal(requests[1]?.["resourceVersion"], "43");
  });

  const faults = [
    { name: "a line that is not JSON", answer: { lines: ["<html>\n"] }, problem: /not JSON/ },
    {
      name: "an object without identity",
      answer: { lines: ['{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n'] },
      problem: /lacks its identity/,
    },
    { name: "an unknown type of event", answer: { lines: [line("MOVED", "a", "43")] }, problem: /"MOVED"/ },
    { name: "a watch that ends at once", answer: { lines: [] }, problem: /ended the watch at once/ },
    {
      name: "a connection that breaks",
      answer: { error: new Error("read ECONNRESET") },
      problem: /databases\.demo\.example\.com: read ECONNRESET/,
    },
    {
      name: "an error event that is not about age",
      answer: {
        lines: [
          `${JSON.stringify({ type: "ERROR", object: { code: 500, reason: "InternalError", message: "boom" } })}\n`,
        ],
      },
      problem: /500 InternalError: boom/,
    },
    { name: "an API server that is starting", answer: { error: status(429) }, problem: /busy \(429\)/ },
    { name: "credentials that are not accepted", answer: { error: status(401) }, problem: /renew the token/ },
    {
      name: "a missing permission",
      answer: { error: status(403, "Forbidden") },
      problem:
        /ClusterRole.*apiGroups: \["demo\.example\.com"\], resources: \["databases"\], verbs: \["get", "list", "watch"\]/,
    },
    {
      name: "a resource that is not served",
      answer: { error: status(404) },
      problem: /waiting for its CustomResourceDefinition/,
    },
  ] satisfies { name: string; answer: Answer; problem: RegExp }[];
  for (const { name, answer, problem } of faults) {
    test(`survives ${name}: it says so and resumes where it was`, async () => {
      const { events, requests, problems } = await play([answer, { lines: [line("ADDED", "a", "43")] }], "42");
      assert.deepEqual(events, ["added a@43"]);
      assert.equal(requests[1]?.["resourceVersion"], "42");
      assert.match(problems[0] ?? "", problem);
    });
  }
});
