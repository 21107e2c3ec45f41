/**
 * Incidents under fire: objects fail and recover while the real process that follows them is killed at random points, NATS with it, and
 * the bucket of incidents is lost on the way. A receiver that keeps a state for each key, as a user's own would, ends with one opening and
 * at most one recovery for each incident, in the true last state.
 */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { startRig } from "../functions/kit/delivery/rig.ts";
import type { TestEvent } from "../functions/kit/event-factory.ts";
import { life } from "../functions/kit/incident/incident-scene.ts";
import { createRandom } from "../kit/random.ts";
import { until } from "../kit/until.ts";
import { startFunctionProcess } from "./function-process.ts";
import { armKill, type KillPoint } from "./kill-point.ts";

const ROOT = join(import.meta.dirname, "../..");
const SEED = Number(process.env["CR_REACTOR_TEST_SEED"] ?? 20_261_121);
const OBJECTS = 6;
const WAVES = 7;
const CHANGES_EACH_WAVE = 8;
const WAIT_MS_MAX = 60_000;
const POINTS: readonly KillPoint[] = [
  ...([
    "before-run",
    "before-incident",
    "incident-stored",
    "claimed:tell",
    "before-send:tell",
    "answered:tell",
  ] as const),
  ...(["before-record:tell", "recorded:tell", "after-run", "before-ack"] as const),
];

/** A user's function, as it stands in a file of theirs. */
const FUNCTION = `
import { defineFunction } from ${JSON.stringify(pathToFileURL(join(ROOT, "functions/door.ts")).href)};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "tell",
  description: "Tells a receiver about incidents.",
  config: z.strictObject({ url: z.string() }),
  async run({ incident, config, step }) {
    if (incident === undefined) throw new Error("no incident");
    const { key, type, receipts } = incident;
    await step("tell", async ({ idempotencyKey, signal }) => {
      const headers = { "idempotency-key": idempotencyKey };
      const body = JSON.stringify({ key, type, receipts });
      const answer = await fetch(config.url + "/tell", { method: "POST", headers, body, signal });
      if (!answer.ok) throw new Error("refused");
    });
    await incident.remember("told", type);
  },
});
`;

interface Counted {
  opened: number;
  updated: number;
  resolved: number;
  last: "opened" | "updated" | "resolved";
}
type Counts = Map<string, Counted>;

function count(counts: Counts, key: string, type: Counted["last"]): void {
  const counted = counts.get(key) ?? { opened: 0, updated: 0, resolved: 0, last: type };
  counted[type]++;
  counted.last = type;
  counts.set(key, counted);
}

/** Takes each idempotency key once. */
async function startReceiver(t: TestContext) {
  const counts: Counts = new Map();
  const taken = new Set<string>();
  const server = createServer(async (request, response) => {
    const { key, type } = JSON.parse((await request.toArray()).join("")) as { key: string; type: Counted["last"] };
    const repetition = String(request.headers["idempotency-key"]);
    if (!taken.has(repetition)) count(counts, key, type);
    taken.add(repetition);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, counts };
}

test("each incident is opened once and resolved once, whatever is killed or lost in between", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  t.diagnostic(`CR_REACTOR_TEST_SEED=${SEED}`);
  const { nats, jetStream } = rig;
  const receiver = await startReceiver(t);
  const subscription = {
    ...{ name: "failed", function: "./tell.ts", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
    ...{ when: { phase: { to: "Failed" } }, resolve: { phase: { to: "Running" } }, attempts: 100 },
    config: { url: receiver.url },
  };
  const config = { nats: { servers: [nats.url] }, subscriptions: [subscription] };
  const functions = await startFunctionProcess(t, { config, files: { "tell.ts": FUNCTION } });
  const isIdle = async () => {
    const { num_ack_pending, num_pending } = await rig.consumer("failed");
    return num_ack_pending + num_pending === 0;
  };

  const random = createRandom(SEED);
  const expected: Counts = new Map();
  const world = createWorld(random, expected);
  let hits = 0;
  for (let wave = 0; wave < WAVES; wave++) {
    armKill(functions.folder, random.pick(POINTS), 1 + Math.floor(random.next() * 4));
    await rig.publish(...Array.from({ length: CHANGES_EACH_WAVE }, world.change));
    await until(async () => functions.pid === undefined || (await isIdle()), { waitMsMax: WAIT_MS_MAX });
    if (functions.pid === undefined) hits++;
    await functions.kill();
    if (wave === 2) await jetStream.api("STREAM.PURGE.KV_CR_INCIDENTS");
    if (wave === 4) await jetStream.api("STREAM.DELETE.KV_CR_INCIDENTS");
    if (wave === 5) {
      await nats.kill();
      await nats.restart();
      await until(() => jetStream.connected);
    }
    await functions.restart();
  }
  await until(isIdle, { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" });
  const sorted = (counts: Counts) => [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(sorted(receiver.counts), sorted(expected));
  assert.ok(hits > WAVES / 2, `only ${hits} of the points were passed`);
  assert.ok(expected.size > 10 && [...expected.values()].some(({ updated }) => updated > 0));
});

/** Objects that go from phase to phase, and what a receiver must have heard of it in the end. */
function createWorld(random: ReturnType<typeof createRandom>, expected: Counts) {
  const objects = Array.from({ length: OBJECTS }, (_, number) => ({
    life: life({ name: `db-${number}` }),
    phase: "Creating",
    open: undefined as string | undefined,
  }));
  return {
    change(): TestEvent {
      const object = random.pick(objects);
      object.phase = random.pick(["Failed", "Failed", "Running", "Other"].filter((phase) => phase !== object.phase));
      const event = object.life.to(object.phase);
      if (object.phase === "Failed") {
        const isOpening = object.open === undefined;
        object.open ??= `failed/${event.envelope.id}`;
        count(expected, object.open, isOpening ? "opened" : "updated");
      }
      if (object.phase === "Running" && object.open !== undefined) {
        count(expected, object.open, "resolved");
        object.open = undefined;
      }
      return event;
    },
  };
}
