/** Which partitions a process takes, on a bucket and a clock of the test's own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { Bucket, Entry } from "../../../../functions/kit/ownership/bucket.ts";
import { createHoldings } from "../../../../functions/kit/ownership/holdings.ts";
import type { Membership } from "../../../../functions/kit/ownership/membership.ts";

const LEASE_MS = 15_000;

test("a consumer without a lease is left alone for the time of a lease, each time that the bucket is lost", async (t) => {
  let nowMs = 1_000_000;
  t.mock.method(performance, "now", () => nowMs);
  const entries = new Map<string, Entry>();
  const bucket: Bucket = {
    entries,
    syncBegunMs: undefined,
    fetch: async (key) => entries.get(key),
    write: async (key, value, revision) => {
      entries.set(key, { revision: revision + 1, value });
      return revision + 1;
    },
    onChange: () => () => undefined,
  };
  const worker = {
    state: () => ({ type: "running" as const }),
    overrun: () => ({ overrunObjects: 0, overrunEventsMax: 0, eventsAtRisk: 0 }),
    reconsider: () => undefined,
    stop: async () => ({ excused: {}, finished: undefined }),
  };
  const holdings = createHoldings({
    subscription: "a",
    membership: { leaseMs: LEASE_MS, isGone: async () => false } as Partial<Membership> as Membership,
    log: pino({ enabled: false }),
    drainMs: 0,
    hasConsumer: async () => true,
    start: () => worker,
  });
  const tenure = { id: "me", signal: new AbortController().signal, holds: () => true };
  const target = { bucket, tenure, generation: 1, partitions: 1, members: ["me"] };
  const heldAfter = async (waitMs: number) => {
    nowMs += waitMs;
    await holdings.approach(target);
    return holdings.workers().size;
  };

  assert.equal(await heldAfter(0), 0, "lost for the first time");
  entries.set("lease.a.0", { revision: 7, value: { version: 1, generation: 1, holder: "other" } });
  assert.equal(await heldAfter(LEASE_MS), 0, "whoever holds it has written it again");
  entries.clear();
  assert.equal(await heldAfter(1), 0, "lost for the second time: who holds it may still be pulling");
  assert.equal(await heldAfter(LEASE_MS + 1), 1);
});
