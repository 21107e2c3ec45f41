import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Incident } from "../../../../functions/kit/incident/incident.ts";
import { createProcessIncidents } from "../../../../functions/kit/incident/process-memory.ts";
import { SubscriptionError } from "../../../../functions/kit/subscription.ts";
import type { TestEvent } from "../event-factory.ts";
import { createScene, inShort, life, type SceneOptions, type Told } from "./incident-scene.ts";

const NONE_OPEN = "skipped: the object has no open incident that it could resolve";

const rows: readonly {
  readonly name: string;
  readonly subscription?: SceneOptions;
  /** Made from one life. */
  readonly events: (database: ReturnType<typeof life>) => readonly TestEvent[];
  readonly expected: readonly string[];
}[] = [
  {
    name: "opens, goes on, is resolved, and the next one is another",
    events: (database) => [
      ...[database.born(), database.to("Failed"), database.to("Retrying"), database.to("Failed")],
      ...[database.to("Running"), database.to("Failed"), database.to("Running")],
    ],
    expected: [
      ...["skipped: unmatched", "opened 1", "skipped: unmatched", "updated 1, update 1"],
      ...["resolved 1", "opened 2", "resolved 2"],
    ],
  },
  {
    name: "is each object's own",
    events: (database) => {
      const twin = life({ name: "twin" });
      return [twin.to("Failed"), database.to("Failed"), twin.to("Running"), database.to("Running")];
    },
    expected: ["opened 1", "opened 2", "resolved 1", "resolved 2"],
  },
  {
    name: "is each cluster's own, where one is a copy of the other",
    events: (database) => [database.to("Failed"), life({ cluster: "copy", phase: "Failed" }).to("Running")],
    expected: ["opened 1", NONE_OPEN],
  },
  {
    name: "needs no function where nothing is open",
    events: (database) => [database.to("Running"), database.gone()],
    expected: [NONE_OPEN, NONE_OPEN],
  },
  {
    name: "ends with the object: a deletion resolves, whatever resolve says",
    events: (database) => [database.to("Failed"), database.gone()],
    expected: ["opened 1", "resolved 1"],
  },
  {
    name: "does not pass to another object of the same name",
    events: () => {
      const first = life({ metadata: { uid: "first" } });
      const second = life({ metadata: { uid: "second" } });
      return [first.to("Failed"), second.to("Running"), second.to("Failed"), first.gone(), second.gone()];
    },
    expected: ["opened 1", NONE_OPEN, "opened 2", "resolved 1", "resolved 2"],
  },
  {
    name: "is resolved by a net change over a gap",
    events: (database) => [database.to("Failed"), database.to("Running", { gap: true })],
    expected: ["opened 1", "resolved 1"],
  },
  {
    name: "is not opened by a first sight",
    events: (database) => [database.seen("Failed")],
    expected: ["skipped: unmatched"],
  },
  {
    name: "is opened by a first sight with includeExisting",
    subscription: { includeExisting: true },
    events: (database) => [database.seen("Failed"), database.to("Running")],
    expected: ["opened 1", "resolved 1"],
  },
  {
    name: "is resolved by a first sight, as when the log was lost meanwhile",
    events: (database) => [database.to("Failed"), database.seen("Running")],
    expected: ["opened 1", "resolved 1"],
  },
  {
    name: "stays open when the object leaves the bridge's selection",
    events: (database) => [database.to("Failed"), database.away(), database.to("Other"), database.to("Running")],
    expected: ["opened 1", "skipped: unmatched", "skipped: unmatched", "resolved 1"],
  },
  {
    name: "counts an event that both filters match as recovery",
    subscription: { when: { op: "updated" } },
    events: (database) => [database.to("Running"), database.to("A"), database.to("B"), database.to("Running")],
    expected: [NONE_OPEN, "opened 1", "updated 1, update 1", "resolved 1"],
  },
];

