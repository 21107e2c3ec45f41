/** The list that a census needs beside a resumed watch, on the embedded API server, which tells what it was asked. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import { createCensus } from "../../../bridge/metrics/census.ts";
import { primeCensus } from "../../../bridge/metrics/census-list.ts";
import { createMetrics } from "../../../bridge/metrics/metrics.ts";
import { countObjects } from "../../../bridge/metrics/object-count.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { until } from "../../kit/until.ts";

const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };

describe("the objects of a resumed watch", () => {
  for (const [who, ask] of [
    ["metrics", (metrics: ReturnType<typeof createMetrics>) => metrics.expose()],
    ["the status", async (metrics: ReturnType<typeof createMetrics>) => metrics.censuses()],
  ] as const) {
    test(`are listed once, when ${who} are first asked for: a restart by itself costs no list`, async (t) => {
      const stage = await openEmbedded(t);
      await stage.client.create(databasePath("default"), database("a", "default"));
      const { apiServer, requests } = await stage.connect();
      const resource = watchedResource("c", KIND, { plural: "databases", namespaced: true }, undefined);
      const census = createCensus({ title: "databases", resource, onPhaseLeft: () => undefined });
      const metrics = createMetrics();
      const signal = new AbortController().signal;
      t.after(primeCensus({ apiServer, resource, census, asked: metrics.asked, signal }));
      await new Promise(setImmediate);
      assert.deepEqual(requests, []);
      for (let time = 1; time <= 3; time++) await ask(metrics);
      await until(() => countObjects([census])[0]?.objects === 1);
      const lists = requests.filter(({ query }) => "sendInitialEvents" in query || !("watch" in query));
      assert.equal(lists.filter(({ query }) => query["limit"] !== "1").length, 1);
    });
  }

  test("are not listed for a watch that has ended", async (t) => {
    const stage = await openEmbedded(t);
    const { apiServer, requests } = await stage.connect();
    const resource = watchedResource("c", KIND, { plural: "databases", namespaced: true }, undefined);
    const census = createCensus({ title: "databases", resource, onPhaseLeft: () => undefined });
    const metrics = createMetrics();
    const stop = primeCensus({
      apiServer,
      resource,
      census,
      asked: metrics.asked,
      signal: new AbortController().signal,
    });
    stop();
    await metrics.expose();
    await new Promise(setImmediate);
    assert.deepEqual(requests, []);
  });
});
