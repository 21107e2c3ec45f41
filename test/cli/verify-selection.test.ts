import assert from "node:assert/strict";
import { test } from "node:test";
import { openVerifying } from "../bridge/verifying.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";

test("verify: what is outside a selection is no difference, and what has left it is repaired as unselected", async (t) => {
  const kube = await openEmbedded(t);
  const scene = await openVerifying(t, kube, "default", { labelSelector: "!hidden" });
  if (scene === undefined) return;
  const { makeStream, startBridge, create, events, verify } = scene;
  await makeStream();
  const bridge = await startBridge();
  for (const name of ["stays", "leaves"]) await create(name);
  await until(async () => (await events()).length === 2);
  await bridge.stop();
  const outside = database("outside", "default");
  const hidden = { labels: { hidden: "" } };
  await kube.client.create(databasePath("default"), { ...outside, metadata: { ...outside.metadata, ...hidden } });
  assert.equal((await verify()).code, 0);
  await kube.client.patch(databasePath("default", "leaves"), { metadata: hidden });
  const shown = await verify();
  assert.match(shown.out, /1 difference\n.*1 ghost: .*default\/leaves /s);
  assert.equal((await verify(["--repair"])).code, 0);
  assert.deepEqual((await events()).slice(2), ["leaves unselected gap"]);
  assert.equal((await verify()).code, 0);
});
