/**
 * Functions under fire: real processes of `cr-reactor run` with a function of a user's own, on a real nats-server, are killed at each point
 * between the call and the acknowledgement while several objects change. A receiver that honours the idempotency key ends with one effect an
 * event; with one that cannot, what is repeated is exactly what it had received when the process was killed and nobody had recorded.
 */
import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { getStored } from "../../bridge/nats/stored-message.ts";
import { readLetters } from "../../functions/kit/delivery/dead-letter-box.ts";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { type TestEvent, updated } from "../functions/kit/event-factory.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { startFunctionProcess } from "./function-process.ts";
import { armKill, bePatient, type KillPoint } from "./kill-point.ts";

const ROOT = join(import.meta.dirname, "../..");
const OBJECTS = 6;
const EVENTS_EACH = 4;
/** A killed process' events come again after two seconds, and a busy machine takes its time to start the next one. */
const WAIT_MS_MAX = 60_000;

/** A user's function, as it stands in a file of theirs: two receivers, and three ways to go wrong that a spec can ask for. */
const FUNCTION = `
import { defineFunction, PermanentError } from ${JSON.stringify(pathToFileURL(join(ROOT, "functions/door.ts")).href)};
import { z } from ${JSON.stringify(import.meta.resolve("zod"))};

export default defineFunction({
  name: "two-effects",
  description: "Tells two receivers about each change.",
  config: z.strictObject({ url: z.string() }),
  async run({ event, object, config, step }) {
    const post = (name: string) =>
      step(name, async ({ idempotencyKey, signal }) => {
        const headers = { "idempotency-key": idempotencyKey };
        const answer = await fetch(config.url + "/" + name, { method: "POST", headers, body: event.id, signal });
        return { status: answer.status, by: process.pid };
      });
    await post("honest");
    await post("plain");
    switch ((object.spec as { mode?: string }).mode) {
      case "refused":
        throw new PermanentError("refused for good");
      case "poison":
        process.kill(process.pid, "SIGKILL");
        break;
      case "deaf":
        await new Promise(() => undefined);
    }
  },
});
`;

/** Receivers of the two steps: one that takes each key once, and one that takes everything. */
async function startReceivers(t: TestContext) {
  const effects = new Set<string>();
  const plain = new Map<string, number>();
  const held: ServerResponse[] = [];
  let isHolding = false;
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join("");
    if (request.url === "/honest") effects.add(String(request.headers["idempotency-key"]));
    else plain.set(body, (plain.get(body) ?? 0) + 1);
    if (isHolding && request.url === "/plain") held.push(response);
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** What happened at a receiver that honours the idempotency key: one effect for each key. */
    effects,
    /** By event id: how often it came to a receiver that cannot tell. */
    plain,
    held,
    /** Calls of `plain` are received, and not answered. */
    hold() {
      isHolding = true;
    },
    release() {
      isHolding = false;
      for (const response of held.splice(0)) response.end();
    },
  };
}

async function startScene(t: TestContext, subscription: object = {}) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const { jetStream, nats } = rig;
  const receivers = await startReceivers(t);
  const config = {
    nats: { servers: [nats.url] },
    subscriptions: [
      {
        ...{ name: "effects", function: "./two-effects.ts", apiVersion: "demo.example.com/v1", kind: "Database" },
        ...{ start: "all", attempts: 3, config: { url: receivers.url }, ...subscription },
      },
    ],
  };
  return {
    ...rig,
    receivers,
    /** A process of functions, which runs in a folder of its own. */
    startFunctions: (prepare?: (folder: string) => void): Promise<ServerProcess> =>
      startFunctionProcess(t, { config, files: { "two-effects.ts": FUNCTION }, ...(prepare && { prepare }) }),
    /** Everything is acknowledged. */
    untilIdle: () =>
      until(
        async () => {
          const { num_ack_pending, num_pending } = await rig.consumer("effects");
          return num_ack_pending + num_pending === 0;
        },
        { waitMsMax: WAIT_MS_MAX, what: "every event is acknowledged" },
      ),
    /** The server has seen the end of the killed process, and with it all that it had sent. */
    untilDisconnected: () =>
      until(async () => {
        const { connections } = (await (await fetch(`${nats.monitorUrl}/connz`)).json()) as {
          connections: { name: string }[];
        };
        return !connections.some(({ name }) => name === "cr-reactor functions");
      }),
    async stepOf(eventId: string, step: string): Promise<{ state: string; result?: { by: number } } | undefined> {
      const key = `$KV.CR_STEPS.effects.${eventId.replaceAll(".", "_")}.${step}`;
      const stored = await getStored(jetStream, "KV_CR_STEPS", { last_by_subj: key });
      return stored && stored.data.length > 0 ? JSON.parse(Buffer.from(stored.data).toString()) : undefined;
    },
    letters: () => Array.fromAsync(readLetters(jetStream, {}, AbortSignal.timeout(60_000))),
  };
}

