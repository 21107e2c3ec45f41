/**
 * Silences under fire: they begin and end while the real process is killed at random points, NATS with it. What happened in one is told to
 * nobody before its end, and then of each object the last event, once; what happened outside of them is told as ever.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { countHeldBack } from "../../functions/kit/silence/held-back-survey.ts";
import { addSilence, endSilence } from "../../functions/kit/silence/silence-bucket.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { createHistory } from "../functions/kit/timer/history.ts";
import { createRandom } from "../kit/random.ts";
import { until } from "../kit/until.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { startFunctionProcess } from "./function-process.ts";
import { armKill, type KillPoint } from "./kill-point.ts";

const ROOT = join(import.meta.dirname, "../..");
const SEED = Number(process.env["CR_REACTOR_TEST_SEED"] ?? 20_261_121);
const WAVES = 4;
const OBJECTS = 8;
const EVENTS_EACH = 12;
const WAIT_MS_MAX = 60_000;
const IN_SILENCE: readonly KillPoint[] = ["before-held", "held-stored", "before-ack"];
const AT_ITS_END: readonly KillPoint[] = [
  "before-run",
  "claimed:tell",
  "answered:tell",
  "after-run",
  "before-told",
  "told-stored",
];

/** A user's function, as it stands in a file of theirs. */
const functionText = (name: string, batches: boolean) => `
import { defineFunction } from ${JSON.stringify(pathToFileURL(join(ROOT, "functions/door.ts")).href)};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "${name}",
  description: "Tells a receiver about events.",
  config: z.strictObject({ url: z.string() }),
  ${batches ? "batches: true," : ""}
  async run({ events, subscription, config, step }) {
    await step("tell", async ({ idempotencyKey, signal }) => {
      const headers = { "idempotency-key": idempotencyKey };
      const body = JSON.stringify({ subscription, ids: events.map(({ id }) => id) });
      const answer = await fetch(config.url + "/tell", { method: "POST", headers, body, signal });
      if (!answer.ok) throw new Error("refused");
    });
  },
});
`;

test("a silence holds back what happens in it, and tells it once when it is over, whatever is killed in between", async (t) => {
  const rig = await startRig(t);
  if (rig === undefined) return;
  t.diagnostic(`CR_REACTOR_TEST_SEED=${SEED}`);
  const { nats, jetStream } = rig;
  const { signal } = new AbortController();
  /** How often each subscription told of each event; a receiver takes each idempotency key once. */
  const told = new Map<string, number>();
  const taken = new Set<unknown>();
  await using receiver = await startReceiver(({ headers, body }) => {
    const { subscription, ids } = JSON.parse(String(body)) as { subscription: string; ids: string[] };
    const key = headers["idempotency-key"];
    if (!taken.has(key))
      for (const id of ids) told.set(`${subscription} ${id}`, (told.get(`${subscription} ${id}`) ?? 0) + 1);
    taken.add(key);
    return { status: 204 };
  });
  const subscription = (name: string) => ({
    ...{ name, function: `./${name}.ts`, apiVersion: "demo.example.com/v1", kind: "Database", start: "all" },
    ...{ when: { phase: {} }, attempts: 100, config: { url: receiver.origin } },
  });
  const names = ["one", "many"];
  const functions = await startFunctionProcess(t, {
    config: { nats: { servers: [nats.url] }, subscriptions: names.map(subscription) },
    files: { "one.ts": functionText("one", false), "many.ts": functionText("many", true) },
  });
  const isIdle = async () => {
    const consumers = await Promise.all(names.map((name) => rig.consumer(name)));
    return consumers.every(({ num_ack_pending, num_pending }) => num_ack_pending + num_pending === 0);
  };
  let hits = 0;
  /** Until it is so, with the process started again when it was killed. */
  const goOn = (isSo: () => Promise<boolean>, what: string) =>
    until(
      async () => {
        if (functions.pid === undefined) {
          hits++;
          await functions.restart();
        }
        return await isSo();
      },
      { waitMsMax: WAIT_MS_MAX, what, pollMs: 50 },
    );
  const random = createRandom(SEED);
  const objects = Array.from({ length: OBJECTS }, (_, number) => createHistory(`db-${number}`));
  const change = async (): Promise<Map<object, string>> => {
    const last = new Map<object, string>();
    for (let count = 0; count < EVENTS_EACH; count++) {
      const object = random.pick(objects);
      const event = object.moved(random.pick(["Failed", "Running", "Other"].filter((each) => each !== object.phase())));
      await rig.publish(event);
      last.set(event, event.envelope.id);
    }
    return last;
  };
  const expected = new Set<string>();
  const expectAll = (ids: Iterable<string>) => {
    for (const id of ids) for (const name of names) expected.add(`${name} ${id}`);
  };
  for (let wave = 0; wave < WAVES; wave++) {
    expectAll((await change()).values());
    await goOn(isIdle, "what is loud is told");
    // A process that starts knows the silence before its first event.
    await functions.kill();
    const nowMs = Date.now();
    const [begins, ends] = [nowMs, nowMs + 3_600_000].map((ms) => new Date(ms).toISOString()) as [string, string];
    const id = await addSilence(
      jetStream,
      { version: 1, reason: "a test", by: "me", begins, ends, summary: true },
      signal,
    );
    armKill(functions.folder, random.pick(IN_SILENCE), 1 + Math.floor(random.next() * 6));
    await functions.restart();
    const before = told.size;
    const lastOf = new Map<string, string>();
    for (const [event, eventId] of await change()) lastOf.set(nameOf(event), eventId);
    await goOn(isIdle, "what is silent is held back");
    assert.equal(told.size, before, "nothing is told in a silence");
    armKill(functions.folder, random.pick(AT_ITS_END), 1 + Math.floor(random.next() * 4));
    if (wave === 1) {
      await nats.kill();
      await nats.restart();
      await until(() => jetStream.connected);
    }
    await endSilence(jetStream, id, "me");
    expectAll(lastOf.values());
    await goOn(async () => {
      const counts = await countHeldBack(jetStream, signal, id);
      return counts.every(({ untold }) => untold === 0) && [...expected].every((each) => told.has(each));
    }, "what was held back is told");
    await functions.kill();
    await functions.restart();
  }
  const twice = [...told].filter(([, times]) => times > 1);
  assert.deepEqual(twice, []);
  assert.deepEqual([...told.keys()].toSorted(), [...expected].toSorted());
  assert.ok(hits >= WAVES / 2, `only ${hits} of the points were passed`);
});

const nameOf = (event: object) => (event as { envelope: { name: string } }).envelope.name;
