/** The reflector on the embedded API server, which shows on demand what a real one seldom does; `test/journey` has the real one. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import { type ReflectorState, reflect, type WatchEvent } from "../../../bridge/kube/reflector.ts";
import type { EmbeddedKubeOptions, Fault, FaultEffect, FaultedRequest } from "../../../cli/embedded/embedded.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { type EmbeddedStage, openEmbedded } from "../../kit/embedded-kube.ts";
import { until } from "../../kit/until.ts";

const settings = { phase: "status.phase", ignore: [] };
const databases = { ...settings, apiVersion: "demo.example.com/v1", kind: "Database", plural: "databases" };
const configMaps = { ...settings, apiVersion: "v1", kind: "ConfigMap", plural: "configmaps" };
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
/** The size of the reflector's pages. */
const PAGE = 500;

const ofWatch = ({ isWatch }: FaultedRequest) => isWatch;
const ofStreamingList = ({ query }: FaultedRequest) => query.has("sendInitialEvents");
const refusal = (status: number, reason: string): FaultEffect => ({ type: "refuse", status, reason });
const rewriting = (text: (text: string) => string): FaultEffect => ({ type: "rewrite", text });
const noStreamingList = (status: number): Fault => ({ meets: ofStreamingList, effect: refusal(status, "Invalid") });

interface FollowOptions {
  readonly resource?: typeof databases;
  /** Counted from the test's start, as all versions here. */
  readonly resumeFrom?: number;
  /** The next event is not pulled before this is done. */
  readonly onEvent?: (event: WatchEvent) => Promise<void>;
}

/** The server, a hand that changes its Databases, and the reflector. */
async function openScene(t: TestContext, options?: EmbeddedKubeOptions) {
  const stage = await openEmbedded(t, options);
  const { server, client } = stage;
  return {
    stage,
    server,
    create: (name: string) => client.create(databasePath("default"), database(name, "default")),
    createMany: (count: number) =>
      Promise.all(
        Array.from({ length: count }, (_, index) =>
          client.create(databasePath("default"), database(`many-${index}`, "default")),
        ),
      ),
    label: (name: string, label: string) =>
      client.patch(databasePath("default", name), { metadata: { labels: { label } } }),
    remove: (name: string) => client.delete(databasePath("default", name)),
    /** A write that a watch of Databases is not told. */
    writeElsewhere: () => client.create(CONFIG_MAPS, { metadata: { generateName: "elsewhere-" } }),
    follow: (follow?: FollowOptions) => startFollowing(t, stage, follow),
  };
}

/** Starts a reflector that ends with its test. */
async function startFollowing(
  t: TestContext,
  stage: EmbeddedStage,
  { resource = databases, resumeFrom, onEvent = async () => undefined }: FollowOptions = {},
) {
  const { apiServer, requests: asked } = await stage.connect();
  /** Without the looks at the history, which have a test of their own. */
  const requests = () => asked.filter(({ query }) => query["limit"] !== "1");
  const stop = new AbortController();
  const states: ReflectorState[] = [];
  const events: string[] = [];
  const follow = async () => {
    for await (const event of reflect({
      apiServer,
      resource: watchedResource("c", resource, { plural: resource.plural, namespaced: true }, undefined),
      signal: stop.signal,
      onState: (state) => states.push(state),
      random: () => 0,
      backoff: { firstMs: 1, maxMs: 1, resetAfterMs: 1 },
      ...(resumeFrom !== undefined && { resumeFrom: stage.absolute(resumeFrom) }),
    })) {
      events.push(short(stage, event));
      await onEvent(event);
    }
  };
  const following = follow();
  t.after(async () => {
    stop.abort();
    await following;
  });
  return {
    /** Everything told: `modified a@3`, `listed 2`. */
    events,
    requests,
    problems: () => states.flatMap((state) => (state.type === "waiting" ? [state.problem] : [])),
    /** Waits until it has told this. */
    told: (event: string) => until(() => events.includes(event), { what: `the reflector to tell "${event}"` }),
    /** Waits for the request of this number, the first being 1, and answers where it resumes. */
    resumed: async (count: number) => {
      await until(() => requests().length >= count, { what: `request ${count}` });
      return stage.relative(requests()[count - 1]?.query["resourceVersion"]);
    },
  };
}

function short({ relative }: EmbeddedStage, event: WatchEvent): string {
  switch (event.type) {
    case "listing":
    case "rewound":
      return event.type;
    case "listed":
    case "bookmark":
      return `${event.type} ${relative(event.resourceVersion)}`;
    default:
      return `${event.type} ${event.object.metadata.name}@${relative(event.object.metadata.resourceVersion)}`;
  }
}

