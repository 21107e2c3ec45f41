import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Envelope } from "../../bridge/event/envelope.ts";
import type { FunctionContext } from "../../functions/kit/define.ts";
import rollback from "../../functions/rollback.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { failureOf } from "./actions/thrown.ts";
import { openKubeScene } from "./kube-scene.ts";

const MARK = "(redacted 1a2b:0123456789abcdef)";

/** A Database, everything that happens to it as the log has it, and the function that is told of the last. */
async function openScene(t: TestContext, { observes = true, manager = "kubectl-edit", redacted = false } = {}) {
  const scene = await openKubeScene(t);
  if (scene === undefined) return undefined;
  const log: Envelope[] = [];
  const masked = (object: KubeObject): KubeObject =>
    redacted && object["spec"].replicas === 1 ? { ...object, spec: { ...object["spec"], version: MARK } } : object;
  let last = await scene.createDatabase("orders", { replicas: 1, storageGb: 10 });
  log.push(scene.created(masked(last)));
  const tell = (next: KubeObject) => {
    log.push(scene.updated(masked(last), masked(next)));
    last = next;
    return next;
  };
  const status = async (phase: string, more: object = {}) => {
    const { generation } = (await scene.client.get(scene.path("orders"))).metadata;
    return tell(
      await scene.setStatus("orders", { phase, ...(observes && { observedGeneration: generation }), ...more }),
    );
  };
  const edit = async (spec: object) => tell(await scene.setSpec("orders", spec, manager));
  const readLog = async function* () {
    yield* log.slice(0, -1);
  };
  return {
    ...scene,
    status,
    edit,
    /** It runs, somebody edits it, and it fails. */
    async fail(spec: object) {
      await status("Running");
      await edit(spec);
      await status("Failed");
    },
    spec: async () => (await scene.client.get(scene.path("orders")))["spec"],
    run: (more: object = {}, { history }: Pick<FunctionContext<unknown>, "history"> = { history: readLog }) => {
      const config = { healthy: { phases: ["Running"] }, kubernetes: scene.kubernetes, ...more };
      const event = log.at(-1);
      assert.ok(event);
      return scene.run(rollback, config, event, { history, subscription: "undo" });
    },
  };
}

