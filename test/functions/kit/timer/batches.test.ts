/** The batches over a queue whose requests and answers come in any order: what wakes a group is never lost. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import pino from "pino";
import { parseEnvelope } from "../../../../bridge/event/envelope.ts";
import { createProcessQueue } from "../../../../functions/kit/testing/virtual-timing.ts";
import { createBatches } from "../../../../functions/kit/timer/batches.ts";
import type { Queue } from "../../../../functions/kit/timer/queue.ts";
import * as event from "../event-factory.ts";

const GROUP = "all";
const WINDOW_MS = 60_000;
const NOW_MS = Date.UTC(2026, 0, 1);
const NEVER = new AbortController().signal;

function createScene(max: number, wrap: (queue: Queue) => Queue = (queue) => queue) {
  const wakes = new Map<string, number>();
  const queue = wrap(createProcessQueue(() => NOW_MS, wakes));
  const plan = { ms: WINDOW_MS, max, groupOf: () => GROUP };
  const open = async (data: Uint8Array) => parseEnvelope(data);
  const batches = createBatches(plan, { queue, open, log: pino({ level: "silent" }) });
  const entry = (name: string, streamSequence: number) => {
    const { subject, payload, envelope } = event.created({ name, phase: "Failed" });
    const message = {
      subject,
      data: Buffer.from(payload),
      reply: undefined,
      status: 0,
      description: "",
      header: () => undefined,
    };
    return { event: envelope, message, streamSequence, storedAtMs: NOW_MS };
  };
  return { wakes, batches, entry };
}

describe("batches", () => {
  test("in whatever order requests are answered, each call is full, and what is left is woken at the end of its window", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.integer({ min: 0, max: 14 }),
        fc.integer({ min: 2, max: 4 }),
        async (scheduler, count, max) => {
          const { wakes, batches, entry } = createScene(max, (inner) => slow(inner, scheduler));
          const calls: number[] = [];
          let waiting = count;
          const events = Array.from({ length: count }, async (_, i) => {
            for (let step = 0; step < i; step++) await scheduler.schedule(Promise.resolve()); // some come during a call
            await batches.wait(entry(`o${i}`, i + 1), NEVER);
            waiting--;
          });
          let isBusy = false;
          const carryOut = async (dueAtMs: number) => {
            isBusy = true;
            const batch = await batches.take(GROUP, dueAtMs, NEVER);
            if (batch !== undefined) {
              calls.push(batch.events.length);
              await batches.finish(batch, NEVER);
            }
            isBusy = false;
          };
          while (waiting > 0 || isBusy || (wakes.get(GROUP) ?? Number.POSITIVE_INFINITY) <= NOW_MS) {
            const dueAtMs = wakes.get(GROUP);
            if (!isBusy && dueAtMs !== undefined && dueAtMs <= NOW_MS) {
              wakes.delete(GROUP);
              void carryOut(dueAtMs);
            }
            if (scheduler.count() > 0) await scheduler.waitOne();
            else await new Promise(setImmediate);
          }
          await Promise.all(events);
          const left = count % max;
          assert.deepEqual(calls, Array(Math.floor(count / max)).fill(max));
          assert.equal(wakes.get(GROUP), left === 0 ? undefined : NOW_MS + WINDOW_MS);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("one that is woken too soon takes nothing, and is woken again", async () => {
    const { wakes, batches, entry } = createScene(3);
    await batches.wait(entry("a", 1), NEVER);
    wakes.delete(GROUP);
    assert.equal(await batches.take(GROUP, NOW_MS + WINDOW_MS - 1_000, NEVER), undefined);
    assert.equal(wakes.get(GROUP), NOW_MS + WINDOW_MS);
    const batch = await batches.take(GROUP, NOW_MS + WINDOW_MS, NEVER);
    assert.equal(batch?.events.length, 1);
  });
});

/** Each request takes its time, and so does each answer. */
function slow(queue: Queue, scheduler: fc.Scheduler): Queue {
  const late =
    <Args extends unknown[], T>(ask: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      await scheduler.schedule(Promise.resolve());
      const answer = await ask(...args);
      await scheduler.schedule(Promise.resolve());
      return answer;
    };
  const { now, enter, hasRoom, groupOf, count, first, leave, wake, call, keepCall } = queue;
  return {
    now,
    enter: late(enter),
    hasRoom: late(hasRoom),
    groupOf: late(groupOf),
    count: late(count),
    first: late(first),
    leave: late(leave),
    wake: late(wake),
    call: late(call),
    keepCall: late(keepCall),
  };
}
