/** What is around an object, asked of the real API server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { createLookAround, SurroundingsSettings } from "../../../functions/actions/kube/surroundings.ts";
import type { Logger } from "../../../functions/kit/kit.ts";
import notifySlack from "../../../functions/notify-slack.ts";
import openTicket from "../../../functions/open-ticket.ts";
import { createDataFolder } from "../../kit/data-folder.ts";
import { startGitHub } from "../../kit/github-server.ts";
import { kubeconfigText } from "../../kit/kube-access.ts";
import type { KubeObject } from "../../kit/kube-client.ts";
import { startSlack } from "../../kit/slack-server.ts";
import { type KubeScene, openKubeScene } from "../kube-scene.ts";
import { sampleContext, sampleEvent } from "./sample-event.ts";

const FULL = { warnings: 2, owned: [{ apiVersion: "v1", kind: "Pod" }] };

/** A Database with three warnings, a normal Event, and a Pod of its own beside another's. */
async function scenery(scene: KubeScene) {
  const { client, namespace } = scene;
  const before = await scene.createDatabase("orders");
  const after = await scene.setStatus("orders", { phase: "Failed" });
  const other = await scene.createDatabase("others");
  const event = (name: string, about: KubeObject, more: object) =>
    client.create(`/api/v1/namespaces/${namespace}/events`, {
      metadata: { name, namespace },
      involvedObject: { kind: "Database", namespace, name: about.metadata.name, uid: about.metadata.uid },
      type: "Warning",
      ...more,
    });
  await event("a", after, {
    reason: "Newest",
    message: "disk\nfull",
    count: 12,
    lastTimestamp: "2026-03-04T05:06:07Z",
  });
  await event("b", after, { reason: "Oldest", message: "x", lastTimestamp: "2026-03-01T05:06:07Z" });
  await event("c", after, {
    reason: "Second",
    message: "y",
    eventTime: "2026-03-02T05:06:07.000000Z",
    reportingComponent: "z",
    reportingInstance: "z",
    action: "z",
  });
  await event("d", after, { reason: "Fine", message: "x", type: "Normal", lastTimestamp: "2026-03-04T05:06:08Z" });
  await event("e", other, { reason: "Another's", message: "x", lastTimestamp: "2026-03-04T05:06:08Z" });
  const pod = (name: string, owner: KubeObject) =>
    client.create(`/api/v1/namespaces/${namespace}/pods`, {
      metadata: {
        name,
        namespace,
        ownerReferences: [
          { apiVersion: "demo.example.com/v1", kind: "Database", name: owner.metadata.name, uid: owner.metadata.uid },
        ],
      },
      spec: { containers: [{ name: "db", image: "example.com/db" }] },
    });
  await pod("orders-0", after);
  await pod("others-0", other);
  return scene.updated(before, after);
}

/** A log that keeps its warnings. */
function listening() {
  const warnings: string[] = [];
  const log = { ...sampleContext(sampleEvent({ after: { spec: 1 }, op: "created" }), {}).log } as Logger;
  log.warn = ((_: object, text: string) => void warnings.push(text)) as Logger["warn"];
  return { warnings, log };
}

/** An API server that accepts connections and says nothing. */
async function silentKubeconfig(t: TestContext): Promise<string> {
  const server = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => server.close());
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const file = join(createDataFolder("kubeconfig").path, "config");
  writeFileSync(file, kubeconfigText({ url: `https://127.0.0.1:${port}`, caPem: "", tokens: { x: "t" } }, "x"));
  return file;
}

