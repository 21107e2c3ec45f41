import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { judge, STORY } from "../../cli/demo-story.ts";
import { databasePath } from "../kit/database-crd.ts";
import { needKube, needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const run = promisify(execFile);

const step = (title: RegExp) => STORY.find((each) => title.test(each.title)) ?? assert.fail(`no step ${title}`);

describe("the demo's judgement of a step", () => {
  const [fails, scales, runs] = [step(/it fails/), step(/scales/), step(/it runs/)];
  const failed = {
    event: "updated  Running → Failed",
    slack: ["Database demo/orders: Running → Failed"],
    workflows: [],
  };
  const scaled = { event: "updated", slack: [], workflows: [{ database: "orders", from: 3, to: 5 }] };
  const rows = [
    { name: "accepts what is expected", step: fails, outcome: failed, expected: [] },
    { name: "accepts a workflow with the right values", step: scales, outcome: scaled, expected: [] },
    {
      name: "misses an event",
      step: runs,
      outcome: { event: undefined, slack: [], workflows: [] },
      expected: [/event is "missing"/],
    },
    {
      name: "misses a Slack message",
      step: fails,
      outcome: { ...failed, slack: [] },
      expected: [/0 Slack messages, expected 1/],
    },
    {
      name: "notices a second Slack message",
      step: fails,
      outcome: { ...failed, slack: [...failed.slack, ...failed.slack] },
      expected: [/2 Slack messages, expected 1/],
    },
    {
      name: "notices a Slack message that says something else",
      step: fails,
      outcome: { ...failed, slack: ["hello"] },
      expected: [/says "hello"/],
    },
    {
      name: "notices a Slack message where none belongs",
      step: runs,
      outcome: { event: "updated  Provisioning → Running", slack: ["x"], workflows: [] },
      expected: [/1 Slack messages, expected 0/],
    },
    {
      name: "notices a workflow with wrong values",
      step: scales,
      outcome: { ...scaled, workflows: [{ database: "orders", from: 5, to: 3 }] },
      expected: [/workflows were started with/],
    },
    {
      name: "misses a workflow",
      step: scales,
      outcome: { ...scaled, workflows: [] },
      expected: [/workflows were started with \[\]/],
    },
  ];
  for (const { name, step, outcome, expected } of rows) {
    test(name, () => {
      const problems = judge(step, outcome);
      assert.equal(problems.length, expected.length, problems.join("\n"));
      for (const [index, pattern] of expected.entries()) assert.match(problems[index] ?? "", pattern);
    });
  }
});

describe("the demo", () => {
  test("needs no cluster: it says that its API server is the embedded one, and fits 80 columns", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const env = { ...process.env, KUBECONFIG: "/nowhere", NO_COLOR: "1" };
    const { stdout } = await run(process.execPath, [CLI, "demo"], { env });
    assert.match(stdout, /API server {2}the embedded one, in this process: no cluster needed/);
    assert.match(stdout, /7 steps, 7 events, 1 Slack message, 1 workflow: each once, nothing else\./);
    const tooLong = stdout.split("\n").filter((line) => line.length > 80);
    assert.deepEqual(tooLong, []);
  });

  test("--real lives through the same on a kube-apiserver of its own", async (t) => {
    if ((await needKube(t)) === undefined || (await needNats(t)) === undefined) return;
    const { stdout } = await run(process.execPath, [CLI, "demo", "--real"], { env: { ...process.env, NO_COLOR: "1" } });
    assert.match(stdout, /API server {2}kube-apiserver v1\.\d+\.\d+ \(the real one\)/);
    assert.match(stdout, /each once, nothing else\./);
  });

  test("--keep on the embedded API server says how kubectl reaches it", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const demo = spawn(process.execPath, [CLI, "demo", "--keep"], {
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    for await (const chunk of demo.stdout) {
      out += chunk;
      if (!out.includes("Ctrl-C ends it")) continue;
      const [, kubeconfig = ""] = /--kubeconfig (\S+) -n demo/.exec(out) ?? assert.fail(out);
      const apiServer = await connectApiServer({ kubeconfig });
      assert.equal((await apiServer.json<{ items: unknown[] }>(databasePath("demo"))).items.length, 0);
      await apiServer.close();
      demo.kill("SIGINT");
    }
    assert.equal(demo.exitCode ?? (await new Promise((resolve) => demo.once("close", resolve))), 0, out);
  });

  test("on one's own cluster lives through its story and leaves nothing behind", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined || (await needNats(t)) === undefined) return;
    const env = { ...process.env, KUBECONFIG: kube.kubeconfigPath, NO_COLOR: "1" };
    const { stdout } = await run(process.execPath, [CLI, "demo", "--context", "admin"], { env });
    assert.match(stdout, /your cluster, context admin/);
    assert.match(stdout, /7 steps, 7 events, 1 Slack message, 1 workflow: each once, nothing else\./);
    assert.ok(
      stdout.split("\n").every((line) => line.length <= 80),
      "fits 80 columns",
    );
    // The API server takes its time to clean up behind a definition that is deleted.
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await until(async () => (await kube.client.list(definitions)).length === 0, { what: "no definition to be left" });
    const namespaces = await kube.client.list("/api/v1/namespaces");
    const left = namespaces.filter(
      (namespace) => namespace.metadata.name.startsWith("cr-reactor-demo") && !namespace.metadata["deletionTimestamp"],
    );
    assert.deepEqual(left, []);
  });

  test("with --keep goes on until Ctrl-C, says how to reach everything, and then takes it down", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined || (await needNats(t)) === undefined) return;
    const env = { ...process.env, KUBECONFIG: kube.kubeconfigPath, NO_COLOR: "1" };
    const demo = spawn(process.execPath, [CLI, "demo", "--context", "admin", "--keep"], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    for await (const chunk of demo.stdout) {
      out += chunk;
      if (out.includes("Ctrl-C ends it")) demo.kill("SIGINT");
    }
    const code = demo.exitCode ?? (await new Promise<number | null>((resolve) => demo.once("close", resolve)));
    assert.equal(code, 0, out);
    assert.match(out, /alias k='kubectl --context admin -n cr-reactor-demo-\w+'/);
    assert.match(out, /tail --server nats:\/\/127\.0\.0\.1:\d+/);
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await until(async () => (await kube.client.list(definitions)).length === 0, { what: "no definition to be left" });
  });

  test("without permission says what was forbidden, with exit code 1", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    const env = { ...process.env, KUBECONFIG: kube.kubeconfigPath, NO_COLOR: "1" };
    await assert.rejects(
      run(process.execPath, [CLI, "demo", "--context", "restricted"], { env }),
      (error: { code?: number; stderr?: string }) => {
        assert.equal(error.code, 1);
        assert.match(error.stderr ?? "", /error: .*customresourcedefinitions.*is forbidden/);
        return true;
      },
    );
  });

  test("with a context that does not exist names those that do", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    const env = { ...process.env, KUBECONFIG: kube.kubeconfigPath, NO_COLOR: "1" };
    await assert.rejects(
      run(process.execPath, [CLI, "demo", "--context", "nowhere"], { env }),
      /no context "nowhere": it has admin, restricted/,
    );
  });
});
