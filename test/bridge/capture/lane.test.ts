import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createLanes } from "../../../bridge/capture/lane.ts";
import { createLowWater } from "../../../bridge/log/checkpoint.ts";

describe("lanes", () => {
  test("keep the order of each key, while keys go in parallel", async () => {
    const lanes = createLanes(10);
    const gate = Promise.withResolvers<void>();
    const done: string[] = [];
    await lanes.enqueue("a", () => gate.promise.then(() => void done.push("a1")));
    await lanes.enqueue("a", async () => void done.push("a2"));
    await lanes.enqueue("b", async () => void done.push("b1"));
    await turn();
    assert.deepEqual(done, ["b1"]);
    gate.resolve();
    await lanes.idle();
    assert.deepEqual(done, ["b1", "a1", "a2"]);
    assert.equal(lanes.size, 0);
  });

  test("accept no more than fits, and go on when there is room", async () => {
    const lanes = createLanes(2);
    const gate = Promise.withResolvers<void>();
    await lanes.enqueue("a", () => gate.promise);
    await lanes.enqueue("b", () => gate.promise);
    let accepted = false;
    const third = lanes
      .enqueue("c", async () => undefined)
      ?.then(() => {
        accepted = true;
      });
    await turn();
    assert.deepEqual([accepted, lanes.size], [false, 2]);
    gate.resolve();
    await third;
    await lanes.idle();
  });

  test("accept no more bytes than fit, but always one task, however large", async () => {
    const lanes = createLanes(10, 100);
    const gates = [40, 60, 1_000].map((bytes) => ({ bytes, gate: Promise.withResolvers<void>(), accepted: false }));
    const enqueueAll = async () => {
      for (const each of gates) {
        await lanes.enqueue(String(each.bytes), () => each.gate.promise, each.bytes);
        each.accepted = true;
      }
    };
    const all = enqueueAll();
    await turn();
    const accepted = () => gates.map((each) => each.accepted);
    assert.deepEqual(accepted(), [true, true, false]);
    gates[0]?.gate.resolve();
    await turn();
    assert.deepEqual(accepted(), [true, true, false]);
    gates[1]?.gate.resolve();
    await all;
    gates[2]?.gate.resolve();
    await lanes.idle();
  });

  test("hand a failure to whoever waits, and run nothing behind it", async () => {
    const lanes = createLanes(10);
    let ran = false;
    await lanes.enqueue("a", () => Promise.reject(new Error("broken")));
    await assert.rejects(lanes.idle(), /broken/);
    await assert.rejects(async () => {
      await lanes.enqueue("a", async () => {
        ran = true;
      });
    }, /broken/);
    assert.equal(ran, false);
  });
});

describe("the low-water mark", () => {
  test("stands at the newest version with nothing unfinished before it", () => {
    const mark = createLowWater("10");
    const [first, second, third] = ["11", "12", "13"].map((version) => mark.begin(version));
    third?.();
    assert.equal(mark.resourceVersion, "10");
    first?.();
    assert.equal(mark.resourceVersion, "11");
    second?.();
    assert.equal(mark.resourceVersion, "13");
  });

  test("moves on with bookmarks when nothing is open", () => {
    const mark = createLowWater(undefined);
    mark.begin("20")();
    assert.equal(mark.resourceVersion, "20");
  });

  test("stays right over many versions finished in any order", () => {
    const mark = createLowWater(undefined);
    const open = Array.from({ length: 5_000 }, (_, i) => mark.begin(String(i)));
    for (const done of open.slice(1).reverse()) done();
    assert.equal(mark.resourceVersion, undefined);
    open[0]?.();
    assert.equal(mark.resourceVersion, "4999");
    mark.begin("5000")();
    assert.equal(mark.resourceVersion, "5000");
  });
});
