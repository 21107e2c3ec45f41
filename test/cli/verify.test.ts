/**
 * `cr-reactor verify` as a user runs it, on a real NATS: what it finds, what it repairs, and its exit codes. Differences are made by hand, in
 * the log or in the cluster, while the bridge is stopped.
 */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { openVerifying } from "../bridge/verifying.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const NOWHERE = "127.0.0.1:1";
const KUBECONFIG_OF_NOWHERE = {
  "current-context": "c",
  contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
  clusters: [{ name: "c", cluster: { server: `https://${NOWHERE}` } }],
  users: [{ name: "u", user: {} }],
};

async function openScene(t: TestContext, extra: object = {}) {
  const kube = await openEmbedded(t);
  return await openVerifying(t, kube, "default", extra);
}

type Scene = NonNullable<Awaited<ReturnType<typeof openScene>>>;

/** Captures these objects, and `last` behind them, with a bridge that is stopped again. */
async function capture({ makeStream, startBridge, create, scale, events }: Scene, ...names: string[]): Promise<void> {
  await makeStream();
  const bridge = await startBridge();
  for (const name of names) {
    await create(name);
    await scale(name, 2);
  }
  await create("last");
  await until(async () => (await events()).includes("last created"));
  await bridge.stop();
}

interface Report {
  readonly ok: boolean;
  readonly resources: readonly {
    readonly title: string;
    readonly standing?: string;
    readonly objects?: number;
    readonly known?: number;
    readonly differences?: readonly { readonly kind: string; readonly name: string; readonly outcome?: string }[];
    readonly problem?: string;
  }[];
}

async function reportOf(scene: Scene, args: readonly string[] = [], overrides: object = {}) {
  const { code, out } = await scene.verify(["--json", ...args], overrides);
  return { code, ...(JSON.parse(out) as Report) };
}

const different = ({ resources }: Report) =>
  (resources[0]?.differences ?? []).map(({ kind, name, outcome }) =>
    [kind, name.split("/")[1], outcome].filter(Boolean).join(" "),
  );

