/**
 * The verification that runs inside the bridge, on a real NATS: differences are made in the log by hand, under a bridge that watches.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { isCaughtUp } from "../../../bridge/capture/comparison.ts";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import type { ApiRequest, ApiServer } from "../../../bridge/kube/api-server.ts";
import { metadataPages } from "../../../bridge/kube/metadata-list.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";
import { openVerifying } from "../verifying.ts";

/** Every second; a bridge that is three of them behind, because the machine is busy elsewhere, is given that time. */
const OFTEN = { verify: { everyMinutes: 1 / 60, graceSeconds: 1 } };
const ERROR = 50;
/** One more than a page. */
const OBJECTS = 501;

async function openScene(t: TestContext, extra: object = {}) {
  const kube = await openEmbedded(t);
  const scene = await openVerifying(t, kube, "default", extra);
  return scene && { ...scene, ...kube };
}

describe("what the log says of an object is up to date", () => {
  const alive = { uid: "a", absence: undefined, sequence: 1 };
  const dead = { ...alive, absence: "deleted" as const };
  const listed = { uid: "a", version: "50" };
  const rows = [
    { name: "at the version that was listed", listed, logged: { ...alive, resourceVersion: "50" }, expected: true },
    { name: "behind it", listed, logged: { ...alive, resourceVersion: "49" }, expected: false },
    { name: "beyond it", listed, logged: { ...alive, resourceVersion: "101" }, expected: true },
    { name: "not at all there", listed, logged: undefined, expected: false },
    { name: "gone after the list", listed, logged: { ...dead, resourceVersion: "101" }, expected: true },
    { name: "gone before the list that has it", listed, logged: { ...dead, resourceVersion: "60" }, expected: false },
    { name: "another one", listed, logged: { ...alive, uid: "b", resourceVersion: "60" }, expected: false },
    {
      name: "another one after the list",
      listed,
      logged: { ...alive, uid: "b", resourceVersion: "101" },
      expected: true,
    },
    { name: "alive and not listed", listed: undefined, logged: { ...alive, resourceVersion: "60" }, expected: false },
    { name: "born after the list", listed: undefined, logged: { ...alive, resourceVersion: "101" }, expected: true },
    { name: "dead and not listed", listed: undefined, logged: { ...dead, resourceVersion: "60" }, expected: true },
    {
      name: "of the epoch before",
      listed: { ...listed, version: `2${"50".padStart(20, "0")}` },
      logged: { ...alive, resourceVersion: "90" },
      expected: false,
    },
  ];
  for (const { name, listed: row, logged, expected } of rows) {
    test(`${name}: ${expected ? "yes" : "no"}`, () => {
      const listVersion = (row?.version.length ?? 0) > 20 ? `2${"100".padStart(20, "0")}` : "100";
      assert.equal(isCaughtUp(row, logged, listVersion), expected);
    });
  }
});

test("the list has names, uids and versions alone, in pages of one version", async (t) => {
  const kube = await openEmbedded(t);
  const { apiServer } = await kube.connect();
  const collection = databasePath("default");
  for (let first = 0; first < OBJECTS; first += 50) {
    const names = Array.from({ length: Math.min(50, OBJECTS - first) }, (_, index) => `db-${first + index}`);
    await Promise.all(names.map((name) => kube.client.create(collection, database(name, "default"))));
  }
  const answers: { kind: string; items: readonly object[] }[] = [];
  const listening: ApiServer = {
    ...apiServer,
    async json<T>(path: string, request?: ApiRequest) {
      const answer = await apiServer.json<T>(path, request);
      answers.push(answer as (typeof answers)[number]);
      return answer;
    },
  };
  const settings = { apiVersion: "demo.example.com/v1", kind: "Database", phase: "status.phase", ignore: [] };
  const resource = watchedResource("test", settings, { plural: "databases", namespaced: true }, "default");
  const { signal } = new AbortController();
  const pages = await Array.fromAsync(metadataPages({ apiServer: listening, resource, signal }));
  assert.deepEqual(
    pages.map(({ items }) => items?.length),
    [500, OBJECTS - 500],
  );
  assert.equal(new Set(pages.map(({ metadata }) => metadata.resourceVersion)).size, 1);
  assert.ok(answers.every(({ kind, items }) => kind === "PartialObjectMetadataList" && !("spec" in (items[0] ?? {}))));
});

