/**
 * Guarantees under fire: writers change databases as fast as the API server takes it, while the bridge and NATS are killed again and
 * again; then the log is compared with what the API server acknowledged. Its history reaches back all the time, so every single
 * write must be there: once, in order, each event's before being its predecessor's after, and nothing else.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ALWAYS_IGNORED } from "../../bridge/capture/resource.ts";
import { beforeOf } from "../../bridge/event/change.ts";
import { type Envelope, opOf } from "../../bridge/event/envelope.ts";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";
import { database, databasePath } from "../kit/database-crd.ts";
import { KubeStatusError } from "../kit/kube-client.ts";
import { until } from "../kit/until.ts";
import { startJourney } from "./rig.ts";

type Journey = NonNullable<Awaited<ReturnType<typeof startJourney>>>;

const WRITERS = 3;
const NAMES_EACH = 12;
const PHASES = ["Pending", "Running", "Failed"];

/** A random number generator with a seed (mulberry32), so that a schedule can be replayed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Writes until `stop` aborts; the ids that the events of its acknowledged writes must have. A write without effect keeps its version. */
async function write(
  { kube, namespace }: Journey,
  writer: number,
  random: () => number,
  stop: AbortSignal,
): Promise<Set<string>> {
  const acknowledged = new Set<string>();
  for (let count = 0; !stop.aborted; count++) {
    const name = `db-${writer}-${Math.floor(random() * NAMES_EACH)}`;
    const path = databasePath(namespace, name);
    const dice = random();
    try {
      if (dice < 0.1) {
        const { uid } = (await kube.client.get(path)).metadata;
        await kube.client.delete(path);
        acknowledged.add(`${uid}.deleted`);
        continue;
      }
      const { metadata } =
        dice < 0.25
          ? await kube.client.create(databasePath(namespace), database(name, namespace))
          : dice < 0.6
            ? await kube.client.patch(path, { spec: { replicas: 1 + (count % 9) } })
            : await kube.client.patch(path, { status: { phase: PHASES[count % 3] } }, { subresource: "status" });
      acknowledged.add(`${metadata.uid}.${metadata.resourceVersion}`);
    } catch (error) {
      if (!(error instanceof KubeStatusError && [404, 409].includes(error.status))) throw error;
    }
  }
  return acknowledged;
}

/** What is wrong with the events of one object's name. */
function chainProblems(events: readonly Envelope[]): string[] {
  return events.flatMap((event, index) => {
    const previous = events[index - 1];
    if (previous === undefined) return [];
    const problems: string[] = [];
    if (event.sequence < previous.sequence) problems.push(`${event.id} is older than ${previous.id} before it`);
    if (
      opOf(event) === "updated" &&
      !isDeepStrictEqual(comparable(beforeOf("updated", event.data)), comparable(previous.data.object))
    ) {
      problems.push(`the before of ${event.id} is not the after of ${previous.id}`);
    }
    return problems;
  });
}

/** The object without the ignored paths. */
function comparable(object: KubeObject | null) {
  const metadata: Record<string, unknown> = { ...object?.metadata };
  for (const path of ALWAYS_IGNORED) delete metadata[path.split("/").at(-1) ?? ""];
  return { ...object, metadata };
}

describe("under load, with bridge and NATS killed again and again", () => {
  test("every acknowledged write is in the log once, in order, and nothing else is", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
    t.diagnostic(`SEED=${seed} replays this schedule`);
    const random = seeded(seed);
    // A small budget, so that most differences start from a state that is read back from the log.
    const bridge = await journey.startBridge({ stateBytesMax: 20_000, streams: { eventsPerSubjectMax: 100_000 } });
    const stop = new AbortController();
    const writing = Promise.all(
      Array.from({ length: WRITERS }, (_, writer) => write(journey, writer, seeded(seed + writer + 1), stop.signal)),
    );
    for (const kill of ["bridge", "nats", "bridge", "drain", "nats", "bridge"]) {
      await sleep(300 + 1_200 * random());
      if (kill === "nats") {
        await journey.nats.kill("SIGKILL");
        await sleep(1_000 * random());
        await journey.nats.restart();
      } else {
        await bridge.kill(kill === "drain" ? "SIGTERM" : "SIGKILL");
        await sleep(1_000 * random());
        await bridge.restart();
      }
    }
    stop.abort();
    const acknowledged = new Set((await writing).flatMap((ids) => [...ids]));

    let events: Envelope[] = [];
    const complete = async () => {
      events = await journey.events();
      return events.length >= acknowledged.size;
    };
    await until(complete, { waitMsMax: 60_000, pollMs: 250 });
    const ids = events.map(({ id }) => id);
    assert.ok(acknowledged.size > 200, `${acknowledged.size} writes`);
    assert.deepEqual(
      [...acknowledged].filter((id) => !ids.includes(id)),
      [],
      "lost",
    );
    assert.deepEqual(
      ids.filter((id, index) => ids.indexOf(id) !== index),
      [],
      "twice",
    );
    assert.deepEqual(
      ids.filter((id) => !acknowledged.has(id)),
      [],
      "false",
    );
    assert.deepEqual(
      events.filter(({ data }) => data.gap).map(({ id }) => id),
      [],
      "marked as a gap without one",
    );
    const names = Map.groupBy(events, ({ name }) => name);
    assert.deepEqual([...names.values()].flatMap(chainProblems), []);
    t.diagnostic(`${acknowledged.size} writes, ${events.length} events: none lost, twice, false or out of order`);
  });
});