/** With the number of initial objects in the place of each of them. */
function counted(events: readonly string[]): string[] {
  const told: string[] = [];
  let initial = 0;
  for (const event of events) {
    if (event.startsWith("initial ")) initial++;
    else {
      if (initial > 0) told.push(`${initial} initial`);
      initial = 0;
      told.push(event);
    }
  }
  return told;
}

/** The line in which a watch tells of a new object. */
const lineBytes = (object: object) => Buffer.byteLength(`${JSON.stringify({ type: "ADDED", object })}\n`);

describe("the reflector", () => {
  test("streams the list and goes on watching on the same connection", async (t) => {
    const { server, create, label, writeElsewhere, follow } = await openScene(t);
    await create("a");
    await writeElsewhere();
    const { events, requests, told, resumed } = await follow();
    await told("listed 2");
    await label("a", "x");
    await told("modified a@3");
    assert.deepEqual(events, ["listing", "initial a@1", "listed 2", "modified a@3"]);
    assert.deepEqual(
      requests().map(({ query }) => query["sendInitialEvents"]),
      ["true"],
    );
    server.restart();
    assert.equal(await resumed(2), 3);
  });

  test("lists in pages where the server has no streaming list, and never asks for one again", async (t) => {
    const { server, stage, createMany, remove, follow, writeElsewhere } = await openScene(t);
    await createMany(PAGE + 1);
    server.faults.add(noStreamingList(422));
    const { events, requests, told, resumed } = await follow();
    await told(`listed ${PAGE + 1}`);
    await remove("many-0");
    await told(`deleted many-0@${PAGE + 2}`);
    await stage.outage(writeElsewhere);
    await told(`listed ${PAGE + 3}`);
    assert.deepEqual(counted(events), [
      "listing",
      "listing",
      `${PAGE + 1} initial`,
      `listed ${PAGE + 1}`,
      `deleted many-0@${PAGE + 2}`,
      "listing",
      `${PAGE} initial`,
      `listed ${PAGE + 3}`,
    ]);
    const { limit, continue: token = "" } = requests()[2]?.query ?? {};
    assert.deepEqual([requests()[1]?.query, limit, token === ""], [{ limit: "500" }, "500", false]);
    assert.equal(await resumed(4), PAGE + 1);
    assert.equal(requests().filter(({ query }) => query["sendInitialEvents"]).length, 1);
  });

  test("names kind and apiVersion of the objects in a page, where the server leaves them out", async (t) => {
    const { server, writeElsewhere, follow } = await openScene(t);
    await writeElsewhere();
    server.faults.add(noStreamingList(400));
    const kinds: unknown[] = [];
    const onEvent = async (event: WatchEvent) => {
      if (event.type === "initial") kinds.push([event.object.apiVersion, event.object.kind]);
    };
    const { told } = await follow({ resource: configMaps, onEvent });
    await told("listed 1");
    assert.ok(kinds.length > 0);
    assert.deepEqual(new Set(kinds.map(String)), new Set(["v1,ConfigMap"]));
  });

  test("starts a list over when its continue token expires", async (t) => {
    const { server, createMany, remove, follow } = await openScene(t);
    await createMany(PAGE + 1);
    server.faults.add(noStreamingList(400));
    let isFirst = true;
    const onEvent = async (event: WatchEvent) => {
      if (event.type !== "initial" || !isFirst) return;
      isFirst = false;
      await remove("many-0");
      server.compact();
    };
    const { events, problems, told } = await follow({ onEvent });
    await told(`listed ${PAGE + 2}`);
    const whole = [`${PAGE} initial`, `listed ${PAGE + 2}`];
    assert.deepEqual(counted(events), ["listing", "listing", `${PAGE} initial`, "listing", ...whole]);
    assert.deepEqual(problems(), []);
  });

  test("resumes from a checkpoint without a list, and then from where a bookmark says", async (t) => {
    const { server, create, writeElsewhere, follow } = await openScene(t, { bookmarkMs: 10 });
    await create("before");
    await create("a");
    const { events, told, resumed } = await follow({ resumeFrom: 1 });
    await told("added a@2");
    await writeElsewhere();
    await told("bookmark 3");
    assert.equal(events.filter((event) => !event.startsWith("bookmark")).join(), "added a@2");
    server.restart();
    assert.deepEqual([await resumed(1), await resumed(2)], [1, 3]);
  });

  const expiries: readonly { readonly name: string; readonly effect: FaultEffect | undefined }[] = [
    { name: "as an HTTP status", effect: refusal(410, "Gone") },
    { name: "as an ERROR event", effect: undefined },
  ];
  for (const { name, effect } of expiries) {
    test(`lists again when its version is too old, told ${name}`, async (t) => {
      const { server, create, follow } = await openScene(t);
      await create("a");
      if (effect === undefined) server.compact();
      else server.faults.add({ meets: ofWatch, effect });
      const { events, problems, told } = await follow({ resumeFrom: 0 });
      await told("listed 1");
      assert.deepEqual(events, ["listing", "initial a@1", "listed 1"]);
      assert.deepEqual(problems(), []);
    });
  }

  for (const type of ["cut", "end"] as const) {
    test(`drops a line that was cut off, and resumes behind the last whole one, when the connection is ${type === "cut" ? "cut" : "closed as if all was well"}`, async (t) => {
      const { server, create, follow } = await openScene(t);
      const afterBytes = lineBytes(await create("a")) + 30;
      server.faults.add({ meets: ofWatch, effect: { type, afterBytes } });
      const { events, told, resumed } = await follow({ resumeFrom: 0 });
      await told("added a@1");
      await create("b");
      await told("added b@2");
      assert.deepEqual(events, ["added a@1", "added b@2"]);
      assert.equal(await resumed(2), 1);
    });
  }

  const boom = { kind: "Status", code: 500, reason: "InternalError", message: "boom" };
  const faults: readonly {
    readonly name: string;
    readonly effect: FaultEffect;
    readonly times?: number;
    readonly problem: RegExp;
  }[] = [
    { name: "a line that is not JSON", effect: rewriting(() => "<html>\n"), problem: /not JSON/ },
    {
      name: "an object without identity",
      effect: rewriting((text) => text.replace(/"uid":"[^"]*",?/, "")),
      problem: /lacks its identity: metadata\.uid/,
    },
    {
      name: "an unknown type of event",
      effect: rewriting((text) => text.replace("ADDED", "MOVED")),
      problem: /"MOVED"/,
    },
    { name: "a watch that ends at once", effect: { type: "end", afterBytes: 0 }, problem: /ended the watch at once/ },
    {
      name: "a connection that breaks",
      effect: { type: "cut", afterBytes: 0 },
      problem: /databases\.demo\.example\.com: other side closed/,
    },
    {
      name: "an error event that is not about age",
      effect: rewriting(() => `${JSON.stringify({ type: "ERROR", object: boom })}\n`),
      problem: /500 InternalError: boom/,
    },
    { name: "an API server that is starting", effect: refusal(429, "TooManyRequests"), problem: /busy \(429\)/ },
    {
      name: "credentials that are not accepted, not even when they are read anew",
      effect: refusal(401, "Unauthorized"),
      times: 2,
      problem: /renew the token/,
    },
    {
      name: "a missing permission",
      effect: refusal(403, "Forbidden"),
      problem:
        /ClusterRole.*apiGroups: \["demo\.example\.com"\], resources: \["databases"\], verbs: \["get", "list", "watch"\]/,
    },
    {
      name: "a resource that is not served",
      effect: refusal(404, "NotFound"),
      problem: /waiting for its CustomResourceDefinition/,
    },
  ];
  test("notices resourceVersions that have gone back while it watched, says so before it lists, and goes on", async (t) => {
    const { server, create, follow } = await openScene(t);
    await create("a");
    const backup = server.resourceVersion;
    await create("b");
    const { events, told } = await follow();
    await told("initial b@2");
    server.restore(backup);
    await told("rewound");
    await create("c");
    await told("added c@2");
    assert.deepEqual(events.slice(events.indexOf("rewound")), [
      "rewound",
      "listing",
      "initial a@1",
      "listed 1",
      "added c@2",
    ]);
  });

  test("notices them at its start, instead of skipping what comes until the old version is reached again", async (t) => {
    const { create, follow } = await openScene(t);
    await create("a");
    const { events, told } = await follow({ resumeFrom: 50 });
    await told("listed 1");
    assert.deepEqual(events, ["rewound", "listing", "initial a@1", "listed 1"]);
  });

  for (const { name, effect, times = 1, problem } of faults) {
    test(`survives ${name}: it says so and resumes where it was`, async (t) => {
      const { server, create, follow } = await openScene(t);
      await create("a");
      server.faults.add({ meets: ofWatch, times, effect });
      const { events, problems, told, resumed } = await follow({ resumeFrom: 0 });
      await told("added a@1");
      assert.deepEqual(events, ["added a@1"]);
      assert.deepEqual([await resumed(1), await resumed(2)], [0, 0]);
      assert.match(problems().join(), problem);
      assert.equal(problems().length, 1);
    });
  }
});