/** Several objects change several times, interleaved; the last change of the first one has this mode. */
function changes(mode?: string): TestEvent[] {
  return Array.from({ length: OBJECTS * EVENTS_EACH }, (_, index) => {
    const name = `db-${index % OBJECTS}`;
    const replicas = Math.floor(index / OBJECTS) + 1;
    const isOdd = mode !== undefined && name === "db-0" && replicas === 2;
    return updated({ name, spec: { replicas: 0 } }, { name, spec: { replicas, ...(isOdd && { mode }) } });
  });
}

const idsOf = (events: readonly TestEvent[]) => events.map(({ envelope }) => envelope.id);
const oneEffectEach = (events: readonly TestEvent[]) => idsOf(events).map((id) => `effects/${id}/honest`);

describe("a process of functions that is killed", { concurrency: 2 }, () => {
  const points: readonly { readonly point: KillPoint; readonly repeats: boolean; readonly mode?: string }[] = [
    { point: "before-run", repeats: false },
    { point: "claimed:plain", repeats: false },
    { point: "before-send:plain", repeats: false },
    { point: "answered:plain", repeats: true },
    { point: "before-record:plain", repeats: true },
    { point: "recorded:plain", repeats: false },
    { point: "answered:honest", repeats: false },
    { point: "after-run", repeats: false },
    { point: "before-ack", repeats: false },
    { point: "before-letter", repeats: false, mode: "refused" },
    { point: "letter-stored", repeats: false, mode: "refused" },
  ];
  for (const { point, repeats, mode } of points) {
    const outcome = repeats ? "repeats the call that it was in, and nothing else" : "repeats nothing that was recorded";
    test(`at ${point} ${outcome}`, async (t) => {
      const scene = await startScene(t);
      if (scene === undefined) return;
      const { receivers } = scene;
      const events = changes(mode);
      await scene.publish(...events);
      const functions = await scene.startFunctions((folder) => armKill(folder, point, mode === undefined ? 5 : 1));
      await until(() => functions.pid === undefined, {
        waitMsMax: WAIT_MS_MAX,
        what: `the process is killed at ${point}`,
      });
      assert.equal(functions.lastExit?.signal, "SIGKILL");
      await scene.untilDisconnected();
      const open: string[] = [];
      for (const id of receivers.plain.keys()) if ((await scene.stepOf(id, "plain"))?.state !== "done") open.push(id);
      assert.ok(!repeats || open.length > 0, "the receiver has what nobody recorded");

      await functions.restart();
      await scene.untilIdle();
      assert.deepEqual([...receivers.effects].toSorted(), oneEffectEach(events).toSorted());
      const repeated = [...receivers.plain].filter(([, calls]) => calls > 1);
      assert.deepEqual(
        repeated.toSorted(),
        open.toSorted().map((id) => [id, 2]),
      );
      assert.equal(receivers.plain.size, events.length);
      const letters = await scene.letters();
      assert.deepEqual(
        letters.map(({ letter }) => letter.reason),
        mode === undefined ? [] : ["refused for good"],
      );
    });
  }

  test("again and again by one event buries that one, and its neighbours go on", async (t) => {
    const scene = await startScene(t, { attempts: 2 });
    if (scene === undefined) return;
    const events = changes("poison");
    await scene.publish(...events);
    const functions = await scene.startFunctions();
    await until(
      async () => {
        if (functions.pid === undefined) await functions.restart().catch(() => undefined); // killed before it was ready
        return (await scene.letters().catch(() => [])).length > 0;
      },
      { waitMsMax: 2 * WAIT_MS_MAX, what: "the poison event is a dead letter" },
    );
    await scene.untilIdle();
    const letters = await scene.letters();
    assert.equal(letters.length, 1);
    assert.match(letters[0]?.letter.reason ?? "", /^the process ended \d+ times while it handled this event$/);
    assert.deepEqual([...scene.receivers.effects].toSorted(), oneEffectEach(events).toSorted());
  });
});

