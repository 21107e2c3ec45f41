import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import fc from "fast-check";
import { parseObjectSubject } from "../../../../bridge/log/subject.ts";
import { createLogger } from "../../../../bridge/logger.ts";
import { getStored } from "../../../../bridge/nats/stored-message.ts";
import type { Incident } from "../../../../functions/kit/incident/incident.ts";
import { createNatsIncidents } from "../../../../functions/kit/incident/nats-memory.ts";
import { door, startRig } from "../delivery/rig.ts";
import type { TestEvent } from "../event-factory.ts";
import { createScene, inShort, life, type SceneOptions, type Told } from "./incident-scene.ts";

const BUCKET = "KV_CR_INCIDENTS";
const log = createLogger("test", "silent");

async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const { jetStream } = rig;
  return {
    ...rig,
    /** A process of its own, as far as incidents are concerned. */
    process: (options: SceneOptions = {}) => createScene({ ...options, memory: createNatsIncidents(jetStream, log) }),
    /** The bucket is lost, or only what it had. */
    async wipe(how: "deleted" | "purged") {
      await jetStream.api(`STREAM.${how === "deleted" ? "DELETE" : "PURGE"}.${BUCKET}`).catch(() => undefined);
    },
    async stored(event: TestEvent) {
      const { cluster } = parseObjectSubject(event.subject);
      const { uid } = event.envelope.data.object.metadata;
      return await getStored(jetStream, BUCKET, { last_by_subj: `$KV.CR_INCIDENTS.failed.${cluster}.${uid}` });
    },
  };
}

