/**
 * Everything that bridge and functions store in NATS, heard while they do a little of all that they can: events, checkpoints, schemas, the records
 * and leases of subscriptions, steps, incidents, timers, batches, dead letters and orders to retry them. What is in it is compared without
 * values; what was last stored under each subject is kept as it was.
 */
import type { TestContext } from "node:test";
import { connect } from "nats";
import { ensureStream, type JetStream, StreamSettings } from "../../bridge/contract.ts";
import {
  deadLettersStream,
  incidentsStream,
  retriesStream,
  stepsStream,
  subscriptionsStream,
  timersStream,
} from "../../bridge/nats/function-stream.ts";
import { checkpointsStream, eventsStream, schemasStream } from "../../bridge/nats/stream.ts";
import { orderRetry, readLetters } from "../../functions/kit/delivery/dead-letter-box.ts";
import { PermanentError } from "../../functions/kit/outcome.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { updated } from "../functions/kit/event-factory.ts";
import { openBridgeScene } from "../journey/bridge-scene.ts";
import { watching } from "../journey/settings-scene.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { until } from "../kit/until.ts";

/** A message as it was stored. */
export interface StoredRecord {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly data: string;
}

/** What was heard. */
export interface Recording {
  /** By sort of record: names of headers, and paths of the JSON, in alphabetical order. */
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  /** The newest under each subject, without what was deleted. */
  readonly records: readonly StoredRecord[];
}

const PATIENT = { waitMsMax: 60_000 };
const STREAMS = [
  ...[eventsStream, checkpointsStream, schemasStream, subscriptionsStream, stepsStream],
  ...[incidentsStream, timersStream, deadLettersStream, retriesStream],
];
/** What is stored, and not what is asked. */
const STORED = ["cr.>", "crdead.>", "crretry.>", "crtimer.>", "$KV.>"];
/** Events and definitions have schemas and goldens of their own. */
const DEPTH_MAX: Readonly<Record<string, number>> = { event: 1, CR_SCHEMAS: 1 };

/** Does all of it; `undefined` where a server is missing. */
export async function record(t: TestContext): Promise<Recording | undefined> {
  const heard: StoredRecord[] = [];
  if (!(await recordFunctions(t, heard)) || !(await recordBridge(t, heard))) return undefined;
  const shapes = new Map<string, Set<string>>();
  for (const each of heard) {
    const sort = sortOf(each.subject);
    shapes.set(sort, new Set([...(shapes.get(sort) ?? []), ...shapeOf(sort, each)]));
  }
  const newest = new Map(heard.map((each) => [each.subject, each]));
  return {
    shapes: Object.fromEntries([...shapes].toSorted().map(([sort, paths]) => [sort, [...paths].toSorted()])),
    records: [...newest.values()].filter(({ headers }) => headers["KV-Operation"] === undefined),
  };
}

/** Makes all streams. */
export async function ensureStored(jetStream: JetStream): Promise<void> {
  const settings = StreamSettings.parse({});
  for (const stream of STREAMS) await ensureStream(jetStream, stream(settings));
}

async function listen(t: TestContext, url: string, heard: StoredRecord[]): Promise<void> {
  const connection = await connect({ servers: [url] });
  t.after(() => connection.close());
  for (const filter of STORED) {
    const callback: Listener = (_, { subject, headers, data }) => {
      const named = Object.fromEntries((headers?.keys() ?? []).map((name) => [name, headers?.get(name) ?? ""]));
      heard.push({ subject, headers: named, data: Buffer.from(data).toString("utf8") });
    };
    connection.subscribe(filter, { callback });
  }
  await connection.flush();
}
type Listener = NonNullable<NonNullable<Parameters<Awaited<ReturnType<typeof connect>>["subscribe"]>[1]>["callback"]>;

const phase = (name: string, from: string, to: string) => updated({ name, phase: from }, { name, phase: to });
const FAILED = { when: { phase: { to: "Failed" } } };

