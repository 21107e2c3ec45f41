/**
 * A bridge whose connections to the API server break in every way that the embedded API server can show: nothing is lost, nothing is
 * told twice, the reason is said, and a resource that cannot be read holds up no other.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { FaultEffect, FaultedRequest } from "../../cli/embedded/embedded.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";
import { openBridgeScene } from "./bridge-scene.ts";

/**
 * So that silence is noticed within the test; bookmarks come more often than that. Only where silence is what a test is about: a machine that
 * is busy elsewhere is silent for a second as well.
 */
const IMPATIENT = { headersMs: 1_000, bodyMs: 1_000 };
/** What an impatient bridge says of a machine that is busy elsewhere. */
const SILENCE = /gone silent .* half-open|does not answer/;
const BOOKMARK_MS = 200;
const databases = { apiVersion: "demo.example.com/v1", kind: "Database", namespaces: ["default"] };
const isOf = (plural: string) => (request: FaultedRequest) => request.path.endsWith(`/${plural}`);
const isStreamingList = ({ query }: FaultedRequest) => query.has("sendInitialEvents");
const rewriting = (text: (text: string) => string): FaultEffect => ({ type: "rewrite", text });
const refusing = (status: number, reason: string, retryAfterSeconds?: number): FaultEffect => ({
  type: "refuse",
  status,
  reason,
  ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
});

async function openScene(t: TestContext) {
  const { server, client, kubeconfigPath } = await openEmbedded(t, { bookmarkMs: BOOKMARK_MS });
  const bridges = await openBridgeScene(t, kubeconfigPath);
  if (bridges === undefined) return undefined;
  const { startBridge } = bridges;
  return {
    ...bridges,
    server,
    create: (name: string) => client.create(databasePath("default"), database(name, "default")),
    start: (...others: object[]) => startBridge({ resources: [databases, ...others] }),
    startImpatient: (...others: object[]) => startBridge({ resources: [databases, ...others] }, IMPATIENT),
  };
}

interface Row {
  readonly name: string;
  readonly effect: FaultEffect;
  /** What is said; `undefined`: nothing is wrong. */
  readonly problem: RegExp | undefined;
}

