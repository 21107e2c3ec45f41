/** `cr-reactor tail --direct` as people run it: a process of the command line against the real API server. No NATS is to be found. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { type Envelope, opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { type KubeAccess, kubeconfigText } from "../kit/kube-access.ts";
import { spawnOwned } from "../kit/owned-child.ts";
import { mintUser, needKube, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const RULE = { apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list", "watch"] };
const RBAC = { apiGroup: "rbac.authorization.k8s.io" };

/** Starts `tail` with the kubeconfig; what it wrote so far is in `out` and `err`. */
function startTail(t: TestContext, kubeconfig: string, args: readonly string[]) {
  const env = { ...process.env, NO_COLOR: "1", KUBECONFIG: kubeconfig, NATS_URL: "nats://127.0.0.1:1" };
  const child = spawnOwned(process.execPath, [CLI, "tail", ...args], { env });
  const tail = { out: "", err: "" };
  child.stdout.on("data", (chunk) => (tail.out += chunk));
  child.stderr.on("data", (chunk) => (tail.err += chunk));
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  t.after(() => child.kill("SIGKILL"));
  return {
    get out() {
      return tail.out;
    },
    get err() {
      return tail.err;
    },
    /** Resolves when it watches; throws when it ended before. */
    async watching() {
      await until(() => /there now/.test(tail.err) || child.exitCode !== null, { what: "tail to watch" });
      assert.equal(child.exitCode, null, tail.err);
    },
    /** Its exit code, after Ctrl-C. */
    async interrupt() {
      child.kill("SIGINT");
      return await closed;
    },
    closed,
  };
}

/** Runs `tail` to its end. */
async function runTail(t: TestContext, kubeconfig: string, args: readonly string[]) {
  const tail = startTail(t, kubeconfig, args);
  const code = await tail.closed;
  return { code, out: tail.out, err: tail.err };
}

/** A cluster, a namespace in it, and a hand that changes its Databases. */
async function stage(t: TestContext) {
  const kube = await sharedKube(t);
  if (kube === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const path = (name?: string) => databasePath(namespace, name);
  return {
    kube,
    namespace,
    path,
    create: (name: string) => kube.client.create(path(), database(name, namespace)),
    status: (name: string, status: object) =>
      kube.client.patch(path(name), { status }, { subresource: "status", fieldManager: "operator" }),
    spec: (name: string, spec: object) => kube.client.patch(path(name), { spec }, { fieldManager: "person" }),
  };
}

/** A user who may get, list and watch Databases in the namespace, and nothing else. */
async function readerOf(t: TestContext, kube: KubeAccess, namespace: string): Promise<string> {
  const { user, token } = await mintUser(kube, namespace, "reader");
  const root = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await kube.client.create(`${root}/roles`, { metadata: { name: "reader" }, rules: [RULE] });
  await kube.client.create(`${root}/rolebindings`, {
    metadata: { name: "reader" },
    roleRef: { ...RBAC, kind: "Role", name: "reader" },
    subjects: [{ ...RBAC, kind: "User", name: user }],
  });
  const folder = createDataFolder("kubeconfig");
  t.after(() => folder.remove());
  const file = join(folder.path, "kubeconfig");
  writeFileSync(file, kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { reader: token } }, "reader"));
  return file;
}

const linesOf = (text: string) => text.trim().split("\n");

