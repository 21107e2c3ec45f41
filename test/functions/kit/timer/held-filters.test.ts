/**
 * `for` on each filter that has a state, against each thing that can happen while it waits: on a real nats-server, with two processes, and with the
 * whole log delivered a second time.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Filter } from "../../../../functions/kit/filter/filter.ts";
import { type Rig, type Started, startRig, until } from "../delivery/rig.ts";
import * as event from "../event-factory.ts";

type Fields = Omit<event.DatabaseFields, "name" | "seenAtMs">;

/** An object before, and in the state; `left` where a state can be left while the object stays. */
interface Row {
  readonly name: string;
  readonly when: Filter;
  readonly out: Fields;
  readonly held: Fields;
  readonly left?: Fields;
}

const ready = (status: string): Fields => ({ status: { conditions: [{ type: "Ready", status }] } });
const replicas = (wanted: number, told: number): Fields => ({ spec: { replicas: wanted }, status: { replicas: told } });
const generation = (wanted: number, observedGeneration: number): Fields => ({
  ...{ spec: { replicas: wanted }, metadata: { generation: wanted }, status: { observedGeneration } },
});
const rows: readonly Row[] = [
  {
    ...{ name: "phase", when: { phase: { to: "Failed" } } },
    ...{ out: { phase: "Running" }, held: { phase: "Failed" }, left: { phase: "Running" } },
  },
  {
    ...{ name: "condition", when: { condition: { type: "Ready", to: "False" } } },
    ...{ out: ready("True"), held: ready("False"), left: ready("True") },
  },
  {
    ...{ name: "field", when: { field: { path: "spec.replicas", to: 9 } } },
    ...{ out: { spec: { replicas: 1 } }, held: { spec: { replicas: 9 } }, left: { spec: { replicas: 1 } } },
  },
  {
    ...{ name: "diverged", when: { diverged: { spec: "spec.replicas", status: "status.replicas" } } },
    ...{ out: replicas(1, 1), held: replicas(9, 1), left: replicas(9, 9) },
  },
  {
    ...{ name: "generation", when: { diverged: { spec: "metadata.generation", status: "status.observedGeneration" } } },
    ...{ out: generation(1, 1), held: generation(2, 1), left: generation(2, 2) },
  },
  {
    ...{ name: "terminating", when: { terminating: true }, out: {} },
    held: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: ["x/y"] } },
  },
];

/** Whoever is to be told of, by what happens to it; the second entry of `returned` is the one that holds. */
const TOLD = ["held 1", "noted 1", "recreated 2", "returned 2"];

for (const { name, when, out, held, left } of rows) {
  test(`${name}: told once when it has held, and not when it was left, deleted, or belongs to another object`, async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const entries = new Map<string, string>();
    const start = () =>
      rig.start(async ({ event: { id } }) => void seen.push(entries.get(id) ?? id), { when, for: "2s", partitions: 2 });
    const publish = async (object: string, was: Fields, is: Fields, uid = "1") => {
      const own = { name: object, seenAtMs: Date.now() };
      const metadata = (fields: Fields) => ({ ...fields.metadata, uid: `${object}-${uid}` });
      const told = event.updated(
        { ...own, ...was, metadata: metadata(was) },
        { ...own, ...is, metadata: metadata(is) },
      );
      await rig.publish(told);
      return told.envelope.id;
    };
    const enter = async (object: string, which = 1, uid = "1") =>
      void entries.set(await publish(object, out, held, uid), `${object} ${which}`);
    const remove = (object: string) =>
      rig.publish(event.deleted({ name: object, ...held, metadata: { ...held.metadata, uid: `${object}-1` } }));

    const names = ["held", "noted", "deleted", "recreated", ...(left === undefined ? [] : ["left", "returned"])];
    for (const object of names) await enter(object);
    await publish("noted", held, { ...held, annotations: { note: "x" } });
    if (left !== undefined) {
      await publish("left", held, left);
      await publish("returned", held, left);
      await enter("returned", 2);
    }
    await remove("deleted");
    await remove("recreated");
    await enter("recreated", 2, "2");
    // Only now, so that whatever is judged late is judged by all of that.
    const started = [start(), start()];
    await until(() => started.every((each) => each.status().partitions.held.length === 1));
    await untilQuiet(rig, started, names.length + (left === undefined ? 1 : 2));
    const expected = TOLD.filter((each) => names.includes(each.split(" ")[0] ?? ""));
    assert.deepEqual(seen.toSorted(), expected);

    await Promise.all(started.map((each) => each.stop()));
    for (const index of [0, 1]) await rig.jetStream.api(`CONSUMER.DELETE.CR_EVENTS.cr-test_${index}of2`);
    await rig.jetStream.api("STREAM.PURGE.KV_CR_SUBSCRIPTIONS");
    const again = start();
    await until(() => again.status().partitions.held.length === 2);
    await untilQuiet(rig, [again], names.length + (left === undefined ? 1 : 2));
    assert.deepEqual(seen.toSorted(), expected, "everything was delivered once more");
  });
}

/** All of them have waited, and nothing waits or is due any more. */
async function untilQuiet({ jetStream }: Rig, started: readonly Started[], entered: number): Promise<void> {
  await until(() => started.reduce((sum, each) => sum + each.status().waiting, 0) === entered);
  await until(async () => {
    const { state } = await jetStream.api<{ state: { subjects?: object } }>("STREAM.INFO.CR_TIMERS", {
      subjects_filter: "crtimer.>",
    });
    return !Object.keys(state.subjects ?? {}).some((each) => /^crtimer\.(wait|due)\./.test(each));
  });
}