describe("an incident", () => {
  for (const { name, subscription, events, expected } of rows) {
    test(name, async () => {
      const scene = createScene(subscription);
      const told: Told[] = [];
      for (const event of events(life())) told.push(await scene.handle(event));
      assert.deepEqual(inShort(told), expected);
    });
  }

  test("says when and by which event it was opened, and when the one before was resolved", async () => {
    const database = life();
    const scene = createScene({ act: (incident) => incident.remember("ticket", incident.type) });
    const [first, second, third] = [database.to("Failed"), database.to("Running"), database.to("Failed")];
    await scene.handle(first);
    await scene.handle(second);
    const { remember: _, ...told } = (await scene.handle(third)) as Incident;
    assert.deepEqual(told, {
      ...{ key: `failed/${third.envelope.id}`, type: "opened", updateCount: 0 },
      ...{ openedAt: third.envelope.time, openedBy: third.envelope.id },
      previous: {
        key: `failed/${first.envelope.id}`,
        resolvedAt: second.envelope.time,
        receipts: { ticket: "resolved" },
      },
      receipts: { ticket: "opened" },
    });
  });

  test("tells each try of an event the same, with what the try before remembered", async () => {
    let receipts: unknown;
    const scene = createScene({
      async act(incident) {
        receipts = incident.receipts;
        await incident.remember("thread", { ts: "1.2" });
        assert.deepEqual(incident.receipts, { thread: { ts: "1.2" } });
        throw new Error("fails after that");
      },
    });
    const event = life().to("Failed");
    await assert.rejects(scene.handle(event), /fails after that/);
    assert.deepEqual(receipts, {});
    await assert.rejects(scene.handle(event), /fails after that/);
    assert.deepEqual(receipts, { thread: { ts: "1.2" } });
  });

  test("tells an older event that comes again the same, unless what it opened was resolved since", async () => {
    const scene = createScene();
    const database = life();
    const handleAll = async (them: readonly TestEvent[]) => {
      const told: Told[] = [];
      for (const event of them) told.push(await scene.handle(event));
      return inShort(told);
    };
    const [opens, , goesOn] = [database.to("Failed"), database.to("Other"), database.to("Failed")];
    assert.deepEqual(await handleAll([opens, goesOn, opens, goesOn]), [
      ...["opened 1", "updated 1, update 1", "opened 1", "updated 1, update 1"],
    ]);
    const resolves = database.to("Running");
    const stale = "skipped: its incident was resolved by a newer event, which has been handled";
    assert.deepEqual(await handleAll([resolves, opens, goesOn, resolves]), ["resolved 1", stale, stale, "resolved 1"]);
  });

  test("is not changed by an older event whose answer is forgotten", async () => {
    const scene = createScene();
    const database = life();
    const [healthy, failed] = [database.to("Running"), database.to("Failed")];
    await scene.handle(failed);
    assert.match(inShort([await scene.handle(healthy)])[0] ?? "", /newer events of the object have been handled/);
    assert.deepEqual(inShort([await scene.handle(database.to("Running"))]), ["resolved 1"]);
  });

  test("stays open under an edited filter", async () => {
    const memory = createProcessIncidents();
    const database = life();
    const before = (await createScene({ memory }).handle(database.to("Failed"))) as Incident;
    const after = createScene({ memory, when: { phase: { to: "Broken" } }, resolve: { phase: { to: "Fine" } } });
    assert.equal((await after.handle(database.to("Running"))).type, "skipped");
    for (const type of ["updated", "resolved"]) {
      const told = (await after.handle(database.to(type === "updated" ? "Broken" : "Fine"))) as Incident;
      assert.deepEqual([told.type, told.key], [type, before.key]);
    }
  });

  const unusable = [
    { name: "a name that is none", receipt: ["Thread!", 1], problem: /1 to 64 of a-z, 0-9 and -/ },
    { name: "more than 16 KiB", receipt: ["log", "x".repeat(17_000)], problem: /17\d+ bytes, more than the 16384/ },
    { name: "no value", receipt: ["log", undefined], problem: /is not JSON/ },
  ] as const;
  for (const { name, receipt, problem } of unusable) {
    test(`does not remember ${name}, and says so for good`, async () => {
      const scene = createScene({ act: (incident) => incident.remember(receipt[0], receipt[1] as string) });
      await assert.rejects(scene.handle(life().to("Failed")), (error: Error & { code?: string }) => {
        assert.match(error.message, problem);
        return error.code === "PERMANENT";
      });
    });
  }

  test("is refused for an event whose identity would fill the memory", async () => {
    const event = life({ name: "n".repeat(500), metadata: { uid: "ü".repeat(300) } }).to("Failed");
    await assert.rejects(createScene().handle(event), { code: "PERMANENT", message: /more than 2048 bytes/ });
  });

  test("is forgotten last while it is open, where a process remembers only so many", async () => {
    const scene = createScene({ memory: createProcessIncidents(2) });
    const [a, b, c] = [life({ name: "a" }), life({ name: "b" }), life({ name: "c" })];
    const told: Told[] = [];
    for (const event of [a.to("Failed"), b.to("Failed"), b.to("Running"), c.to("Failed"), a.to("Running")])
      told.push(await scene.handle(event));
    assert.deepEqual(inShort(told), ["opened 1", "opened 2", "resolved 2", "opened 3", "resolved 1"]);
  });
});

describe("a subscription with incidents is refused", () => {
  for (const { name, given, problem } of [
    {
      name: "when its resolve excludes itself",
      given: { resolve: { all: [{ created: true as const }, { deleted: true as const }] } },
      problem: /resolve: no event can ever match/,
    },
    {
      name: "when only a deletion opens",
      given: { when: { deleted: true as const } },
      problem: /when: an object that is deleted is never in trouble again/,
    },
  ]) {
    test(name, () => {
      assert.throws(
        () => createScene(given),
        (error) => error instanceof SubscriptionError && problem.test(error.message),
      );
    });
  }
});
