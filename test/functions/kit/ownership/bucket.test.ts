/** The copy of CR_SUBSCRIPTIONS against what the server has. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { subscriptionsStream } from "../../../../bridge/nats/function-stream.ts";
import { ensureBesideLog } from "../../../../functions/kit/log-settings.ts";
import { openBucket } from "../../../../functions/kit/ownership/bucket.ts";
import { type Rig, startRig, until } from "../delivery/rig.ts";

/** Opens it; it is closed when the test ends. */
function open(t: TestContext, { jetStream }: Rig, renewMs?: number) {
  const ending = new AbortController();
  t.after(() => ending.abort());
  const ensure = () => ensureBesideLog(jetStream, subscriptionsStream);
  return openBucket(jetStream, { name: "CR_SUBSCRIPTIONS", ensure, ...(renewMs && { renewMs }) }, ending.signal);
}

test("an entry whose time is over leaves the copy too: processes that were do not pile up", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  const bucket = open(t, rig, 1_000);
  await until(() => bucket.syncBegunMs !== undefined);
  await bucket.write("process.old", { version: 1 }, 0, "5s");
  await bucket.write("subscription.a", { version: 1 }, 0);
  await until(() => bucket.entries.size === 2);
  await until(() => !bucket.entries.has("process.old"));
  assert.deepEqual([...bucket.entries.keys()], ["subscription.a"]);
});

test("what was written last and has outlived its time keeps nobody from reading the rest", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  const first = open(t, rig);
  await until(() => first.syncBegunMs !== undefined);
  await first.write("subscription.a", { version: 1 }, 0);
  await first.write("process.old", { version: 1 }, 0, "1s");
  await until(async () => {
    type Info = { readonly state: { readonly messages: number; readonly last_seq: number } };
    const { state } = await rig.jetStream.api<Info>("STREAM.INFO.KV_CR_SUBSCRIPTIONS");
    return state.messages === 1 && state.last_seq === 2;
  });
  const second = open(t, rig);
  await until(() => second.syncBegunMs !== undefined);
  assert.deepEqual([...second.entries.keys()], ["subscription.a"]);
});
