/** The copy of CR_SUBSCRIPTIONS against what the server has. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { subscriptionsStream } from "../../../../bridge/nats/function-stream.ts";
import { ensureBesideLog } from "../../../../functions/kit/log-settings.ts";
import { openBucket } from "../../../../functions/kit/ownership/bucket.ts";
import { startRig, until } from "../delivery/rig.ts";

test("an entry whose time is over leaves the copy too: processes that were do not pile up", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  const ending = new AbortController();
  t.after(() => ending.abort());
  const bucket = openBucket(
    rig.jetStream,
    {
      name: "CR_SUBSCRIPTIONS",
      ensure: () => ensureBesideLog(rig.jetStream, subscriptionsStream),
      renewMs: 1_000,
    },
    ending.signal,
  );
  await until(() => bucket.syncBegunMs !== undefined);
  await bucket.write("process.old", { version: 1 }, 0, "5s");
  await bucket.write("subscription.a", { version: 1 }, 0);
  await until(() => bucket.entries.size === 2);
  await until(() => !bucket.entries.has("process.old"));
  assert.deepEqual([...bucket.entries.keys()], ["subscription.a"]);
});