async function recordFunctions(t: TestContext, heard: StoredRecord[]): Promise<boolean> {
  const rig = await startRig(t);
  if (rig === undefined) return false;
  await ensureStored(rig.jetStream); // whoever listens keeps NATS from saying that there is nobody
  await listen(t, rig.nats.url, heard);
  const incident = { ...FAILED, resolve: { phase: { to: "Running" } }, partitions: 2 };
  let batched = 0;
  const started = [
    rig.start(
      async ({ object, step, incident: its }) => {
        if (object.metadata.name === "bad") throw new PermanentError("never", { cause: new Error("why") });
        await step("post", async () => ({ ts: "1.2" }));
        await its?.remember("thread", { ts: "1.2" });
      },
      { ...incident, name: "incident" },
    ),
    rig.start(async () => {}, { ...FAILED, name: "held", for: "1h" }),
    rig.start(
      async ({ events = [] }) => {
        batched += events.length;
      },
      { ...FAILED, name: "batched", batch: { window: "1s" }, batches: true },
    ),
  ];
  await until(() => started.every(({ status }) => status().state === "running"), PATIENT);
  await rig.publish(phase("a", "Running", "Failed"), phase("bad", "Running", "Failed"));
  const letters = () => Array.fromAsync(readLetters(rig.jetStream, {}, AbortSignal.timeout(60_000)));
  await until(async () => (await letters().catch(() => [])).length === 1, PATIENT);
  const [letter] = await letters();
  if (letter !== undefined) await orderRetry(rig.jetStream, letter);
  await until(async () => (await letters())[0]?.letter.retryOf !== undefined, PATIENT);
  await rig.publish(phase("a", "Failed", "Running"), phase("a", "Running", "Failed"));
  for (const name of ["incident_0of2", "incident_1of2", "held", "batched"]) await rig.untilAcked(name);
  await until(() => batched === 3, PATIENT);
  await until(() => heard.some(({ subject }) => subject.startsWith("crtimer.done.batched.")), PATIENT);
  for (const each of started) await each.stop();
  return true;
}

async function recordBridge(t: TestContext, heard: StoredRecord[]): Promise<boolean> {
  const { client, kubeconfigPath } = await openEmbedded(t);
  const scene = await openBridgeScene(t, kubeconfigPath);
  if (scene === undefined) return false;
  await ensureStored(scene.jetStream);
  await listen(t, scene.nats.url, heard);
  await client.createNamespace("a");
  const bridge = scene.startBridge(watching("a"));
  await bridge.live(1);
  await client.create(databasePath("a"), database("orders", "a"));
  await scene.told("a/orders created");
  await until(() => heard.some(({ subject }) => subject.startsWith("$KV.CR_SCHEMAS.")), PATIENT);
  await bridge.stop();
  return true;
}

/** `CR_SUBSCRIPTIONS lease`, `crtimer wait`, `event`. */
function sortOf(subject: string): string {
  const [root = "", bucket = "", key = ""] = subject.split(".");
  if (root === "cr") return "event";
  if (root === "crtimer") return `${root} ${bucket}`;
  if (root !== "$KV") return root;
  return bucket === "CR_SUBSCRIPTIONS" ? `${bucket} ${key}` : bucket;
}

function shapeOf(sort: string, { headers, data }: StoredRecord): Set<string> {
  const paths = new Set(Object.keys(headers).map((name) => `header ${name}`));
  // A timer and a dead letter have the bytes of their event.
  const isEvent = headers["content-type"] !== undefined;
  if (data === "" || (isEvent && sort !== "event")) return paths.add(data === "" ? "nothing" : "the event");
  const visit = (value: unknown, path: string, depth: number): void => {
    if (typeof value !== "object" || value === null || depth === 0) {
      paths.add(`${path} ${value === null ? "null" : Array.isArray(value) ? "array" : typeof value}`);
      return;
    }
    for (const [key, inner] of Object.entries(value))
      visit(inner, `${path}/${Array.isArray(value) ? "*" : key}`, depth - 1);
  };
  visit(JSON.parse(data), "", DEPTH_MAX[sort] ?? 10);
  return paths;
}
