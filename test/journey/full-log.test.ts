import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pino } from "pino";
import { BridgeConfig } from "../../bridge/config.ts";
import { type Envelope, opOf } from "../../bridge/event/envelope.ts";
import { runBridge } from "../../bridge/main.ts";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { needKube } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { databases, startJourney } from "./rig.ts";

type Journey = NonNullable<Awaited<ReturnType<typeof startJourney>>>;

/** About a hundred events. */
const SMALL = { eventsBytesMax: 200_000, eventsPerSubjectMax: 100_000 };
const NAMES = ["a", "b", "c", "d"];

/** Writes to the cluster, and remembers the id that the event of each must have. */
function openWriter({ kube, namespace }: Journey) {
  const ids = new Set<string>();
  let storageGb = 10;
  const note = ({ metadata }: { readonly metadata: { readonly uid: string; readonly resourceVersion: string } }) =>
    ids.add(`${metadata.uid}.${metadata.resourceVersion}`);
  return {
    ids,
    get storageGb() {
      return storageGb;
    },
    create: async (name: string) => note(await kube.client.create(databasePath(namespace), database(name, namespace))),
    /** Every object, once. */
    async scaleAll(names = NAMES) {
      storageGb++;
      for (const name of names) {
        note(await kube.client.patch(databasePath(namespace, name), { spec: { storageGb } }));
      }
    },
  };
}

const sizeOf = ({ data }: Envelope) => (data.object["spec"] as { storageGb: number }).storageGb;

const lines = (bridge: ServerProcess) =>
  bridge
    .logTail(200)
    .split("\n")
    .flatMap((line) => {
      const json = /\{.*\}/.exec(line)?.[0];
      return json === undefined ? [] : [JSON.parse(json) as { time: string; msg: string; port?: number }];
    });
const linesAbout = (bridge: ServerProcess, text: string) => lines(bridge).filter(({ msg }) => msg?.includes(text));

