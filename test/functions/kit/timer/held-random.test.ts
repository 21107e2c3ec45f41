/**
 * `for` against a model, over random histories of many objects that enter the state, leave it, are deleted and come again, while processes
 * and NATS are restarted. What each must come to is told by the times at which its events were stored, however late anything runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { untilAnswered } from "../../../../bridge/nats/jetstream.ts";
import { read } from "../../../../bridge/nats/reader.ts";
import { createRandom } from "../../../kit/random.ts";
import { type Rig, type Started, startRig, until } from "../delivery/rig.ts";
import type { TestEvent } from "../event-factory.ts";
import { createHistory } from "./history.ts";

const WINDOW_MS = 1_000;
const OBJECTS = 24;
const STAYS = 5;

interface Entry {
  readonly id: string;
  /** When the object entered the state; the event may be stored later, where NATS was away. */
  readonly sinceMs: number;
  /** Its sequence in the log. */
  readonly entered: number;
  /** The sequence of what left it, entered it anew or deleted the object; `undefined`: nothing did, and it has to be told. */
  over?: number;
}

/** How long an object stays as it is: too short to be told, about as long as it takes, or until it is told. */
const STAYS_MS = [50, 300, 600, 1_200, "told"] as const;

test("of every entry that held the function is told once, and of none that did not", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  const random = createRandom(12);
  const entries: Entry[] = [];
  const told = new Map<string, number>();
  const start = () =>
    rig.start(async ({ event: { id } }) => void told.set(id, (told.get(id) ?? 0) + 1), {
      when: { phase: { to: ["Failed", "Lost"] } },
      for: "1s",
      partitions: 1,
    });
  let running: Started = start();
  let over = false;
  const live = async (name: string) => {
    let generation = 0;
    let history = createHistory(name, { uid: `${name}-0` });
    let open: Entry | undefined;
    const publish = async (event: TestEvent) => {
      const sequence = await store(rig, event);
      if (open !== undefined) open.over = sequence;
      open = undefined;
      const { phase, type, id, time } = event.envelope;
      if (type.endsWith("deleted") || (phase !== "Failed" && phase !== "Lost")) return;
      open = { id, sinceMs: Date.parse(time), entered: sequence };
      entries.push(open);
    };
    await publish(history.created(random.pick(["Running", "Failed"])));
    for (let stay = 0; stay < STAYS; stay++) {
      const stayMs = random.pick(STAYS_MS);
      const entered = open;
      if (stayMs !== "told") await sleep(stayMs);
      else if (entered !== undefined) await until(() => told.has(entered.id));
      const next = random.pick(["Running", "Failed", "Lost", "deleted"]);
      if (next !== "deleted") {
        if (next !== history.phase()) await publish(history.moved(next));
        continue;
      }
      await publish(history.deleted());
      history = createHistory(name, { uid: `${name}-${++generation}` });
      await publish(history.created("Failed"));
    }
  };
  const disturb = async () => {
    while (!over) {
      await sleep(random.pick([300, 900, 1_500]));
      await running.stop();
      if (random.pick([true, false])) {
        await rig.nats.restart();
        await rig.jetStream.whenConnected(AbortSignal.timeout(60_000));
      }
      running = start();
    }
  };
  const disturbing = disturb();
  await Promise.all(Array.from({ length: OBJECTS }, (_, i) => live(`o${i}`)));
  over = true;
  await disturbing;
  const storedMs = await storedTimes(rig);
  /** When the log said that it was over. */
  const overMs = ({ over: end }: Entry) =>
    end === undefined ? Number.POSITIVE_INFINITY : (storedMs.get(end) ?? Number.NaN);
  const isHeld = ({ over: end }: Entry) => end === undefined;
  await until(() => entries.filter(isHeld).every(({ id }) => told.has(id)));
  for (const entry of entries) {
    const count = told.get(entry.id) ?? 0;
    assert.ok(count <= 1, `${entry.id} was told ${count} times`);
    if (count > 0) assert.ok(overMs(entry) - entry.sinceMs >= WINDOW_MS, `${entry.id} was told, and was over before`);
  }
  assert.ok(told.size > 0 && entries.length > told.size);
});

/** As the bridge does: until it is stored, and once. Resolves to its sequence. */
async function store({ jetStream }: Rig, { subject, payload, envelope: { id } }: TestEvent): Promise<number> {
  const headers = { "content-type": "application/cloudevents+json", "Nats-Msg-Id": id };
  const options = { signal: AbortSignal.timeout(60_000), onWait: () => undefined };
  const { seq } = await untilAnswered(() => jetStream.publish(subject, payload, headers), options);
  return seq;
}

/** When each event of the log was stored, by the server's clock: an acknowledgement may come much later. */
async function storedTimes({ jetStream }: Rig): Promise<ReadonlyMap<number, number>> {
  const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
  const stored = await Array.fromAsync(read(jetStream, reading, AbortSignal.timeout(60_000), false));
  return new Map(stored.map(({ streamSequence, storedAtMs }) => [streamSequence, storedAtMs]));
}
