/** A subscription is edited while events flow: the edit takes effect at one place in the log, whatever breaks meanwhile. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import type { Filter } from "../../../../functions/kit/filter/filter.ts";
import type { SubscriptionRecord } from "../../../../functions/kit/ownership/subscription-record.ts";
import { HASTY, type Rig, type StartOptions, startRig, until } from "../delivery/rig.ts";
import { createCrew, isShared, type Member, type Published } from "./crew.ts";

const OBJECTS = Array.from({ length: 12 }, (_, i) => `o${i}`);
const PHASES = ["Failed", "Ready", "Running"];
type Crew = ReturnType<typeof createCrew>;

const failed: Filter = { phase: { to: "Failed" } };
const ready: Filter = { phase: { to: "Ready" } };
const failedOrReady: Filter = { phase: { to: ["Failed", "Ready"] } };
const even: Filter = { any: [2, 4, 6, 8].map((to) => ({ field: { path: "spec.replicas", to } })) };
const changed: Filter = { field: { path: "spec.replicas" } };

const meant = (when: Filter | undefined, { phase, number }: Published): boolean => {
  if (when === even) return [2, 4, 6, 8].includes(number);
  return when?.phase === undefined || [when.phase.to].flat().includes(phase);
};

/** A process that is at work. */
async function begin(crew: Crew, options: StartOptions = {}): Promise<Member> {
  const member = await crew.join(options);
  await until(() => member.status().state === "running");
  return member;
}

function keepPublishing(crew: Crew) {
  let going = true;
  const publishing = (async () => {
    for (let i = 0; going; i++) await crew.publish(OBJECTS, PHASES[i % PHASES.length]);
  })();
  return async () => {
    going = false;
    await publishing;
  };
}

async function recordOf({ jetStream }: Rig): Promise<SubscriptionRecord | undefined> {
  const query = { last_by_subj: "$KV.CR_SUBSCRIPTIONS.subscription.test" };
  const answer = await jetStream
    .api<{ message: { data: string } }>("STREAM.MSG.GET.KV_CR_SUBSCRIPTIONS", query)
    .catch(() => undefined);
  return answer && JSON.parse(Buffer.from(answer.message.data, "base64").toString("utf8"));
}

const inForce = async (rig: Rig, generation: number) => {
  const record = await recordOf(rig);
  return record?.next === undefined && record?.current.generation === generation;
};

const tag = ({ object, number }: { object: string; number: number }) => `${object} ${number}`;
const reached = (crew: Crew, more: number) => {
  const target = crew.published.length + more;
  return until(() => crew.published.length >= target);
};

/** What is behind the place is handled if the new filter wants it; what is before it never if the old one did not, and surely if both do. */
async function assertEdited(
  rig: Rig,
  crew: Crew,
  before: Filter | undefined,
  after: Filter | undefined,
  times: "once" | "at least once",
  allowedBefore = before,
) {
  const record = await recordOf(rig);
  const place = record?.current.from.upToSequence ?? 0;
  const isDue = (each: Published) => meant(after, each) && (each.sequence > place || meant(before, each));
  const handled = () => new Set(crew.ledger.map(tag));
  await until(() => {
    const seen = handled();
    return crew.published.filter(isDue).every((each) => seen.has(tag(each)));
  });
  await until(async () => {
    const { consumers } = await rig.jetStream.api<{ consumers: { num_pending: number; num_ack_pending: number }[] }>(
      "CONSUMER.LIST.CR_EVENTS",
    );
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  });
  const seen = handled();
  for (const each of crew.published) {
    const allowed = each.sequence > place ? meant(after, each) : meant(allowedBefore, each);
    assert.ok(
      allowed || !seen.has(tag(each)),
      `${tag(each)} (${each.phase}, ${each.sequence}, place ${place}) was not to be handled`,
    );
  }
  crew.assertOrder({ repetitions: times !== "once" });
}

