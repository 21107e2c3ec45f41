/**
 * What happens when events are not taken: the reflector on the embedded API server with a reader that goes away, and the bridge on a
 * real NATS that is killed. A proxy counts the connections that the API server has to keep.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { watchedResource } from "../../bridge/capture/resource.ts";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { type ReflectorState, reflect } from "../../bridge/kube/reflector.ts";
import { startProxy } from "../chaos/proxy.ts";
import { openBridgeScene } from "../journey/bridge-scene.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";

const databases = { apiVersion: "demo.example.com/v1", kind: "Database", plural: "databases" };
const AWAY_MS = 100;
/** As many events as the bridge has unpublished at once. */
const IN_FLIGHT_MAX = 256;

/** An embedded API server behind a proxy, with a hand on its Databases. */
async function openScene(t: TestContext) {
  const stage = await openEmbedded(t);
  const proxy = await startProxy(Number(new URL(stage.server.url).port));
  t.after(() => proxy[Symbol.asyncDispose]());
  const folder = createDataFolder("backpressure");
  t.after(folder.remove);
  const kubeconfig = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfig, stage.server.kubeconfig().replace(stage.server.url, `http://127.0.0.1:${proxy.port}`));
  const { client } = stage;
  const all = <T>(count: number, act: (name: string) => Promise<T>) =>
    Promise.all(Array.from({ length: count }, (_, index) => act(`db-${index}`)));
  return {
    ...stage,
    proxy,
    kubeconfig,
    all,
    create: (name: string) => client.create(databasePath("default"), database(name, "default")),
    scale: (name: string, replicas: number) => client.patch(databasePath("default", name), { spec: { replicas } }),
    remove: (name: string) => client.delete(databasePath("default", name)),
  };
}

/** A reader that is away with an event for as long as `handle` takes. */
async function startReading(t: TestContext, kubeconfig: string, handle: (event: string) => Promise<unknown>) {
  const apiServer = await connectApiServer({ kubeconfig });
  t.after(() => apiServer.close());
  const stop = new AbortController();
  const states: ReflectorState["type"][] = [];
  const events: string[] = [];
  const resource = watchedResource(
    "c",
    { ...databases, phase: "status.phase", ignore: [] },
    { plural: "databases", namespaced: true },
    undefined,
  );
  const onState = ({ type }: ReflectorState) => states.push(type);
  const read = async () => {
    for await (const event of reflect({ apiServer, resource, signal: stop.signal, onState, readerAwayMs: AWAY_MS })) {
      const what = "object" in event ? `${event.type} ${event.object.metadata.name}` : event.type;
      events.push(what);
      await handle(what);
    }
  };
  const ended = read();
  t.after(() => {
    stop.abort();
    return ended;
  });
  return { states, events, stop, ended, told: (event: string) => until(() => events.includes(event), { what: event }) };
}

describe("a reader that does not come back", () => {
  test("has its watch closed, and resumed behind the last event that it took", async (t) => {
    const { proxy, kubeconfig, create } = await openScene(t);
    const back = Promise.withResolvers<void>();
    const away = (event: string) => (event === "added db-a" ? back.promise : Promise.resolve());
    const { states, events, told } = await startReading(t, kubeconfig, away);
    await told("listed");
    await create("db-a");
    await told("added db-a");
    await create("db-b");
    await until(() => proxy.connections === 0);
    await create("db-c");
    back.resolve();
    await told("added db-c");
    assert.deepEqual(events, ["listing", "listed", "added db-a", "added db-b", "added db-c"]);
    assert.deepEqual(states, ["listing", "watching", "paused", "watching"]);
  });

  test("in the middle of a list gets the list from its beginning, and that counts for no failure", async (t) => {
    const { proxy, kubeconfig, all, create } = await openScene(t);
    await all(3, create);
    const back = Promise.withResolvers<void>();
    let lists = 0;
    const away = async (event: string) => {
      if (event === "listing") lists++;
      if (event === "initial db-1" && lists === 1) await back.promise;
    };
    const { states, events, told } = await startReading(t, kubeconfig, away);
    await told("initial db-1");
    await until(() => proxy.connections === 0);
    back.resolve();
    await told("listed");
    const whole = ["listing", "initial db-0", "initial db-1", "initial db-2", "listed"];
    assert.deepEqual(events, ["listing", "initial db-0", "initial db-1", ...whole]);
    assert.deepEqual(states.slice(0, 3), ["listing", "paused", "listing"]);
  });

  test("is not one that is slow with each of many: its list is never started over", async (t) => {
    const { kubeconfig, all, create } = await openScene(t);
    await all(100, create);
    const { states, events, told } = await startReading(t, kubeconfig, () => sleep(AWAY_MS / 20));
    await told("listed");
    assert.equal(events.length, 102);
    assert.ok(!states.includes("paused"), states.join());
  });

  test("can be told to stop meanwhile", async (t) => {
    const { proxy, kubeconfig, create } = await openScene(t);
    await create("db-0");
    const back = Promise.withResolvers<void>();
    const away = (event: string) => (event === "initial db-0" ? back.promise : Promise.resolve());
    const { events, states, told, stop, ended } = await startReading(t, kubeconfig, away);
    await told("initial db-0");
    await until(() => proxy.connections === 0);
    stop.abort();
    back.resolve();
    await ended;
    assert.deepEqual(events, ["listing", "initial db-0"]);
    assert.deepEqual(states, ["listing", "paused"]);
  });
});

