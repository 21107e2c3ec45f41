import assert from "node:assert/strict";
import { describe, test } from "node:test";
import annotate from "../../functions/annotate.ts";
import { failureOf } from "./actions/thrown.ts";
import { openKubeScene } from "./kube-scene.ts";

describe("annotate", () => {
  test("writes its keys and leaves the others, and its own change ends there", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    await scene.createDatabase("orders", { replicas: 1 });
    const labels = { keep: "me", drop: "me" };
    const before = await scene.client.patch(scene.path("orders"), { metadata: { labels } });
    const after = await scene.setSpec("orders", { replicas: 2 });
    const event = scene.updated(before, after);
    const config = {
      annotations: { "example.com/last": "{{ event.id }} by {{ event.manager }}" },
      labels: { size: "r{{ object.spec.replicas }}", drop: null },
      kubernetes: scene.kubernetes,
    };
    assert.match((await scene.run(annotate, config, event)) ?? "", /orders annotated$/);
    const annotated = await scene.client.get(scene.path("orders"));
    assert.deepEqual(annotated.metadata.labels, { keep: "me", size: "r2" });
    assert.equal(annotated.metadata.annotations?.["example.com/last"], `${event.id} by kubectl-edit`);
    const own = scene.updated(after, annotated);
    assert.equal(await scene.run(annotate, config, own), "left alone: a function made this change");
  });

  test("leaves alone what another function wrote into metadata, and not what one wrote into the spec", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const { kubernetes } = scene;
    const config = { annotations: { "example.com/last": "{{ event.id }}" }, kubernetes };
    const first = await scene.createDatabase("orders");
    await scene.run(annotate, config, scene.created(first));
    const second = await scene.client.get(scene.path("orders"));
    const written = scene.updated(first, second);
    assert.equal(written.manager, "cr-reactor/databases");
    const other = { subscription: "another" };
    const theirs = { labels: { a: "{{ event.sequence }}" }, kubernetes };
    assert.equal(await scene.run(annotate, theirs, written, other), "left alone: a function made this change");
    const third = await scene.setSpec("orders", { replicas: 2 }, "cr-reactor/rollback");
    const rolledBack = scene.updated(second, third);
    assert.match((await scene.run(annotate, theirs, rolledBack, other)) ?? "", /annotated$/);
  });

  test("leaves alone what is gone, and what came again under the name", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = scene.created(await scene.createDatabase("orders"));
    const config = { labels: { a: "b" }, kubernetes: scene.kubernetes };
    await scene.client.delete(scene.path("orders"));
    assert.match((await scene.run(annotate, config, event)) ?? "", /orders is gone$/);
    await scene.createDatabase("orders");
    assert.match((await scene.run(annotate, config, event)) ?? "", /is another object of that name now$/);
    assert.equal((await scene.client.get(scene.path("orders"))).metadata.labels, undefined);
  });

  test("gives up on a value that is no label, and says why", async (t) => {
    const scene = await openKubeScene(t);
    if (scene === undefined) return;
    const event = scene.created(await scene.createDatabase("orders"));
    const failure = await failureOf(() =>
      scene.run(annotate, { labels: { a: "no label!" }, kubernetes: scene.kubernetes }, event),
    );
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /422 Invalid\).*metadata\.labels/);
  });
});