describe("incidents in NATS", () => {
  test("outlive their process, receipts included, and have no time to live before they are resolved", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const database = life();
    const [failed, running] = [database.to("Failed"), database.to("Running")];
    const act = (incident: Incident) => incident.remember("thread", { ts: "1.2" });
    await scene.process({ act }).handle(failed);
    assert.equal((await scene.stored(failed))?.header("Nats-TTL"), undefined);
    const told = (await scene.process().handle(running)) as Incident;
    assert.deepEqual(
      [told.type, told.key, told.receipts],
      ["resolved", `failed/${failed.envelope.id}`, { thread: { ts: "1.2" } }],
    );
    assert.equal((await scene.stored(failed))?.header("Nats-TTL"), String(30 * 86_400));
    await scene.process().handle(database.to("Failed"));
    assert.equal((await scene.stored(failed))?.header("Nats-TTL"), undefined);
  });

  for (const how of ["deleted", "purged"] as const) {
    test(`are found again from the log when the bucket is ${how}, with the same key`, async (t) => {
      const scene = await startScene(t);
      if (scene === undefined) return;
      const database = life();
      const events = [
        database.to("Failed"),
        database.to("Running"),
        database.to("Failed"),
        database.to("Failed", { spec: {} }),
      ];
      const more = [database.to("Other"), database.to("Failed"), database.to("Running")];
      await scene.publish(...events, ...more);
      const told: Told[] = [];
      for (const event of [...events, ...more]) {
        told.push(await scene.process().handle(event));
        await scene.wipe(how);
      }
      assert.deepEqual(inShort(told), [
        ...["opened 1", "resolved 1", "opened 2", "skipped: unmatched", "skipped: unmatched"],
        ...["updated 2, update 1", "resolved 2"],
      ]);
      const again = (await scene.process().handle(more[1] ?? assert.fail())) as Incident;
      assert.equal(again.openedBy, events[2]?.envelope.id);
      assert.equal(again.previous?.key, `failed/${events[0]?.envelope.id}`);
    });
  }

  test("of another object of the same name are not found in the log", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const [first, second] = [life({ metadata: { uid: "first" } }), life({ metadata: { uid: "second" } })];
    const events = [first.to("Failed"), second.to("Failed"), second.to("Running"), first.to("Running")];
    await scene.publish(...events);
    const told: Told[] = [];
    for (const event of events.slice(1)) {
      told.push(await scene.process().handle(event));
      await scene.wipe("deleted");
    }
    assert.deepEqual(inShort(told), ["opened 1", "resolved 1", "resolved 2"]);
  });

  test("remember a receipt although the bucket is lost while the function runs", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const database = life();
    const act = async (incident: Incident) => {
      await incident.remember("before", 1);
      await scene.wipe("deleted");
      await incident.remember("after", 2);
    };
    await scene.process({ act }).handle(database.to("Failed"));
    const told = (await scene.process().handle(database.to("Running"))) as Incident;
    assert.deepEqual(told.receipts, { before: 1, after: 2 });
  });

  test("of two processes with one event are told the same, and each one's receipt is kept", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const database = life();
    const event = database.to("Failed");
    const both = door();
    let inside = 0;
    const named = (name: string) => ({
      async act(incident: Incident) {
        if (++inside === 2) both.open();
        await both.passed;
        await incident.remember(name, name);
      },
    });
    const told = await Promise.all(["a", "b"].map((name) => scene.process(named(name)).handle(event)));
    assert.deepEqual(inShort(told), ["opened 1", "opened 1"]);
    const { receipts } = (await scene.process().handle(database.to("Running"))) as Incident;
    assert.deepEqual(receipts, { a: "a", b: "b" });
  });

  test("that cannot be read are told with what to do", async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const database = life();
    await scene.process().handle(database.to("Failed"));
    await scene.jetStream.publish("$KV.CR_INCIDENTS.failed.lab.uid-prod-orders", "{", {});
    await assert.rejects(
      scene.process().handle(database.to("Running")),
      /nats kv get CR_INCIDENTS failed\.lab\.uid-prod-orders; removed, it is found again from the log/,
    );
  });

  test("equal a simple model, whatever is tried again, killed or lost in between", { timeout: 300_000 }, async (t) => {
    const scene = await startScene(t);
    if (scene === undefined) return;
    const accident = fc.constantFrom("none", "none", "killed", "twice", "at once", "purged", "deleted");
    const happening = fc.record({
      who: fc.nat(1),
      phase: fc.constantFrom("Failed", "Failed", "Running", "Other"),
      accident,
    });
    const seen = { opened: 0, updated: 0, resolved: 0, skipped: 0 };
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 10, maxLength: 30 }), async (happenings) => {
        runs++;
        const lives = [0, 1].map((number) => life({ name: `run-${runs}-${number}` }));
        const phases = ["Creating", "Creating"];
        const changes = happenings.flatMap(({ who, phase, accident }) => {
          if (phases[who] === phase) return [];
          phases[who] = phase;
          return [{ who, phase, accident, event: lives[who]?.to(phase) ?? assert.fail() }];
        });
        await scene.publish(...changes.map(({ event }) => event));
        const open: (undefined | { key: string; updates: number })[] = [undefined, undefined];
        let process = scene.process();
        for (const { who, phase, accident, event } of changes) {
          const expected = modelOf(open, who, phase, event);
          seen[expected[0]]++;
          if (accident === "killed") {
            const dying = scene.process({ act: () => Promise.reject(new Error("killed")) });
            await dying.handle(event).catch(() => undefined);
            process = scene.process();
          }
          const told: Told[] =
            accident === "at once"
              ? await Promise.all([process.handle(event), scene.process().handle(event)])
              : [await process.handle(event)];
          if (accident === "twice") told.push(await process.handle(event));
          for (const each of told) assert.deepEqual(shortOf(each), expected);
          if (accident === "purged" || accident === "deleted") await scene.wipe(accident);
        }
      }),
      { numRuns: 60 },
    );
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 20, `${what}: only ${count}`);
  });
});

type Short = readonly ["opened" | "updated" | "resolved" | "skipped", ...(string | number | undefined)[]];

/** What an incident is, in ten lines. */
function modelOf(
  open: (undefined | { key: string; updates: number })[],
  who: number,
  phase: string,
  { envelope: { id } }: TestEvent,
): Short {
  const now = open[who];
  if (phase === "Other" || (phase === "Running" && now === undefined)) return ["skipped"];
  if (phase === "Running") {
    open[who] = undefined;
    return ["resolved", now?.key, now?.updates];
  }
  const next = now === undefined ? { key: `failed/${id}`, updates: 0 } : { ...now, updates: now.updates + 1 };
  open[who] = next;
  return [now === undefined ? "opened" : "updated", next.key, next.updates];
}

function shortOf(told: Told): Short {
  return told.type === "skipped" ? ["skipped"] : [told.type, told.key, told.updateCount];
}