const watchRows: readonly Row[] = [
  { name: "that is half-open", effect: { type: "stall", afterBytes: 0 }, problem: /gone silent .* half-open/ },
  { name: "that is never answered", effect: { type: "hang" }, problem: /does not answer/ },
  { name: "that is cut in the middle of a line", effect: { type: "cut", afterBytes: 700 }, problem: undefined },
  {
    name: "with a line that is cut off, but ended",
    effect: rewriting((line) => `${line.slice(0, 100)}\n`),
    problem: /not JSON \(100 characters\)/,
  },
  {
    name: "with an object without uid",
    effect: rewriting((line) => (line.includes("BOOKMARK") ? line : line.replace(/"uid":"[^"]*",?/, ""))),
    problem: /lacks its identity: metadata\.uid/,
  },
  {
    name: "with a bookmark without version",
    effect: rewriting((line) => (line.includes("BOOKMARK") ? line.replace(/"resourceVersion":"[^"]*",?/, "") : line)),
    problem: /bookmark has no resourceVersion/,
  },
  {
    name: "with lines of 3 MB",
    effect: rewriting((line) => `{${" ".repeat(3 * 1024 ** 2)}${line.slice(1)}`),
    problem: undefined,
  },
];

describe("a watch", { concurrency: 4 }, () => {
  for (const { name, effect, problem } of watchRows)
    test(`${name} loses nothing, and ${problem ? "the reason is said" : "there is nothing to say"}`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const { server, create, start, startImpatient, told, events } = scene;
      const isSilent = effect.type === "stall" || effect.type === "hang";
      await create("before");
      const bridge = isSilent ? startImpatient() : start();
      await bridge.live(1);
      let isMet = false;
      const meets = (request: FaultedRequest) => {
        const isResumed = request.isWatch && isOf("databases")(request) && !isStreamingList(request);
        isMet ||= isResumed;
        return isResumed;
      };
      server.faults.add({ meets, effect });
      server.restart();
      await create("after");
      await told("default/after created");
      if (problem)
        await until(() => bridge.problems().some((each) => problem.test(each)), {
          what: `${problem} among ${bridge.problems()}`,
        });
      await create("last");
      await told("default/last created");
      await bridge.stop();
      assert.deepEqual(await events(), ["default/before existing", "default/after created", "default/last created"]);
      assert.ok(isMet);
      const expected = [problem, isSilent ? SILENCE : undefined, /other side closed|terminated|ECONNRE/];
      for (const each of bridge.problems())
        assert.ok(
          expected.some((one) => one?.test(each)),
          each,
        );
    });
});

const listRows: readonly Row[] = [
  { name: "that is a proxy's page", effect: rewriting(() => "<html>"), problem: /is not JSON \(6 bytes\): is a proxy/ },
  { name: "that is none", effect: rewriting(() => "{}"), problem: /the answer is not a list/ },
  { name: "that is cut off", effect: { type: "cut", afterBytes: 50 }, problem: /other side closed|terminated/ },
  { name: "with status 500", effect: refusing(500, "InternalError"), problem: /answers 500 InternalError/ },
  { name: "that is too old each time", effect: refusing(410, "Expired"), problem: /too old/ },
];

describe("a list", { concurrency: 4 }, () => {
  for (const { name, effect, problem } of listRows)
    test(`${name} is asked for again, ever more slowly, and the reason is said`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      const { server, create, start, told, events } = scene;
      await create("before");
      server.faults.add({ meets: isStreamingList, effect: refusing(400, "Invalid") });
      const isPage = (request: FaultedRequest) => isOf("databases")(request) && !request.isWatch;
      server.faults.add({ meets: isPage, times: 3, effect });
      const bridge = start();
      await told("default/before existing");
      await bridge.stop();
      assert.deepEqual(await events(), ["default/before existing"]);
      assert.ok(
        bridge.problems().every((each) => problem?.test(each)),
        String(bridge.problems()),
      );
      const attempts = bridge.lines.flatMap(({ attempt }) => attempt ?? []);
      assert.deepEqual(attempts, [1, 2, 3].slice(0, attempts.length));
      assert.ok(attempts.length >= 2, "at most one of them is repeated at once");
    });

  test("that is refused with Retry-After is not asked for sooner", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { server, create, start, told } = scene;
    await create("before");
    server.faults.add({ meets: isStreamingList, effect: refusing(429, "TooManyRequests", 3) });
    const bridge = start();
    await told("default/before existing");
    await bridge.live(1);
    const [refused, listed] = [/busy/, /compared/].map(
      (text) => bridge.lines.find(({ msg }) => text.test(msg))?.time ?? 0,
    );
    assert.ok((listed ?? 0) - (refused ?? 0) >= 2_900, `${refused} ${listed}`);
    assert.match(bridge.problems().join(), /busy \(429\), trying again: refused on demand/);
    await bridge.stop();
  });
});

describe("several resources", () => {
  test("one that hangs, one that fails and one that is forbidden say why, and hold up no other", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { server, create, startImpatient, told, events } = scene;
    const broken = [
      {
        title: "configmaps",
        apiVersion: "v1",
        kind: "ConfigMap",
        effect: { type: "hang" },
        problem: /does not answer/,
      },
      {
        title: "events",
        apiVersion: "v1",
        kind: "Event",
        effect: refusing(500, "InternalError"),
        problem: /500 Int/,
      },
      {
        title: "leases.coordination.k8s.io",
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        effect: refusing(403, "Forbidden"),
        problem: /Add this rule to the Role in default: .*resources: \["leases"\]/,
      },
    ] as const;
    for (const { title, effect } of broken)
      server.faults.add({ meets: isOf(title.split(".")[0] ?? ""), times: Infinity, effect });
    const entries = broken.map(({ apiVersion, kind }) => ({ apiVersion, kind, namespaces: ["default"] }));
    const bridge = startImpatient(...entries);
    await bridge.live(1);
    for (const name of ["one", "two", "three"]) {
      await create(name);
      await told(`default/${name} created`);
    }
    for (const { title, problem } of broken)
      await until(
        async () => {
          const states = await bridge.watches();
          return problem.test(states[`${title} in default`]?.problem ?? "");
        },
        { what: `the state of ${title} to say ${problem}`, pollMs: 50 },
      );
    await until(async () => (await bridge.watches())["databases.demo.example.com in default"]?.type === "watching");
    server.faults.clear();
    const served = await events();
    await bridge.live(1 + broken.length);
    await bridge.stop();
    assert.deepEqual(served, ["default/one created", "default/two created", "default/three created"]);
  });
});