describe("verify", () => {
  test("names every kind of difference, repairs it when told to, and then finds none", async (t) => {
    const kube = await sharedKube(t);
    const scene = kube && (await openVerifying(t, kube, await uniqueNamespace(kube)));
    if (scene === undefined) return;
    const { create, remove, dropLast, purge, invent, events, verify } = scene;
    await capture(scene, "stale", "missing", "replaced", "ghost", "untouched");
    assert.equal((await verify()).code, 0, "nothing differs yet");
    await dropLast("stale");
    await purge("missing");
    await remove("replaced");
    await create("replaced");
    await remove("ghost");
    await invent("never-was");
    const before = await events();
    const shown = await verify();
    assert.equal(shown.code, 1);
    assert.match(shown.out, /✖ databases\.demo\.example\.com in \S+: 5 objects, 6 in the log, 5 differences/);
    for (const each of ["1 missing: ", "1 stale: ", "1 replaced: ", "2 ghost: ", "/never-was (log 1)"])
      assert.ok(shown.out.includes(each), `${each} in:\n${shown.out}`);
    assert.match(shown.out, /→ the bridge repairs this at its next verification; now: --repair/);
    assert.deepEqual(await events(), before, "nothing is written");
    const repaired = await reportOf(scene, ["--repair"]);
    assert.deepEqual([repaired.code, repaired.ok], [0, true]);
    assert.deepEqual(different(repaired), [
      "ghost ghost repaired",
      "missing missing repaired",
      "ghost never-was repaired",
      "replaced replaced repaired",
      "stale stale repaired",
    ]);
    const written = (await events()).slice(before.length);
    assert.deepEqual(written.toSorted(), [
      "ghost deleted gap",
      "missing created gap",
      "never-was deleted gap",
      "replaced created gap",
      "replaced deleted gap",
      "stale updated gap",
    ]);
    const { code, out } = await verify(["--repair"]);
    assert.deepEqual([code, /no difference[\s\S]*The log has what the cluster has/.test(out)], [0, true]);
    const bridge = await scene.startBridge();
    await create("next");
    await until(async () => (await events()).includes("next created"));
    await bridge.stop();
    assert.equal((await events()).length, before.length + written.length + 1, "the bridge finds nothing left to tell");
  });

  test("takes a change of ignored paths for no difference", async (t) => {
    const scene = await openScene(t, { ignore: ["status"] });
    if (scene === undefined) return;
    await capture(scene, "a", "b");
    await scene.setMessage("a", "beat");
    await scene.scale("b", 3);
    const report = await reportOf(scene);
    assert.deepEqual([report.code, ...different(report)], [1, "stale b"]);
  });

  test("beside a running bridge takes an object that changes all the time for no difference", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await capture(scene, "busy");
    await scene.startBridge();
    const stop = new AbortController();
    const writing = (async () => {
      for (let count = 0; !stop.signal.aborted; count++) await scene.scale("busy", 2 + (count % 7));
    })();
    // Time for a bridge that is behind because the machine is busy elsewhere.
    const patient = ["--wait", "2"];
    const reports = [await reportOf(scene, [...patient, "--repair"])];
    for (const _ of [1, 2]) reports.push(await reportOf(scene, patient));
    stop.abort();
    await writing;
    assert.deepEqual(
      reports.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.deepEqual(
      (await scene.events()).filter((each) => each.endsWith("gap")),
      [],
    );
  });

  test("shows twenty names, and all of them as JSON", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await capture(scene);
    for (let index = 10; index < 35; index++) await scene.create(`db-${index}`);
    const { code, out } = await scene.verify();
    assert.equal(code, 1);
    assert.equal(out.match(/\/db-\d+ \(cluster \d+\)/g)?.length, 20);
    assert.match(out, /25 missing: [\s\S]*5 names more: --json has all/);
    assert.equal(different(await reportOf(scene)).length, 25);
  });

  test("says of what was never captured just that, and leaves it to the bridge", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const { makeStream, create, events, verify } = scene;
    await makeStream();
    assert.equal((await verify()).code, 0, "no object, no difference");
    await create("a");
    const { code, out } = await verify(["--repair"]);
    assert.equal(code, 1);
    assert.match(out, /1 object, none in the log\s+this resource has not been captured yet/);
    assert.match(out, /publishes these objects at its first start as existing \(never as created\)/);
    assert.doesNotMatch(out, /default\/a/);
    assert.deepEqual(await events(), []);
  });

  const standings = [
    {
      name: "whose settings have changed",
      work: async () => undefined,
      change: { ignore: ["spec.engine"] },
      expected: "changed",
    },
    { name: "that has lost its newest event", work: ({ dropLast }: Scene) => dropLast("last"), expected: "lost" },
    {
      name: "that has no checkpoint",
      work: ({ jetStream }: Scene) => jetStream.api<unknown>("STREAM.DELETE.KV_CR_CHECKPOINTS"),
      expected: "unfinished",
    },
  ];
  for (const { name, work, change = {}, expected } of standings) {
    test(`does not repair a log ${name}: its bridge compares everything at its start`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      await capture(scene, "a");
      await work(scene);
      await scene.scale("a", 5);
      const before = await scene.events();
      const report = await reportOf(scene, ["--repair"], change);
      assert.deepEqual([report.code, report.resources[0]?.standing], [1, expected]);
      assert.ok(different(report).includes("stale a"));
      assert.deepEqual(await scene.events(), before);
    });
  }

  test("notices a cluster that is not the one that was captured", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    const other = await openEmbedded(t);
    await capture(scene, "a", "b");
    const { code, out } = await scene.verify([], { kubernetes: { kubeconfig: other.kubeconfigPath } });
    assert.equal(code, 2);
    assert.match(out, /the log is newer than the cluster/);
  });

  const impossible = [
    {
      name: "NATS that is not there",
      config: { nats: { servers: [`nats://user:hunter2@${NOWHERE}`] } },
      expected: /no connection to NATS at nats:\/\/127\.0\.0\.1:1 .*set nats\.servers or NATS_URL/,
    },
    { name: "a NATS without a log", expected: /no stream CR_EVENTS on this NATS: start the bridge first/ },
    {
      name: "an API server that is not there",
      stream: true,
      kubeconfig: KUBECONFIG_OF_NOWHERE,
      expected: /API server at https:\/\/127\.0\.0\.1:1 does not answer: .*kubectl cluster-info/,
    },
    {
      name: "a kind that the cluster does not serve",
      stream: true,
      config: { resources: [{ apiVersion: "demo.example.com/v1", kind: "Nothing" }] },
      expected: /Nothing of demo\.example\.com\/v1 is not served: apply its CustomResourceDefinition/,
    },
    {
      name: "a kind that the configuration does not have",
      args: ["--resource", "Databse"],
      expected: /no resource of kind "Databse" \(did you mean "Database"\?\): it has Database/,
    },
    { name: "a wrong configuration", config: { cluster: "Dev" }, expected: /bridge\.yaml:1:\d+ cluster: expected/ },
    { name: "a wait that is none", args: ["--wait", "0"], expected: /Expected seconds: more than 0, at most 600/ },
  ];
  for (const { name, stream = false, config = {}, kubeconfig, args = [], expected } of impossible) {
    test(`${name} ends with exit code 2 and the next step`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      if (stream) await scene.makeStream();
      const file = kubeconfig && scene.writeFile("kubeconfig", JSON.stringify(kubeconfig));
      const { code, out, err } = await scene.verify(args, {
        ...config,
        ...(file !== undefined && { kubernetes: { kubeconfig: file } }),
      });
      assert.match(out + err, expected);
      assert.equal(code, 2);
    });
  }
});
