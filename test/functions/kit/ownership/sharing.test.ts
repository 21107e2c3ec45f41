/** Several processes share a subscription: each object's events are handled in order, whoever comes, goes or dies. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HASTY, startRig, until } from "../delivery/rig.ts";
import { createCrew, isShared, type Member, randomFrom } from "./crew.ts";

const OBJECTS = Array.from({ length: 24 }, (_, i) => `o${i}`);

/** Publishes until it is told to stop. */
function keepPublishing(crew: ReturnType<typeof createCrew>) {
  let going = true;
  const publishing = (async () => {
    while (going) await crew.publish(OBJECTS);
  })();
  return async () => {
    going = false;
    await publishing;
  };
}

describe("processes that share a subscription", () => {
  test("2, 5, then 1: the partitions settle evenly by themselves, nothing is repeated, and order holds", async (t) => {
    const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
    if (rig === undefined) return;
    const crew = createCrew(rig, { partitions: 8, limits: { drainMs: 5_000 } });
    const members = [await crew.join(), await crew.join()];
    const stopPublishing = keepPublishing(crew);
    await until(() => isShared(members, 8));
    for (let i = 0; i < 3; i++) members.push(await crew.join());
    await until(() => isShared(members, 8));
    await until(() => members[0]?.status().members === 5);
    await until(() => members.every((member) => member.status().done > 0));
    await Promise.all(members.splice(1).map((member) => member.stop()));
    await until(() => isShared(members, 8));
    await stopPublishing();
    await until(crew.isComplete);
    crew.assertOrder({ repetitions: false });
  });

  test("with one partition one works and the others stand by, and take over at once when it stops", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig);
    const members = [await crew.join(), await crew.join(), await crew.join()];
    await until(() => isShared(members, 1));
    await crew.publish(OBJECTS);
    await until(crew.isComplete);
    const holder = members.find((member) => member.status().partitions.held.length === 1);
    const others = members.filter((member) => member !== holder);
    assert.ok(others.every((member) => member.status().state === "standby"));
    await holder?.stop();
    await until(() => isShared(others, 1));
    await crew.publish(OBJECTS);
    await until(crew.isComplete);
    crew.assertOrder({ repetitions: false });
  });

  for (const seed of [1, 2, 3]) {
    test(`random starts, stops and kills while events flow lose nothing and keep the order (seed ${seed})`, async (t) => {
      const rig = await startRig(t, { eventsPerSubjectMax: 10_000 });
      if (rig === undefined) return;
      const random = randomFrom(seed);
      const crew = createCrew(rig, { partitions: 8, membershipLimits: HASTY });
      let members: Member[] = [await crew.join()];
      const stopPublishing = keepPublishing(crew);
      for (let step = 0; step < 10; step++) {
        const target = crew.ledger.length + Math.floor(random() * 200);
        await until(() => crew.ledger.length >= target || members.length === 0);
        const action = random();
        const member = members[Math.floor(random() * members.length)];
        if (member === undefined || (action < 0.5 && members.length < 5)) members.push(await crew.join());
        else {
          members = members.filter((each) => each !== member);
          if (action < 0.75) await member.stop();
          else await member.kill();
        }
      }
      if (members.length === 0) members.push(await crew.join());
      await until(() => isShared(members, 8));
      await stopPublishing();
      await until(crew.isComplete);
      crew.assertOrder({ repetitions: true });
    });
  }

  test("moving a partition is no try: events that only waited are not taken for those that kill processes", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const crew = createCrew(rig, { attempts: 1, concurrency: 1, workMs: 60, limits: { drainMs: 5_000 } });
    await crew.publish(OBJECTS);
    for (let i = 0; i < 5; i++) {
      const member = await crew.join();
      const target = crew.ledger.length + 2;
      await until(() => crew.ledger.length >= target);
      await member.stop();
      assert.equal(member.status().deadLetters, 0);
    }
    const last = await crew.join({ concurrency: 16 });
    await until(crew.isComplete);
    assert.equal(last.status().deadLetters, 0);
    crew.assertOrder({ repetitions: false });
  });
});