describe("what is around an object", () => {
  test("is its newest warnings and what it owns, and nothing of another's", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = await scenery(scene);
    const found = await createLookAround()(
      SurroundingsSettings.parse({ ...scene.kubernetes, ...FULL }),
      sampleContext(event, {}),
    );
    assert.deepEqual(found, {
      warnings: [
        { reason: "Newest", message: "disk full", count: 12, at: "2026-03-04T05:06:07Z" },
        { reason: "Second", message: "y", count: 1, at: "2026-03-02T05:06:07.000000Z" },
      ],
      owned: [{ kind: "Pod", name: "orders-0", state: "Ready 0/1, Status Pending, Restarts 0" }],
      ownedMore: 0,
      incomplete: [],
    });
  });

  test("stands in a Slack message and in a ticket, and in neither when the incident is over", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = await scenery(scene);
    const kubernetes = { ...scene.kubernetes, ...FULL };
    await using slack = await startSlack();
    await using github = await startGitHub();
    process.env["CR_REACTOR_TEST_WEBHOOK"] = slack.webhookUrl;
    process.env["CR_REACTOR_TEST_GITHUB"] = github.token;
    t.after(() => {
      delete process.env["CR_REACTOR_TEST_WEBHOOK"];
      delete process.env["CR_REACTOR_TEST_GITHUB"];
    });
    await scene.run(notifySlack, { webhookUrl: { env: "CR_REACTOR_TEST_WEBHOOK" }, kubernetes }, event);
    const posted = JSON.stringify(slack.messages[0]?.attachments);
    assert.match(posted, /\*Warnings\*\\n• \*Newest\* ×12 <!date\^\d+\^[^>]*>: disk full\\n• \*Second\* /);
    assert.match(posted, /\*Owns\*\\n• Pod `orders-0` Ready 0\/1, Status Pending, Restarts 0/);
    const token = { env: "CR_REACTOR_TEST_GITHUB" };
    const target = { type: "github", repository: github.repository, apiUrl: github.origin, token };
    await scene.run(openTicket, { target, kubernetes }, event);
    const body = github.issues[0]?.body ?? "";
    assert.match(
      body,
      /\| Warning 1 \| Newest \\\(12 times\\, last 2026\\-03\\-04 05\\:06\\:07 UTC\\\)\\: disk full \|/,
    );
    assert.match(body, /\| Owns Pod orders\\-0 \| Ready 0\\\/1\\, Status Pending\\, Restarts 0 \|/);
    const over = { ...sampleContext(event, {}), incident: { type: "resolved" } as never };
    assert.equal(await createLookAround()(SurroundingsSettings.parse(kubernetes), over), undefined);
  });

  test("is left out where RBAC forbids it, with one line in the log that names the rule", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = await scenery(scene);
    const kubeconfig = await scene.userWhoMay([{ apiGroups: [""], resources: ["pods"], verbs: ["list"] }]);
    const settings = SurroundingsSettings.parse({ ...FULL, kubeconfig });
    const { warnings, log } = listening();
    const lookAround = createLookAround();
    for (let i = 0; i < 2; i++) {
      const found = await lookAround(settings, { ...sampleContext(event, {}), log });
      assert.deepEqual([found?.warnings.length, found?.owned.length], [0, 1]);
    }
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0] ?? "",
      /Add this rule to the Role in test-\w+ of the functions: \{apiGroups: \[""\], resources: \["events"\], verbs: \["list"\]\}/,
    );
  });

  test("is not waited for longer than three seconds, and a message goes without it", async (t) => {
    const kubeconfig = await silentKubeconfig(t);
    const { warnings, log } = listening();
    const event = sampleEvent({ before: { spec: 1 }, after: { spec: 2 } });
    const settings = SurroundingsSettings.parse({ kubeconfig, cluster: "eu-1" });
    const found = await createLookAround()(settings, { ...sampleContext(event, {}), log });
    assert.deepEqual(found?.warnings, []);
    assert.deepEqual(warnings, [
      "told without what is around the object: the API server did not answer within 3000 ms",
    ]);
  });

  test("of another cluster is not looked for", async () => {
    const { warnings, log } = listening();
    const event = sampleEvent({ before: { spec: 1 }, after: { spec: 2 } });
    const settings = SurroundingsSettings.parse({ cluster: "us-1" });
    const found = await createLookAround()(settings, { ...sampleContext(event, {}), log });
    assert.deepEqual(found?.warnings, []);
    assert.match(warnings.join(), /the event is from the cluster eu-1, and kubernetes\.cluster says/);
  });
});
