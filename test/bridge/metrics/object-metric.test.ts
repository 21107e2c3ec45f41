import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import type { KubeObject } from "../../../bridge/kube/kube-object.ts";
import { createCensus } from "../../../bridge/metrics/census.ts";
import { objectFamilies } from "../../../bridge/metrics/object-count.ts";
import { ObjectMetricLists } from "../../../bridge/metrics/object-metric.ts";

const Lists = z.strictObject(ObjectMetricLists);
const ready = (type: string, status: string, lastTransitionTime = "2026-11-21T00:00:00Z") => ({
  type,
  status,
  lastTransitionTime,
});
const OBJECT = {
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  metadata: { name: "orders", namespace: "prod", uid: "u", resourceVersion: "7" },
  spec: { engine: "mysql", version: "8", storage: "2Gi" },
  status: {
    phase: "Running",
    conditions: [ready("Ready", "True"), ready("Synced", "False"), ready("Ready", "False")],
    zones: { a: { replicas: 1 }, b: { replicas: 2, name: "x" }, c: {} },
    names: ["one", "two"],
  },
} satisfies KubeObject & Record<string, unknown>;

/** The series as text, without the three labels that all have. */
function seriesOf(metric: object, object: object = OBJECT): readonly string[] {
  const { phase, ...rest } = { phase: "status.phase", ignore: [] };
  const resource = watchedResource(
    "test",
    { apiVersion: "demo.example.com/v1", kind: "Database", phase, ...rest },
    { plural: "databases", namespaced: true },
    undefined,
  );
  const wishes = Lists.parse({ metrics: [{ name: "m", ...metric }] });
  const census = createCensus({ title: "t", resource, wishes, onPhaseLeft: () => undefined });
  census.saw(object as KubeObject);
  const family = objectFamilies([census], 0).find(({ name }) => name === "cr_reactor_resource_m");
  return (family?.samples ?? []).map(({ labels, value }) => {
    const { resource: _, namespace, name, ...own } = labels;
    assert.deepEqual([namespace, name], ["prod", "orders"]);
    return `${Object.entries(own).map((pair) => pair.join("="))} ${value}`.trim();
  });
}

describe("a configured metric", () => {
  for (const { name, metric, series } of [
    { name: "has the value of an object", metric: { path: "spec.storage" }, series: [String(2 * 1024 ** 3)] },
    {
      name: "without a path is 1, with what its labels tell",
      metric: { labels: { engine: "spec.engine", version: "spec.version" } },
      series: ["engine=mysql,version=8 1"],
    },
    {
      name: "of states has a series for each, and 1 for the one it is",
      metric: { path: "status.phase", states: ["Pending", "Running"], labels: { engine: "spec.engine" } },
      series: ["engine=mysql,state=Pending 0", "engine=mysql,state=Running 1"],
    },
    {
      name: "of states is 0 for all when it is another one",
      metric: { path: "status.phase", states: ["Pending", "Failed"] },
      series: ["state=Pending 0", "state=Failed 0"],
    },
    {
      name: "of states has no series without a state",
      metric: { path: "status.none", states: ["Pending"] },
      series: [],
    },
    {
      name: "of each element of a list begins there, and of those with the same labels counts the first",
      metric: { each: "status.conditions", path: "status", labels: { type: "type" } },
      series: ["key=,type=Ready 1", "key=,type=Synced 0"],
    },
    {
      name: "of each element of a map has its key",
      metric: { each: "status.zones", path: "replicas", labels: { zone: "name" } },
      series: ["key=a,zone= 1", "key=b,zone=x 2"],
    },
    {
      name: "of each element may be of states",
      metric: { each: "status.conditions", path: "status", states: ["True", "False"], labels: { type: "type" } },
      series: [
        "key=,type=Ready,state=True 1",
        "key=,type=Ready,state=False 0",
        "key=,type=Synced,state=True 0",
        "key=,type=Synced,state=False 1",
      ],
    },
    { name: "of what is no list has nothing", metric: { each: "spec.engine", path: "x" }, series: [] },
    { name: "of elements that are texts has nothing", metric: { each: "status.names", path: "length" }, series: [] },
  ]) {
    test(name, () => assert.deepEqual(seriesOf(metric), series));
  }

  test("has at most 32 elements of an object", () => {
    const zones = Object.fromEntries(Array.from({ length: 100 }, (_, place) => [`z${place}`, { replicas: place }]));
    const series = seriesOf({ each: "status.zones", path: "replicas" }, { ...OBJECT, status: { zones } });
    assert.equal(series.length, 32);
  });

  for (const { name, metric, problem } of [
    { name: "neither a path nor labels", metric: {}, problem: /expected a path of a value, or labels/ },
    { name: "states without a path", metric: { states: ["A"], labels: { a: "a" } }, problem: /needs path/ },
    {
      name: "a label that the states set",
      metric: { path: "a", states: ["A"], labels: { state: "b" } },
      problem: /are set already/,
    },
    {
      name: "a label that the elements set",
      metric: { each: "a", path: "b", labels: { key: "b" } },
      problem: /are set already/,
    },
    { name: "no states", metric: { path: "a", states: [] }, problem: /Too small/ },
  ]) {
    test(`may not have ${name}`, () => {
      const { error } = Lists.safeParse({ metrics: [{ name: "m", ...metric }] });
      assert.match(error?.issues[0]?.message ?? "", problem);
    });
  }

  test("may have a label `state` or `key` where nothing else sets it", () => {
    assert.deepEqual(seriesOf({ path: "spec.version", labels: { state: "status.phase", key: "spec.engine" } }), [
      "state=Running,key=mysql 8",
    ]);
  });
});
