/**
 * The janitor's scene: a watch without an API server, on a real NATS. Objects change by sightings, through the lanes and the publisher
 * of the bridge; the checkpoint is saved when the test says so.
 */
import { cpSync, rmSync } from "node:fs";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { createLanes } from "../../bridge/capture/lane.ts";
import { createPublisher } from "../../bridge/capture/publisher.ts";
import { resourceSubjects, watchedResource } from "../../bridge/capture/resource.ts";
import { opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import type { ApiServer } from "../../bridge/kube/api-server.ts";
import type { Checkpoint } from "../../bridge/log/checkpoint.ts";
import { knownAfter, openEventLog } from "../../bridge/log/event-log.ts";
import { type JanitorTiming, startJanitor } from "../../bridge/log/janitor.ts";
import { createSink } from "../../bridge/log/sink.ts";
import { createStore } from "../../bridge/log/store.ts";
import { objectSubject } from "../../bridge/log/subject.ts";
import { createMetrics } from "../../bridge/metrics/metrics.ts";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

const RESOURCE = watchedResource(
  "c",
  { apiVersion: "demo.example.com/v1", kind: "Database", phase: "status.phase", ignore: [] },
  { plural: "databases", namespaced: true },
  undefined,
);
/** Hours, where a test must not see the next sweep or step. */
export const NEVER_MS = 3_600_000;
/** Days: of a deletion that was a moment ago. */
export const AT_ONCE_DAYS = 1e-9;

/** The six tokens of a Database. */
export const keyOf = (name: string) =>
  objectSubject({ cluster: "c", group: "demo.example.com", kind: "Database", namespace: "shop", name });

/** What a watch sees of an object; `payload` makes its events larger. */
function sightingOf(
  type: "added" | "modified" | "deleted",
  name: string,
  uid: string,
  version: number,
  payload: string,
) {
  const metadata = { name, namespace: "shop", uid, resourceVersion: String(version) };
  return {
    type,
    object: { apiVersion: "demo.example.com/v1", kind: "Database", metadata, spec: { version, payload } },
  };
}

/** Opens it; `undefined` where NATS is missing. */
export async function openScene(t: TestContext, settings: Partial<StreamSettings> = {}) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream({ ...StreamSettings.parse({}), ...settings }));
  const log = openEventLog(jetStream);
  const lines: Record<string, unknown>[] = [];
  const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
  const metrics = createMetrics();
  const deadline = new AbortController();
  t.after(() => deadline.abort());
  const sink = createSink(jetStream, log, logger, () => undefined);
  const lanes = createLanes(256);
  let store = createStore(0);
  let version = 0;
  let newest = { sequence: 0, id: "" };
  let saved: Checkpoint | undefined;
  /** How often a janitor has asked for the witness: twice, as it begins a sweep. */
  let sweeps = 0;

  const publisherOf = (into: typeof store) =>
    createPublisher({
      resource: RESOURCE,
      apiServer: {} as ApiServer,
      jetStream,
      log,
      sink,
      store: into,
      logger,
      metrics,
      deadline: deadline.signal,
      onStored: (id, sequence) => {
        if (sequence > newest.sequence) newest = { sequence, id };
      },
    });
  let publisher = publisherOf(store);
  const scene = {
    nats,
    jetStream,
    log,
    logger,
    metrics,
    lines,
    get store() {
      return store;
    },
    get version() {
      return version;
    },
    /** One change of an object, in its lane; resolves when it is accepted. */
    change: (type: "added" | "modified" | "deleted", name: string, uid = `uid-${name}`, payload = "") => {
      const sighting = sightingOf(type, name, uid, ++version, payload);
      return lanes.enqueue(keyOf(name), () => publisher.publish(keyOf(name), sighting));
    },
    idle: () => lanes.idle(),
    /** Saves the checkpoint of what is published. */
    async save(resourceVersion = String(version)) {
      await lanes.idle();
      const { settingsHash } = RESOURCE;
      saved = { version: 1, settingsHash, resourceVersion, epoch: 1, ...newest, savedAt: new Date().toISOString() };
    },
    /** Something quiet happens, so that what was before it is no longer the witness. */
    async moveOn() {
      await lanes.idle();
      await scene.change("added", `witness-${version}`);
      await scene.save();
    },
    start(deletedDays: number, timing: Partial<JanitorTiming>) {
      const stop = startJanitor({
        resource: RESOURCE,
        jetStream,
        log,
        store,
        lanes,
        logger,
        metrics,
        deletedDays,
        saved: () => saved,
        witness: () => {
          sweeps++;
          return newest;
        },
        timing: { sweepEveryMs: NEVER_MS, lookEveryMs: NEVER_MS, settleMs: NEVER_MS, ...timing },
      });
      t.after(stop);
      return stop;
    },
    /** Resolves when another few sweeps are through. */
    async afterSweeps() {
      const seen = sweeps;
      await until(() => sweeps > seen + 12);
    },
    /** What the log has of an object: "created 1", "updated 2", … One by one, since a janitor may be removing them meanwhile. */
    async texts(name: string): Promise<string[]> {
      const texts: string[] = [];
      for (let seq = 1; ; ) {
        const query = { seq, next_by_subj: `${keyOf(name)}.>` };
        const asked = jetStream.api<{ message: { seq: number; data: string } }>("STREAM.MSG.GET.CR_EVENTS", query);
        const found = await unlessMissing("message", asked);
        if (found === undefined) return texts;
        const envelope = parseEnvelope(Buffer.from(found.message.data, "base64"));
        texts.push(`${opOf(envelope)} ${(envelope.data.object["spec"] as { version: number }).version}`);
        seq = found.message.seq + 1;
      }
    },
    untilTexts: (name: string, ...expected: string[]) =>
      until(async () => (await scene.texts(name)).join() === expected.join(), { what: `${name}: ${expected}` }),
    /** What a bridge that starts now knows. */
    async startOver() {
      store = createStore(0);
      for await (const entry of log.readIndex(resourceSubjects(RESOURCE), AbortSignal.timeout(60_000)))
        store.set(entry.object, knownAfter(store.get(entry.object), entry));
      publisher = publisherOf(store);
    },
    /** NATS down; `work`; NATS up, and this connection back. */
    async whileDown(work: () => void, signal: NodeJS.Signals = "SIGTERM") {
      await nats.kill(signal);
      work();
      await nats.restart();
      await jetStream.whenConnected(AbortSignal.timeout(60_000));
    },
    copyStore: (name: string) =>
      scene.whileDown(() => cpSync(nats.storeDir, `${nats.storeDir}-${name}`, { recursive: true })),
    restoreStore: (name: string) =>
      scene.whileDown(() => {
        rmSync(nats.storeDir, { recursive: true });
        cpSync(`${nats.storeDir}-${name}`, nats.storeDir, { recursive: true });
      }, "SIGKILL"),
    /** A subscription of its own, which has read nothing yet. */
    subscribe: (name: string, filter: string) =>
      jetStream.api(`CONSUMER.CREATE.CR_EVENTS.${name}`, {
        stream_name: "CR_EVENTS",
        config: { durable_name: name, ack_policy: "explicit", filter_subjects: [filter] },
      }),
    /** The subscription reads and acknowledges what it has. */
    async readAll(name: string) {
      const inbox = jetStream.newInbox();
      const stop = jetStream.subscribe(inbox, ({ reply }) => reply && jetStream.send(reply, "+ACK"));
      jetStream.send(
        `$JS.API.CONSUMER.MSG.NEXT.CR_EVENTS.${name}`,
        JSON.stringify({ batch: 10_000, no_wait: true }),
        inbox,
      );
      await until(async () => {
        const info = await jetStream.api<{ num_pending: number; num_ack_pending: number }>(
          `CONSUMER.INFO.CR_EVENTS.${name}`,
        );
        return info.num_pending + info.num_ack_pending === 0;
      });
      stop();
    },
  };
  return scene;
}