describe("an edit while events flow", () => {
  for (const { name, before, after } of [
    { name: "widened", before: { when: failed }, after: { when: failedOrReady } },
    { name: "narrowed", before: { when: failedOrReady }, after: { when: failed } },
    { name: "narrowed from everything", before: {}, after: { when: failed } },
    { name: "replaced", before: { when: failed }, after: { when: ready } },
    { name: "another condition, and the same subjects", before: { when: changed }, after: { when: even } },
    { name: "1 partition becomes 8", before: {}, after: { partitions: 8 } },
    { name: "8 partitions become 2", before: { partitions: 8 }, after: { partitions: 2 } },
    {
      name: "partitions and filter at once",
      before: { partitions: 4, when: failed },
      after: { partitions: 1, when: ready },
    },
  ] satisfies { name: string; before: StartOptions; after: StartOptions }[]) {
    test(`${name}: each event is handled by the filter of its place, once and in order`, async (t) => {
      const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
      if (rig === undefined) return;
      const crew = createCrew(rig, { limits: { drainMs: 5_000 } });
      const old = await begin(crew, before);
      const stopPublishing = keepPublishing(crew);
      await reached(crew, 100);
      const edited = await crew.join(after);
      await until(() => inForce(rig, 2));
      await until(() => old.status().state === "standby");
      assert.ok(old.lines.some(({ msg }) => msg.includes("superseded by a newer configuration")));
      await reached(crew, 100);
      await stopPublishing();
      await assertEdited(rig, crew, before.when, after.when, "once");
      assert.equal(edited.status().partitions.count, after.partitions ?? 1);
      // Nothing is left of the old ones.
      await until(async () => {
        const { consumers } = await rig.jetStream.api<{ consumers: string[] }>("CONSUMER.NAMES.CR_EVENTS");
        return consumers.length === (after.partitions ?? 1);
      });
    });
  }

  test("two in quick succession: behind the place only the second counts", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig, { limits: { drainMs: 5_000 } });
    await begin(crew, { when: failed });
    const stopPublishing = keepPublishing(crew);
    await reached(crew, 100);
    const second = crew.join({ when: failedOrReady });
    await until(async () => (await recordOf(rig))?.next !== undefined);
    await Promise.all([second, crew.join({ when: ready, partitions: 2 })]);
    await until(async () => {
      const record = await recordOf(rig);
      return record?.next === undefined && record?.current.partitions === 2;
    });
    await reached(crew, 100);
    await stopPublishing();
    // The first may have been in force for a moment.
    await assertEdited(rig, crew, failed, ready, "once", failedOrReady);
  });

  test("NATS is restarted in the middle: the edit comes into force, and order holds", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig);
    await begin(crew, { when: failed });
    for (let i = 0; i < 9; i++) await crew.publish(OBJECTS, PHASES[i % 3]);
    await crew.join({ when: failedOrReady, partitions: 4 });
    await until(async () => (await recordOf(rig))?.next !== undefined || (await inForce(rig, 2)));
    // Not kill -9: nats-server then forgets acknowledgements that it has confirmed.
    await rig.nats.kill("SIGTERM");
    await rig.nats.restart();
    await rig.jetStream.whenConnected();
    await until(() => inForce(rig, 2));
    for (let i = 0; i < 9; i++) await crew.publish(OBJECTS, PHASES[i % 3]);
    await assertEdited(rig, crew, failed, failedOrReady, "at least once");
  });

  test("a server that restarts after an edit delivers nothing old", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig);
    await begin(crew, { when: failed });
    for (let i = 0; i < 9; i++) await crew.publish(OBJECTS, PHASES[i % 3]);
    await until(() => crew.ledger.length === 3 * OBJECTS.length);
    const edited = await crew.join({ when: failedOrReady });
    await until(() => inForce(rig, 2));
    await rig.nats.kill("SIGTERM");
    await rig.nats.restart();
    await rig.jetStream.whenConnected();
    await crew.publish(OBJECTS, "Ready");
    await assertEdited(rig, crew, failed, failedOrReady, "at least once");
    await until(() => isShared([edited], 1));
    assert.deepEqual(
      crew.ledger
        .filter(({ process }) => process === edited.name)
        .map(tag)
        .toSorted(),
      OBJECTS.map((object) => `${object} 10`).toSorted(),
    );
  });

  test("a rolling update ends with the new filter, also when an old process restarts in the middle", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig, { partitions: 4, membershipLimits: HASTY });
    const old: Member[] = [await crew.join({ when: failed }), await crew.join({ when: failed })];
    const stopPublishing = keepPublishing(crew);
    await until(() => isShared(old, 4));
    const fresh = [await crew.join({ when: ready })];
    await old[0]?.stop();
    old[0] = await crew.join({ when: failed });
    await reached(crew, 50);
    await Promise.all(old.map((member) => member.stop()));
    fresh.push(await crew.join({ when: ready }));
    const digestInForce = async () => {
      const record = await recordOf(rig);
      return record?.next === undefined && JSON.stringify(record?.current.selection).includes("Ready");
    };
    await until(async () => (await digestInForce()) && isShared(fresh, 4));
    await stopPublishing();
    const from = crew.published.length;
    for (let i = 0; i < 3; i++) await crew.publish(OBJECTS, PHASES[i]);
    const due = crew.published.slice(from).filter((each) => meant(ready, each));
    await until(() => due.every((each) => crew.ledger.some((done) => tag(done) === tag(each))));
    crew.assertOrder({ repetitions: true });
  });
});