describe("while NATS is away", { concurrency: true }, () => {
  const OBJECTS = 400;
  const CLOSED = { waitMsMax: 60_000, what: "the bridge to close all its connections to the API server" };
  const PUBLISHED = { waitMsMax: 60_000, pollMs: 200 };
  const idOf = ({ metadata }: { metadata: { uid?: string; resourceVersion?: string } }) =>
    `${metadata.uid}.${metadata.resourceVersion}`;

  async function openAway(t: TestContext) {
    const stage = await openScene(t);
    const scene = await openBridgeScene(t, stage.kubeconfig);
    if (scene === undefined) return undefined;
    const { apiVersion, kind } = databases;
    const bridge = await scene.startBridge({ resources: [{ apiVersion, kind }] });
    await bridge.live(1);
    const created = await stage.all(OBJECTS, stage.create);
    await until(async () => (await scene.envelopes()).length === OBJECTS, PUBLISHED);
    await scene.nats.kill();
    return { ...stage, ...scene, bridge, created };
  }

  test("the bridge holds a bounded number of events and no connection; back again, each is published once", async (t) => {
    const stage = await openAway(t);
    if (stage === undefined) return;
    const { proxy, nats, jetStream, bridge, created, all, scale, envelopes } = stage;
    const first = await all(OBJECTS, (name) => scale(name, 2));
    await until(() => proxy.connections === 0, CLOSED);
    const second = await all(OBJECTS, (name) => scale(name, 3));
    const pauses = bridge.lines.filter(({ msg }) => msg.includes("the watch is closed until it is"));
    assert.deepEqual(
      pauses.map((line) => "inFlight" in line && line.inFlight),
      [IN_FLIGHT_MAX],
    );
    await nats.restart();
    await jetStream.whenConnected();
    const written = [...created, ...first, ...second].map(idOf);
    await until(async () => (await envelopes()).length >= written.length, PUBLISHED);
    assert.deepEqual((await envelopes()).map(({ id }) => id).toSorted(), written.toSorted());
    assert.deepEqual(
      bridge.lines.filter(({ resource, attempt = 0 }) => resource !== undefined && attempt > 0),
      [],
    );
  });

  test("and the history is compacted, what happened meanwhile is told as events with a gap", async (t) => {
    const stage = await openAway(t);
    if (stage === undefined) return;
    const { proxy, nats, jetStream, server, all, scale, create, remove, events } = stage;
    await all(OBJECTS, (name) => scale(name, 2));
    await until(() => proxy.connections === 0, CLOSED);
    await all(OBJECTS - 1, (name) => scale(name, 3));
    await remove(`db-${OBJECTS - 1}`);
    await create("born");
    server.compact();
    await nats.restart();
    await jetStream.whenConnected();
    const gone = `default/db-${OBJECTS - 1} deleted gap`;
    await until(async () => (await events()).includes(gone), PUBLISHED);
    const told = await events();
    assert.equal(told.filter((event) => event === "default/born created gap").length, 1);
    const last = new Map(told.map((event) => [event.split(" ")[0], event]));
    const updated = [...last.values()].filter((event) => event.includes(" updated gap replace /spec/replicas"));
    assert.equal(updated.length, OBJECTS - 1);
  });
});