describe("rollback", () => {
  for (const observes of [true, false]) {
    const how = observes ? "says which spec its status is about" : "does not say which spec its status is about";
    test(`restores the last spec under which an object was healthy that ${how}, once`, async (t) => {
      const scene = await openScene(t, { observes });
      if (scene === undefined) return;
      await scene.fail({ replicas: 9, version: "0", storageGb: null });
      const note = await scene.run();
      assert.match(
        note ?? "",
        /orders rolled back to the spec of \S+ \(event \S+\): spec\.replicas, spec\.version, spec\.storageGb$/,
      );
      assert.deepEqual(await scene.spec(), { engine: "postgres", version: "17", replicas: 1, storageGb: 10 });
      const restored = await scene.client.get(scene.path("orders"));
      const managers = restored.metadata["managedFields"] as { manager: string }[];
      assert.ok(managers.some(({ manager }) => manager === "cr-reactor/undo"));
      assert.match((await scene.run()) ?? "", /has a newer spec$/);

      await scene.edit({ replicas: 9, version: "0", storageGb: null });
      await scene.status("Failed", { message: "again" });
      const failure = await failureOf(() => scene.run());
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, /fails again under a spec that was rolled back before/);
    });
  }

  test("goes past a spec that looked healthy only because its status was late", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.status("Running");
    await scene.edit({ replicas: 5 });
    await scene.status("Running", { observedGeneration: 1, message: "a heartbeat" });
    await scene.edit({ replicas: 9 });
    await scene.status("Failed");
    await scene.run();
    assert.equal((await scene.spec()).replicas, 1);
  });

  test("says what it would do and does nothing, where it is told so", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.fail({ replicas: 9 });
    assert.match((await scene.run({ dryRun: true })) ?? "", /would be rolled back to .*: spec\.replicas$/);
    assert.equal((await scene.spec()).replicas, 9);
  });

  type Scene = NonNullable<Awaited<ReturnType<typeof openScene>>>;
  const leftAlone: { name: string; meanwhile: (scene: Scene) => Promise<unknown>; says: RegExp }[] = [
    {
      name: "has a newer spec",
      meanwhile: (scene) => scene.setSpec("orders", { replicas: 2 }),
      says: /has a newer spec$/,
    },
    {
      name: "has recovered",
      meanwhile: (scene) => scene.setStatus("orders", { phase: "Running" }),
      says: /has recovered$/,
    },
    { name: "is gone", meanwhile: (scene) => scene.client.delete(scene.path("orders")), says: /is gone$/ },
    {
      name: "came again under its name",
      async meanwhile(scene) {
        await scene.client.delete(scene.path("orders"));
        await scene.createDatabase("orders", { replicas: 9 });
      },
      says: /is another object of that name now$/,
    },
  ];
  for (const { name, meanwhile, says } of leftAlone) {
    test(`leaves alone what ${name}`, async (t) => {
      const scene = await openScene(t);
      if (scene === undefined) return;
      await scene.fail({ replicas: 9 });
      await meanwhile(scene);
      const before = await scene.spec().catch(() => undefined);
      assert.match((await scene.run()) ?? "", says);
      assert.deepEqual(await scene.spec().catch(() => undefined), before);
    });
  }

  test("leaves alone what is healthy, by its condition too", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.status("Failed", { conditions: [{ type: "Ready", status: "True" }] });
    assert.match((await scene.run({ healthy: { condition: "Ready" } })) ?? "", /is healthy$/);
  });

  const kept: { name: string; manager?: string; metadata?: object; says: RegExp }[] = [
    {
      name: "whose spec Argo CD wrote",
      manager: "argocd-controller",
      says: /because argocd-controller keeps its spec/,
    },
    {
      name: "that Argo CD tracks",
      metadata: { annotations: { "argocd.argoproj.io/tracking-id": "shop:demo.example.com/Database:shop/orders" } },
      says: /because Argo CD application shop keeps its spec: revert the change there/,
    },
    {
      name: "that Flux applied",
      metadata: {
        labels: { "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux" },
      },
      says: /because Flux Kustomization flux\/apps keeps its spec/,
    },
    {
      name: "of a Helm release",
      metadata: { annotations: { "meta.helm.sh/release-name": "orders", "meta.helm.sh/release-namespace": "shop" } },
      says: /because Helm release shop\/orders keeps its spec/,
    },
  ];
  for (const { name, manager, metadata, says } of kept) {
    test(`refuses an object ${name}`, async (t) => {
      const scene = await openScene(t, { ...(manager && { manager }) });
      if (scene === undefined) return;
      await scene.fail({ replicas: 9 });
      if (metadata) await scene.client.patch(scene.path("orders"), { metadata });
      const failure = await failureOf(() => scene.run());
      assert.equal(failure.treated, "dead-letter");
      assert.match(failure.message, says);
      assert.equal((await scene.spec()).replicas, 9);
    });
  }

  test("restores no mark in the place of a secret", async (t) => {
    const scene = await openScene(t, { redacted: true });
    if (scene === undefined) return;
    await scene.fail({ replicas: 9, version: "18" });
    const failure = await failureOf(() => scene.run());
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /^spec\.version is redacted in the log/);
    assert.equal((await scene.spec()).version, "18");
  });

  test("gives up where the log shows no healthy spec, and where there is no log", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.status("Failed");
    const failure = await failureOf(() => scene.run());
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /the log has no other spec under which Database \S+ was healthy/);
    const withoutLog = await failureOf(() => scene.run({}, { history: undefined }));
    assert.match(withoutLog.message, /there is no log to find a healthy spec in/);
  });
});