describe("a process that dies in the middle of an edit", () => {
  const RECORD = "$KV.CR_SUBSCRIPTIONS.subscription.test";
  /** Which call it dies at, and whether the server still gets it. */
  const points = [
    { name: "the proposal", call: RECORD, nth: 1 },
    { name: "the place", call: RECORD, nth: 2 },
    { name: "coming into force", call: RECORD, nth: 3 },
    { name: "deleting the old consumer", call: "$JS.API.CONSUMER.DELETE.CR_EVENTS", nth: 1 },
    { name: "making the new one", call: "$JS.API.CONSUMER.CREATE.CR_EVENTS.cr-test", nth: 1 },
  ].flatMap((point) => [
    { ...point, done: false },
    { ...point, done: true },
  ]);
  for (const { name, call, nth, done } of points) {
    test(`${done ? "after" : "before"} ${name}: another one brings it into force, and nothing is lost`, async (t) => {
      const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
      if (rig === undefined) return;
      const crew = createCrew(rig, { membershipLimits: HASTY });
      const old = await begin(crew, { when: failed });
      for (let i = 0; i < 3; i++) await crew.publish(OBJECTS, PHASES[i]);
      await until(() => old.status().done === OBJECTS.length);
      let calls = 0;
      let died = false;
      const dyingAt = (jetStream: JetStream, die: () => void): JetStream => {
        const guard = async <T>(subject: string, act: () => Promise<T>): Promise<T> => {
          if (died || !subject.startsWith(call) || ++calls !== nth) return await act();
          died = true;
          if (done) await act();
          die();
          throw new Error("this process is dead");
        };
        return {
          ...jetStream,
          get connected() {
            return jetStream.connected;
          },
          get payloadBytesMax() {
            return jetStream.payloadBytesMax;
          },
          api: <T>(subject: string, body?: unknown) =>
            guard(`$JS.API.${subject}`, () => jetStream.api<T>(subject, body)),
          publish: (subject, payload, headers) => guard(subject, () => jetStream.publish(subject, payload, headers)),
        };
      };
      const dying = crew.join({ when: failedOrReady }, dyingAt);
      await dying;
      await until(() => died);
      for (let i = 0; i < 3; i++) await crew.publish(OBJECTS, PHASES[i]);
      await crew.join({ when: failedOrReady });
      await until(() => inForce(rig, 2));
      for (let i = 0; i < 3; i++) await crew.publish(OBJECTS, PHASES[i]);
      await assertEdited(rig, crew, failed, failedOrReady, "at least once");
    });
  }
});