describe("a bridge that verifies", () => {
  test("publishes each difference once, with gap, counts and names it", async (t) => {
    const kube = await sharedKube(t);
    const scene = kube && (await openVerifying(t, kube, await uniqueNamespace(kube)));
    if (scene === undefined) return;
    const { makeStream, create, scale, dropLast, purge, invent, events } = scene;
    await makeStream();
    const bridge = await scene.startBridge(OFTEN);
    for (const name of ["stale", "missing", "replaced", "untouched"]) await create(name);
    await scale("stale", 2);
    await create("last");
    await until(async () => (await events()).includes("last created"));
    await dropLast("stale");
    await purge("missing");
    await invent("replaced");
    await invent("ghost");
    await until(async () => (await bridge.metric("cr_reactor_differences_total")) === 4);
    await bridge.verified(2);
    assert.deepEqual((await events()).toSorted(), [
      "ghost deleted gap",
      "ghost existing",
      "last created",
      "missing created gap",
      "replaced created",
      "replaced created gap",
      "replaced deleted gap",
      "replaced existing",
      "stale created",
      "stale updated gap",
      "untouched created",
    ]);
    for (const kind of ["missing", "stale", "replaced", "ghost"])
      assert.equal(await bridge.metric("cr_reactor_differences_total", `kind="${kind}"`), 1, kind);
    const told = bridge.lines.filter(({ msg }) => msg.startsWith("the log differed"));
    assert.equal(told.length > 0 && told.every(({ level }) => level === ERROR), true);
    assert.deepEqual(
      told
        .flatMap(({ objects }) => objects as string[])
        .map((name) => name.split("/")[1])
        .toSorted(),
      ["ghost", "missing", "replaced", "stale"],
    );
  });

  test("takes an object that changes all the time, and ignored changes, for no difference", async (t) => {
    const scene = await openScene(t, { ignore: ["status.message"] });
    if (scene === undefined) return;
    const { makeStream, create, scale, setMessage, events } = scene;
    await makeStream();
    const bridge = await scene.startBridge(OFTEN);
    for (const name of ["busy", "beating", "both", "still"]) await create(name);
    for (const name of ["beating", "both"]) await setMessage(name, "first"); // a status is new, and so told
    let writing = true;
    let writes = 0;
    const write = async () => {
      for (let count = 0; writing; count++) {
        await scale("busy", 2 + (count % 5));
        await setMessage("beating", `beat ${count}`);
        await setMessage("both", `beat ${count}`);
        if (count % 10 === 0) await scale("both", 2 + (count % 3));
        writes = count;
      }
    };
    const written = write();
    await bridge.verified(3);
    writing = false;
    await written;
    await bridge.verified(1);
    assert.ok(writes > 10, `${writes} writes`);
    assert.equal(await bridge.metric("cr_reactor_differences_total"), 0);
    const told = await events();
    assert.deepEqual(
      told.filter((each) => /gap|^(beating|still) updated/.test(each)),
      ["beating updated"],
    );
  });

  test("a log that lost its newest event is told as lost, once, and the watch starts over", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { makeStream, create, scale, dropLast, events } = scene;
    await makeStream();
    const bridge = await scene.startBridge(OFTEN);
    await create("a");
    await scale("a", 2);
    await until(async () => (await events()).includes("a updated"));
    await dropLast("a");
    await until(async () => (await events()).some((each) => each.startsWith("a updated")));
    await bridge.verified(1);
    assert.equal(await bridge.metric("cr_reactor_recoveries_total", 'cause="log-lost"'), 1);
    assert.equal(await bridge.metric("cr_reactor_differences_total"), 0);
    const losses = bridge.lines.filter(({ msg }) => /NATS has lost events/.test(msg));
    assert.deepEqual(
      losses.map(({ level }) => level),
      [ERROR],
    );
    assert.equal(bridge.lines.filter(({ msg }) => /^the checkpoint counts no longer|^resuming/.test(msg)).length, 1);
  });

  test("does not while its watch is not established, and does again when it is", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { makeStream, create, server } = scene;
    await makeStream();
    const bridge = await scene.startBridge(OFTEN);
    await create("a");
    await bridge.verified(1);
    const effect = { type: "cut", afterBytes: 0 } as const;
    const allow = server.faults.add({ meets: ({ isWatch }) => isWatch, times: Infinity, effect });
    await scene.restart();
    const waiting = () => bridge.lines.filter(({ attempt }) => typeof attempt === "number").length;
    await until(() => waiting() >= 1);
    const before = await bridge.metric("cr_reactor_verifications_total");
    await until(() => waiting() >= 3); // client-go's backoff: more than two intervals
    assert.ok(
      (await bridge.metric("cr_reactor_verifications_total")) <= before + 1,
      "at most the one that was running",
    );
    allow();
    await bridge.verified(1);
  });
});