async function ask(bridge: ServerProcess, path: string) {
  const port = /"port":(\d+)/.exec(bridge.logTail(200))?.[1];
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

/** As `nats stream edit CR_EVENTS --max-bytes` does. */
async function giveRoom(journey: Journey) {
  const jetStream = await journey.connect();
  const { config } = await jetStream.api<{ config: object }>("STREAM.INFO.CR_EVENTS");
  await jetStream.api("STREAM.UPDATE.CR_EVENTS", { ...config, max_bytes: 50_000_000 });
}

/** A subscription that reads nothing: the janitor must leave everything to it. */
async function holdAll(journey: Journey) {
  const jetStream = await journey.connect();
  const config = { durable_name: "paused", ack_policy: "explicit" };
  await jetStream.api("CONSUMER.CREATE.CR_EVENTS.paused", { stream_name: "CR_EVENTS", config });
}

/** Writes until the log is full, and some more. */
async function fillUp(bridge: ServerProcess, writer: ReturnType<typeof openWriter>) {
  for (const name of NAMES) await writer.create(name);
  await until(
    async () => {
      await writer.scaleAll();
      return linesAbout(bridge, "the stream is full").length > 0;
    },
    { waitMsMax: 60_000, what: "the log is full" },
  );
  for (let i = 0; i < 10; i++) await writer.scaleAll();
}

describe("a full log", () => {
  test("holds capture and says what to do; with more room every write has its event, once, without a restart", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const bridge = await journey.startBridge({ streams: SMALL });
    const { pid } = bridge;
    await holdAll(journey);
    const writer = openWriter(journey);
    await fillUp(bridge, writer);
    const full = await ask(bridge, "/readyz");
    assert.equal(full.status, 503);
    assert.match(full.text, /"log": "full: \d+ events wait for room in CR_EVENTS"/);
    assert.match((await ask(bridge, "/metrics")).text, /cr_reactor_waiting_for_room [1-9]/);
    await until(() => linesAbout(bridge, "the stream is full").length > 2);
    const told = linesAbout(bridge, "the stream is full");
    for (const [index, line] of told.slice(1).entries()) {
      const apartMs = Date.parse(line.time) - Date.parse(told[index]?.time ?? "");
      assert.ok(apartMs > 4_900, `told again after ${apartMs} ms, for ${NAMES.length} objects`);
    }
    assert.match(told[0]?.msg ?? "", /nothing is lost.*streams\.eventsBytesMax and `nats stream edit`/);
    await giveRoom(journey);
    await until(async () => (await journey.events()).length >= writer.ids.size, { waitMsMax: 60_000 });
    assert.deepEqual((await journey.events()).map(({ id }) => id).toSorted(), [...writer.ids].toSorted());
    assert.equal(linesAbout(bridge, "the stream has room again").length, 1);
    await until(async () => (await ask(bridge, "/readyz")).status === 200);
    assert.equal(bridge.pid, pid, "the same process");
    await writer.scaleAll();
    await until(async () => (await journey.events()).length === writer.ids.size);
  });

  test("outlives the API server's history: what was missed meanwhile is the net change, with a gap", async (t) => {
    const kube = await needKube(t);
    if (kube === undefined) return;
    await kube.client.applyCrd(databaseCrd);
    const journey = await startJourney(t, { kube });
    if (journey === undefined) return;
    const { namespace } = journey;
    const bridge = await journey.startBridge({ streams: SMALL });
    await holdAll(journey);
    const writer = openWriter(journey);
    await fillUp(bridge, writer);
    await kube.restart();
    await writer.scaleAll();
    await kube.client.delete(databasePath(namespace, "d"));
    await kube.restart();
    await giveRoom(journey);
    const newest = async (name: string) => (await journey.events()).findLast((event) => event.name === name);
    const isTold = async (name: string) => {
      const event = await newest(name);
      if (event === undefined) return false;
      return name === "d" ? opOf(event) === "deleted" : sizeOf(event) === writer.storageGb;
    };
    for (const name of NAMES) await until(() => isTold(name), { waitMsMax: 90_000, what: `${name} is told` });
    const events = await journey.events();
    assert.equal(new Set(events.map(({ id }) => id)).size, events.length, "each version once");
    assert.equal((await newest("a"))?.data.gap, true);
    for (const name of NAMES) {
      const versions = events.filter((event) => event.name === name).map(({ sequence }) => sequence);
      assert.deepEqual(versions, versions.toSorted(), `${name} in order`);
    }
  });

  test("does not come about where everything is read: the janitor removes a hot object's past", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { kube, nats, namespace } = journey;
    const told: string[] = [];
    const stop = new AbortController();
    const config = BridgeConfig.parse({
      cluster: "test",
      resources: [databases(namespace)],
      nats: { servers: [nats.url] },
      kubernetes: { kubeconfig: kube.kubeconfigPath },
      health: { host: "127.0.0.1", port: 0 },
      streams: SMALL,
    });
    const logger = pino({}, { write: (line: string) => told.push(line) });
    const running = runBridge(config, { logger, signal: stop.signal, janitor: { lookEveryMs: 50 } });
    t.after(async () => {
      stop.abort();
      await running;
    });
    await until(() => told.some((line) => line.includes("compared with the log")));
    const jetStream = await journey.connect();
    const usage = async () =>
      (await jetStream.api<{ state: { bytes: number; last_seq: number } }>("STREAM.INFO.CR_EVENTS")).state;
    const writer = openWriter(journey);
    for (const name of NAMES) await writer.create(name);
    // Half a dozen times the log's size; a burst is smaller than what the janitor leaves free.
    while ((await usage()).last_seq < 600) {
      for (let i = 0; i < 15; i++) await writer.scaleAll(["a"]);
      await until(async () => {
        const { bytes, last_seq } = await usage();
        return last_seq === writer.ids.size && bytes < 0.8 * SMALL.eventsBytesMax;
      });
    }
    assert.ok(!told.some((line) => line.includes("the stream is full")));
    assert.ok(told.some((line) => line.includes("older events that every subscription has read were removed")));
    const events = await journey.events();
    for (const name of ["b", "c", "d"]) assert.equal(events.filter((event) => event.name === name).length, 1, name);
    const last = events.findLast(({ name }) => name === "a");
    assert.equal(last === undefined ? undefined : sizeOf(last), writer.storageGb);
  });
});