describe("tail --direct", () => {
  test("shows what changes with its patch, phase and field manager, without NATS, and ends at Ctrl-C", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    await scene.create("there");
    const tail = startTail(t, kube.kubeconfigPath, ["databases", "--direct", "--context", "admin", "-n", namespace]);
    await tail.watching();
    await scene.create("orders");
    await scene.status("orders", { phase: "Running" });
    await scene.status("orders", {
      phase: "Failed",
      conditions: [{ type: "Ready", status: "False", reason: "DiskFull" }],
    });
    await scene.spec("orders", { replicas: 5 });
    await kube.client.delete(scene.path("orders"));
    await until(() => /deleted/.test(tail.out));
    assert.equal(await tail.interrupt(), 0);

    const out = tail.out.replace(/^\d\d:\d\d:\d\d\.\d{3} {2}/gm, "").replaceAll(`${namespace}/`, "");
    assert.deepEqual(linesOf(out.replace(/ \(held \d+ s\)/g, "")), [
      "created   Database orders  by cr-reactor-test",
      "updated   Database orders  none → Running  by operator",
      '  + status: {"phase":"Running"}',
      "updated   Database orders  Running → Failed  by operator",
      "    Ready: none → False (DiskFull)",
      '  ~ status.phase: "Running" → "Failed"',
      '  + status.conditions: [{"reason":"DiskFull","status":"False","type":"Ready"}]',
      "updated   Database orders  Failed  by person",
      "  ~ spec.replicas: 1 → 5",
      "deleted   Database orders  Failed",
    ]);
    assert.deepEqual(linesOf(tail.err), [
      `context admin (${kube.url})`,
      `watching databases.demo.example.com in ${namespace}; nothing is written`,
      "1 there now. Ctrl-C ends it.",
    ]);
  });

  test("with --json prints CloudEvents, of the cluster named after the context; --existing begins with what is there", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    await scene.create("there");
    const args = ["Database.demo.example.com", "--direct", "-n", namespace, "--json", "--existing", "--count", "2"];
    const tail = startTail(t, kube.kubeconfigPath, args);
    await tail.watching();
    await scene.status("there", { phase: "Running" });
    assert.equal(await tail.closed, 0);
    const [existing, updated, ...more] = linesOf(tail.out).map((text) => parseEnvelope(text)) as [Envelope, Envelope];
    assert.deepEqual([opOf(existing), opOf(updated), more], ["existing", "updated", []]);
    const object = await kube.client.get(scene.path("there"));
    assert.equal(updated.id, `${object.metadata.uid}.${object.metadata.resourceVersion}`);
    assert.deepEqual(
      [updated.source, updated.manager, updated.phase, updated.data.patch],
      ["/clusters/admin", "operator", "Running", [{ op: "add", path: "/status", value: { phase: "Running" } }]],
    );
  });

  test("needs no more than get, list and watch in the one namespace, and leaves everything as it is", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    const before = await scene.create("there");
    const kubeconfig = await readerOf(t, kube, namespace);
    const tail = startTail(t, kubeconfig, ["db", "--direct", "-n", namespace]);
    await tail.watching();
    await scene.create("orders");
    await until(() => /created {3}Database \S+\/orders/.test(tail.out));
    assert.equal(await tail.interrupt(), 0);
    const after = await kube.client.get(scene.path("there"));
    assert.deepEqual(after.metadata, before.metadata, "resourceVersion and managedFields are untouched");
  });

  test("follows only the object that is named, and finds its phase where it is told", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    for (const name of ["one", "other"]) await scene.create(name);
    const args = ["db", "--direct", "-n", namespace, "--name", "one", "--phase", "condition:Ready", "--count", "2"];
    const tail = startTail(t, kube.kubeconfigPath, args);
    await tail.watching();
    for (const name of ["other", "one"]) {
      await scene.status(name, { conditions: [{ type: "Ready", status: "False" }] });
      await scene.status(name, { conditions: [{ type: "Ready", status: "True" }] });
    }
    assert.equal(await tail.closed, 0);
    assert.match(tail.out, /Database \S+\/one {2}none → False[\s\S]*Database \S+\/one {2}False → True/);
    assert.doesNotMatch(tail.out, /other/);
    assert.match(tail.err, /in \S+ named one; nothing is written\n1 there now/);
  });

  test("watches built-in kinds as well", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    const maps = `/api/v1/namespaces/${namespace}/configmaps`;
    const tail = startTail(t, kube.kubeconfigPath, ["cm", "--direct", "-n", namespace, "--name", "app"]);
    await tail.watching();
    await kube.client.create(maps, { metadata: { name: "app" }, data: { level: "info" } });
    await kube.client.patch(`${maps}/app`, { data: { mode: "fast" } }, { fieldManager: "person" });
    await until(() => /ConfigMap \S+\/app {2}by person\n {2}\+ data\.mode: "fast"/.test(tail.out));
  });

  test("says that the connection is lost, waits, and tells what changed meanwhile", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const one = databasePath("default", "one");
    await kube.client.create(databasePath("default"), database("one", "default"));
    const tail = startTail(t, kube.kubeconfigPath, ["db", "--direct"]);
    await tail.watching();
    await kube.kill();
    await until(() => /\ninterrupted: databases\.demo\.example\.com: /.test(tail.err));
    await kube.restart();
    await kube.client.patch(one, { spec: { replicas: 5 } }, { fieldManager: "person" });
    await until(() => /spec\.replicas/.test(tail.out) && /back again/.test(tail.err));
    assert.match(tail.out, /updated {3}Database default\/one {2}by person.*\n {2}~ spec\.replicas: 1 → 5\n$/);
    assert.match(tail.err, /\nback again: 1 there now\n$/);
    assert.equal(await tail.interrupt(), 0);
  });

  test("never prints a value of a Secret, only which key changed", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { kube, namespace } = scene;
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const values = ["hunter2", "hunter3"];
    const annotation = (value: string) => ({ "kubectl.kubernetes.io/last-applied-configuration": value });
    await kube.client.create(path, { metadata: { name: "there" }, stringData: { password: "hunter1" } });
    const tails = [[], ["--json"]].map((more) =>
      startTail(t, kube.kubeconfigPath, [
        "secrets",
        "--direct",
        "-n",
        namespace,
        "--existing",
        "--count",
        "3",
        ...more,
      ]),
    );
    await Promise.all(tails.map((tail) => tail.watching()));
    const [first = "", second = ""] = values;
    const metadata = { name: "app", annotations: annotation(first) };
    await kube.client.create(path, { metadata, stringData: { password: first } });
    await kube.client.patch(`${path}/app`, {
      metadata: { annotations: annotation(second) },
      stringData: { password: second },
    });
    for (const tail of tails) {
      assert.equal(await tail.closed, 0);
      const text = `${tail.out}${tail.err}`;
      for (const value of ["hunter1", ...values]) {
        assert.ok(!text.includes(value) && !text.includes(Buffer.from(value).toString("base64")), "no value");
      }
      assert.match(tail.err, /values are redacted: you see that one changed, not what it is/);
    }
    assert.match(tails[0]?.out ?? "", /~ data\.password: "\(redacted \w{4}:\w{16}\)" → "\(redacted \w{4}:\w{16}\)"/);
  });
});

