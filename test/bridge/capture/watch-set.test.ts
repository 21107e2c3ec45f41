import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { ResourceEntry } from "../../../bridge/capture/resource-entry.ts";
import type { WantedWatch } from "../../../bridge/capture/selection.ts";
import { createWatchSet } from "../../../bridge/capture/watch-set.ts";

function wanted(version = "v1"): WantedWatch {
  const apiVersion = `demo.example.com/${version}`;
  const resource = { apiVersion, kind: "Database", plural: "databases", namespaced: true };
  return { entry: ResourceEntry.parse({ apiVersion, kind: "Database" }), resource, namespace: undefined };
}

/** A set whose watches end when they are let go, whenever they are told to. */
function openSet() {
  const running: string[] = [];
  const letGo: (() => void)[] = [];
  const stop = new AbortController();
  const set = createWatchSet(async ({ resource }) => {
    running.push(resource.apiVersion);
    await new Promise<void>((resolve) => letGo.push(resolve));
    running.splice(running.indexOf(resource.apiVersion), 1);
  }, stop.signal);
  return { set, running, stop, letGo };
}

describe("the set of watches", () => {
  test("never runs two for the same objects: one in another version waits until the one before has ended", async () => {
    const { set, running, letGo } = openSet();
    set.reconcile([wanted("v1")]);
    await turn();
    assert.equal(set.reconcile([wanted("v2")]), false);
    await turn();
    assert.deepEqual(running, ["demo.example.com/v1"]);
    letGo[0]?.();
    await turn();
    assert.deepEqual(running, ["demo.example.com/v2"]);
    letGo[1]?.();
  });

  test("nor when one comes back while it is still ending, and tells once that one is wanted no more", async () => {
    const { set, running, letGo } = openSet();
    set.reconcile([wanted()]);
    await turn();
    assert.equal(set.reconcile([]), true);
    assert.equal(set.reconcile([]), false);
    set.reconcile([wanted()]);
    await turn();
    assert.equal(running.length, 1);
    letGo[0]?.();
    await turn();
    assert.equal(running.length, 1);
    assert.equal(letGo.length, 2);
    letGo[1]?.();
  });

  test("has ended when the last one has, those included that are wanted no more", async () => {
    const { set, stop, letGo } = openSet();
    set.reconcile([wanted()]);
    await turn();
    set.reconcile([]);
    stop.abort();
    let hasEnded = false;
    const ended = set.ended().then(() => {
      hasEnded = true;
    });
    await turn();
    assert.equal(hasEnded, false);
    letGo[0]?.();
    await ended;
  });
});
