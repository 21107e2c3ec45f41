import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { describe, test } from "node:test";
import { connectJetStream } from "../../../bridge/nats/jetstream.ts";
import { needNats, sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { bridgeText, doctor, file, resource, runDoctor, SECRET, subscriptionText } from "./doctor-run.ts";

describe("doctor", () => {
  test("--help explains itself with an example", async () => {
    const { code, out } = await runDoctor(["--help"]);
    assert.equal(code, 0);
    assert.match(out, /Usage: cr-reactor doctor[\s\S]*\$ cr-reactor doctor --config bridge\.yaml/);
  });

  test("finds nothing wrong where nothing is, and leaves everything as it was", async (t) => {
    const [nats, kube] = [await needNats(t, { config: "max_payload: 8MB" }), await sharedKube(t)];
    if (nats === undefined || kube === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    const namespace = await uniqueNamespace(kube);
    const bridge = file(t, "bridge.yaml", bridgeText("", resource(`, namespaces: [${namespace}]`)));
    const args = ["--config", bridge, "--subscriptions", file(t, "subs.yaml", subscriptionText())];
    const env = { NATS_URL: nats.url, KUBECONFIG: kube.kubeconfigPath };
    const { code, ok, lines, text } = await doctor(args, env);
    assert.deepEqual([code, ok], [0, true], text);
    assert.deepEqual(
      lines.map((line) => line.replace(/ \/\S+?([a-z]+\.yaml)/, " $1").replace(/(https?|nats):\/\/\S+/g, "URL")),
      [
        `node ok: Node ${process.versions.node}`,
        "configuration ok: bridge.yaml: cluster dev, 1 resource",
        "configuration ok: subs.yaml: 1 subscription of 1 function",
        "configuration ok: the bridge captures what every subscription waits for",
        "configuration ok: the secret is set",
        `nats ok: nats-server ${jetStream.serverVersion} at URL`,
        "nats ok: this server lets everybody in",
        "nats ok: JetStream: 0 bytes stored, no limit for this account",
        "nats ok: CR_EVENTS: not there yet, the bridge makes it when it starts",
        "nats ok: OBJ_CR_BLOBS: not there yet, the bridge makes it when it starts",
        "nats ok: KV_CR_CHECKPOINTS: not there yet, the bridge makes it when it starts",
        "nats ok: CR_DEAD_LETTERS: not there yet, the functions make it when they need it",
        "nats ok: CR_RETRIES: not there yet, the functions make it when they need it",
        "nats ok: CR_TIMERS: not there yet, the functions make it when they need it",
        "nats ok: KV_CR_STEPS: not there yet, the functions make it when they need it",
        "nats ok: KV_CR_INCIDENTS: not there yet, the functions make it when they need it",
        "nats ok: max_payload is 8 MiB: larger events go through the object store",
        "nats ok: permissions: all that the bridge needs",
        "nats ok: permissions: all that the functions need",
        "cluster ok: Kubernetes 1.36.3 at URL (context admin)",
        "cluster ok: signed in as admin",
        "cluster ok: the clocks of this machine and the API server agree",
        `cluster ok: Database of demo.example.com/v1: may be read in ${namespace}, 0 objects`,
      ],
    );
    assert.equal((await jetStream.api<{ total: number }>("STREAM.NAMES")).total, 0);
    const shown = await runDoctor(args, env);
    assert.equal(shown.code, 0);
    assert.match(
      shown.out,
      /^Node\n {2}✔ Node \S+\nConfiguration\n {2}✔ [\s\S]*\nEverything that was checked is well\.\n$/,
    );
  });

  test("without files tells what can be told, and where nothing answers what to start", async () => {
    const { code, text } = await doctor([]);
    assert.equal(code, 1);
    assert.match(text, /configuration skipped: files: none are given/);
    assert.match(text, /nats failed: no NATS at nats:\/\/127\.0\.0\.1:1: connection refused → nats-server -js/);
    assert.match(text, /cluster failed: no kubeconfig was found → export KUBECONFIG=/);
    const { out } = await runDoctor([]);
    assert.match(out, / {2}✖ no NATS at nats:\/\/127\.0\.0\.1:1: connection refused\n {4}→ nats-server -js/);
    assert.match(out, / {2}– skipped: sign-in/);
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  });

  test("servers that accept and say nothing do not keep it waiting", async (t) => {
    const silent: Server = createServer().listen(0, "127.0.0.1");
    t.after(() => silent.close());
    await new Promise((resolve) => silent.once("listening", resolve));
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : 0;
    const kubeconfig = JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user: { token: SECRET } }],
      contexts: [{ name: "quiet", context: { cluster: "c", user: "u" } }],
      "current-context": "quiet",
    });
    const args = ["--server", `nats://u:${SECRET}@127.0.0.1:${port}`, "--kubeconfig", file(t, "config", kubeconfig)];
    const { code, text } = await doctor(args);
    assert.equal(code, 1);
    assert.match(text, /nats failed: no NATS at nats:\/\/127\.0\.0\.1:\d+: silent for 4 s/);
    assert.match(
      text,
      /cluster failed: no API server at http:\S+ \(context quiet\): no answer within 4 s → kubectl --kubeconfig \S+ cluster-info/,
    );
  });
});