describe("a function that goes wrong", { concurrency: 2 }, () => {
  test("by never returning costs its object a few tries, then a dead letter; others go on, and no effect is repeated", async (t) => {
    const scene = await startScene(t, { attempts: 2, timeoutSeconds: 1 });
    if (scene === undefined) return;
    const events = changes("deaf");
    await scene.publish(...events);
    await scene.startFunctions();
    await until(async () => (await scene.letters().catch(() => [])).length > 0, { waitMsMax: WAIT_MS_MAX });
    await scene.untilIdle();
    const [letter] = await scene.letters();
    assert.deepEqual([letter?.letter.reason, letter?.letter.attempts], ["the function did not end within 1 s", 2]);
    assert.deepEqual([...scene.receivers.effects].toSorted(), oneEffectEach(events).toSorted());
    assert.deepEqual(new Set(scene.receivers.plain.values()), new Set([1]));
  });

  test("does not: NATS is killed in the middle of its steps, and nothing is called again", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const { receivers, nats } = scene;
    receivers.hold();
    const events = changes();
    await scene.publish(...events);
    await scene.startFunctions(bePatient);
    await until(() => receivers.held.length === OBJECTS, {
      waitMsMax: WAIT_MS_MAX,
      what: "every object is in its step",
    });
    await nats.kill();
    receivers.release();
    await nats.restart();
    await until(() => scene.jetStream.connected);
    await scene.untilIdle();
    assert.deepEqual([...receivers.effects].toSorted(), oneEffectEach(events).toSorted());
    assert.deepEqual(
      [...receivers.plain].toSorted(),
      idsOf(events)
        .toSorted()
        .map((id) => [id, 1]),
    );
  });

  test("by standing still in a step loses it to another process, and does not record over its result when it wakes up", async (t) => {
    // What it asked for stays open for half a minute, as long as an event waits for its acknowledgement in life: here that is two seconds,
    // so that the one that stands still is given the event several more times, and each counts as a try.
    const scene = await startScene(t, { attempts: 100 });
    if (scene === undefined) return;
    const { receivers } = scene;
    receivers.hold();
    const [event] = changes();
    assert.ok(event);
    await scene.publish(event);
    const first = await scene.startFunctions();
    await until(() => receivers.held.length === 1, { waitMsMax: WAIT_MS_MAX });
    await first.kill("SIGSTOP");
    const second = await scene.startFunctions();
    await until(() => receivers.held.length === 2, { waitMsMax: WAIT_MS_MAX, what: "the step is taken over" });
    const [ofFirst, ofSecond] = receivers.held.splice(0);
    ofSecond?.end();
    const { id } = event.envelope;
    const recorded = async () => (await scene.stepOf(id, "plain"))?.result?.by;
    await until(async () => (await recorded()) === second.pid);
    ofFirst?.end();
    await first.kill("SIGCONT");
    await until(() => /standing by: other processes do the work/.test(first.logTail(50)), { waitMsMax: WAIT_MS_MAX });
    assert.equal(await recorded(), second.pid);
    await scene.untilIdle();
    assert.equal(receivers.plain.get(id), 2);
    assert.deepEqual([...receivers.effects], oneEffectEach([event]));
  });
});