describe("tail --direct is refused", () => {
  test("by the API server: it names the missing rule and ends, instead of waiting for ever", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const { code, err } = await runTail(t, scene.kube.kubeconfigPath, ["db", "--direct", "--context", "restricted"]);
    assert.equal(code, 1);
    assert.match(
      err,
      /forbidden \(403\)\. Add this rule to the ClusterRole.*resources: \["databases"\], verbs: \["get", "list", "watch"\]\}\. Or watch a namespace that you may read: -n <namespace>\n$/,
    );
  });

  test("outside of the namespace that the user may read", async (t) => {
    const scene = await stage(t);
    if (scene === undefined) return;
    const kubeconfig = await readerOf(t, scene.kube, scene.namespace);
    const { code, err } = await runTail(t, kubeconfig, ["db", "--direct", "-n", "default"]);
    assert.equal(code, 1);
    assert.match(
      err,
      /databases\.demo\.example\.com in default: forbidden \(403\)\. Add this rule to the Role in default/,
    );
  });

  const mistakes = [
    {
      name: "for an unknown kind, with the nearest name",
      args: ["databsaes"],
      code: 1,
      expected: /no resource "databsaes" \(did you mean "databases"\?\).*kubectl api-resources --verbs=watch/,
    },
    {
      name: "for a kind without watch",
      args: ["SelfSubjectReview"],
      code: 1,
      expected: /cannot be watched: the API server offers only create/,
    },
    {
      name: "for a namespace of a kind that has none",
      args: ["nodes", "-n", "default"],
      code: 2,
      expected: /nodes are not in namespaces: leave it out/,
    },
    {
      name: "for a context that does not exist",
      args: ["db", "--context", "nowhere"],
      code: 1,
      expected: /no context "nowhere": it has admin, restricted/,
    },
    { name: "without a kind", args: [], code: 2, expected: /'--direct' needs a kind/ },
    {
      name: "with a time to begin at, which only the log has",
      args: ["db", "--since", "1h"],
      code: 2,
      expected: /'--since <duration>' cannot be used with option '--direct'/,
    },
    {
      name: "with NATS servers",
      args: ["db", "--server", "nats://x"],
      code: 2,
      expected: /'--server <url\.\.\.>' cannot be used with option '--direct'/,
    },
    {
      name: "with a phase that cannot be read",
      args: ["db", "--phase", "status..phase"],
      code: 2,
      expected: /'--phase': path "status\.\.phase" cannot be read.*write it as/,
    },
  ];
  for (const { name, args, code, expected } of mistakes) {
    test(name, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      const run = await runTail(t, kube.kubeconfigPath, [...args, "--direct"]);
      assert.match(run.err, expected);
      assert.doesNotMatch(run.err, /\n\s+at /, "no stack");
      assert.equal(run.code, code);
    });
  }

  for (const option of [
    ["--context", "admin"],
    ["--kubeconfig", "file"],
    ["--phase", "status.phase"],
    ["--existing"],
  ]) {
    test(`without --direct, ${option[0]} is a mistake`, async (t) => {
      const { code, err } = await runTail(t, "/nowhere", ["db", ...option]);
      assert.equal(code, 2);
      assert.match(err, new RegExp(`option '${option[0]}' needs --direct`));
    });
  }

  test("when nobody answers, with where it was looked", async (t) => {
    const folder = createDataFolder("kubeconfig");
    t.after(() => folder.remove());
    const file = join(folder.path, "kubeconfig");
    writeFileSync(file, kubeconfigText({ url: "https://127.0.0.1:1", caPem: "", tokens: { admin: "x" } }));
    const { code, err } = await runTail(t, "/nowhere", ["db", "--direct", "--kubeconfig", file]);
    assert.equal(code, 1);
    assert.match(err, /the API server at https:\/\/127\.0\.0\.1:1 does not say what it serves: connection refused/);
  });
});
