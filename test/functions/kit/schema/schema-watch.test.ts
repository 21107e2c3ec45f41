/** Filters are checked while functions run, by what bridges publish: on a real nats-server, whatever is in the bucket and whenever it comes. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { pino } from "pino";
import { ensureStream, SCHEMAS_BUCKET, schemasStream } from "../../../../bridge/nats/stream.ts";
import { type KindSchema, kindSchemaKey } from "../../../../bridge/schema/kind-schema.ts";
import { reduceSchema } from "../../../../bridge/schema/kind-schema-reduction.ts";
import { watchSchemas } from "../../../../functions/kit/schema/schema-watch.ts";
import { databaseCrd } from "../../../kit/database-crd.ts";
import { until } from "../../../kit/until.ts";
import { startRig } from "../delivery/rig.ts";

const [version] = databaseCrd.spec.versions;
const database: KindSchema = {
  version: 1,
  cluster: "east",
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  plural: "databases",
  namespaced: true,
  phases: ["status.phase"],
  schema: reduceSchema(version?.schema.openAPIV3Schema),
};
const withTier: KindSchema = {
  ...database,
  schema: reduceSchema({ properties: { spec: { type: "object", properties: { tier: { type: "string" } } } } }),
};
const mistaken = {
  name: "mistaken",
  apiVersion: "demo.example.com/v1",
  kind: "Database",
  when: { field: { path: "spec.tier" } },
};

async function openScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const { jetStream } = rig;
  const lines: { readonly level: number; readonly msg: string }[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const stop = new AbortController();
  t.after(() => stop.abort());
  return {
    rig,
    lines,
    watch: () => watchSchemas(jetStream, [mistaken], { log, signal: stop.signal }),
    stop: () => stop.abort(),
    createBucket: () => ensureStream(jetStream, schemasStream({ replicas: 1 })),
    put: (schema: KindSchema, value = JSON.stringify(schema)) => {
      const key = kindSchemaKey({
        cluster: schema.cluster,
        group: "demo.example.com",
        version: "v1",
        kind: "Database",
      });
      return jetStream.publish(`$KV.${SCHEMAS_BUCKET}.${key}`, value, {});
    },
    told: (text: RegExp, times = 1) =>
      until(() => lines.filter(({ msg }) => text.test(msg)).length === times, { what: `${text} to be told` }),
  };
}

describe("schemas that are watched", () => {
  test("are read at start, and a second cluster that knows the path heals the mistake", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.createBucket();
    await scene.put(database);
    const watch = scene.watch();
    await scene.told(/^when\.field: spec\.tier is not in/);
    assert.equal(watch.mistakesOf("mistaken").length, 1);
    assert.deepEqual(watch.mistakesOf("nobody"), []);
    await scene.put({ ...withTier, cluster: "west" });
    await scene.told(/^it is right now, and was: when\.field: spec\.tier/);
    assert.deepEqual(watch.mistakesOf("mistaken"), []);
  });

  test("are heard before there was a bucket", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    scene.watch();
    await scene.told(/^no bridge has published a schema of Database/);
    await scene.createBucket();
    await scene.put(database);
    await scene.told(/^when\.field: spec\.tier is not in/);
  });

  test("say a mistake once, however often the schema comes again, and nothing about what is no schema", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.createBucket();
    scene.watch();
    for (const _ of [1, 2, 3]) await scene.put(database);
    await scene.told(/^when\.field: spec\.tier is not in/);
    await scene.put(database, "no JSON");
    await scene.put(withTier);
    await scene.put(database);
    // Removed in between, so it is new again; told by then if anything more is.
    await scene.told(/^when\.field: spec\.tier is not in/, 2);
  });

  test("are asked for again when NATS is back", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.createBucket();
    await scene.put(database);
    const watch = scene.watch();
    await scene.told(/^when\.field: spec\.tier is not in/);
    await scene.rig.nats.restart();
    await scene.rig.jetStream.whenConnected(AbortSignal.timeout(60_000));
    await until(() => watch.mistakesOf("mistaken").length === 1);
    await scene.put(withTier).catch(() => scene.put(withTier));
    await scene.told(/^it is right now/);
  });

  test("end with the functions", async (t) => {
    const scene = await openScene(t);
    if (scene === undefined) return;
    await scene.createBucket();
    const watch = scene.watch();
    await scene.told(/^no bridge has published/);
    scene.stop();
    await scene.put(database);
    await scene.rig.jetStream.api("INFO"); // whatever was heard has been heard by now
    assert.deepEqual(watch.mistakesOf("mistaken"), []);
  });
});
