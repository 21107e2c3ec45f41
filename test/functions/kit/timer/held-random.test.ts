/**
 * `for` against a model, over random histories of many objects that enter the state, leave it, are deleted and come again, while processes
 * and NATS are restarted. What each must come to is told by the times at which its events were stored, however late anything runs.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { untilAnswered } from "../../../../bridge/jetstream.ts";
import { createRandom } from "../../../kit/random.ts";
import { type Rig, type Started, startRig, until } from "../delivery/rig.ts";
import type { TestEvent } from "../event-factory.ts";
import { createHistory } from "./history.ts";

const WINDOW_MS = 1_000;
/** A due event is handled within this time, restarts included. */
const LATE_MS = 4_000;
const OBJECTS = 24;
const STAYS = 5;

interface Entry {
  readonly id: string;
  readonly storedMs: number;
  /** When it left, was entered anew or was deleted; `undefined`: never. */
  overMs?: number;
}

test("of every entry that held the function is told once, and of none that did not", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  const random = createRandom(12);
  const entries: Entry[] = [];
  const told = new Map<string, number[]>();
  const start = () =>
    rig.start(async ({ event }) => void told.set(event.id, [...(told.get(event.id) ?? []), Date.now()]), {
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
      await store(rig, event);
      if (open !== undefined) open.overMs = Date.now();
      open = undefined;
      const { phase, type, id } = event.envelope;
      if (type.endsWith("deleted") || (phase !== "Failed" && phase !== "Lost")) return;
      open = { id, storedMs: Date.now() };
      entries.push(open);
    };
    await publish(history.created(random.pick(["Running", "Failed"])));
    for (let stay = 0; stay < STAYS; stay++) {
      await sleep(random.pick([50, 300, 600, WINDOW_MS + LATE_MS + 500]));
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
        await rig.jetStream.whenConnected(AbortSignal.timeout(20_000));
      }
      running = start();
    }
  };
  const disturbing = disturb();
  await Promise.all(Array.from({ length: OBJECTS }, (_, i) => live(`o${i}`)));
  over = true;
  await disturbing;
  const hasHeld = ({ storedMs, overMs }: Entry) => overMs === undefined || overMs - storedMs > WINDOW_MS + LATE_MS;
  await until(() => entries.filter(hasHeld).every(({ id }) => told.has(id)));
  const lasted = ({ storedMs, overMs = Number.POSITIVE_INFINITY }: Entry) => overMs - storedMs;
  for (const entry of entries) {
    const times = told.get(entry.id) ?? [];
    assert.ok(times.length <= 1, `${entry.id} was told ${times.length} times`);
    if (times.length === 0) assert.ok(!hasHeld(entry));
    // Stored, by the server's clock, is a moment before the test knows.
    else assert.ok(lasted(entry) > WINDOW_MS - 200, `${entry.id} was told, and had held ${lasted(entry)} ms`);
  }
  assert.ok(entries.filter(hasHeld).length > OBJECTS / 2 && entries.length > told.size * 1.5);
});

/** As the bridge does: until it is stored, and once. */
async function store({ jetStream }: Rig, { subject, payload, envelope: { id } }: TestEvent): Promise<void> {
  const headers = { "content-type": "application/cloudevents+json", "Nats-Msg-Id": id };
  const options = { signal: AbortSignal.timeout(60_000), onWait: () => undefined };
  await untilAnswered(() => jetStream.publish(subject, payload, headers), options);
}
