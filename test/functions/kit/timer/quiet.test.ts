/** `debounce`, `count` and `rateLimit`: fewer calls than events, on a real nats-server. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnvelope } from "../../../../bridge/event/envelope.ts";
import { bindAll } from "../../../../functions/main.ts";
import { startRig, until } from "../delivery/rig.ts";
import * as event from "../event-factory.ts";
import { createHistory } from "./history.ts";

describe("debounce", () => {
  test("calls with the last event of an object once nothing more has matched for that long, through a restart", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen = new Map<string, number>();
    const run = async ({ object }: { object: event.TestEvent["envelope"]["data"]["object"] }) =>
      void seen.set(`${object.metadata.name} ${event.replicasOf(object)}`, Date.now());
    const [a, b] = [createHistory("a"), createHistory("b")];
    const options = { when: { op: "updated" }, debounce: "2s" } as const;
    await rig.publish(a.moved("Running"), a.moved("Running"), b.moved("Running"));
    await sleep(1_000);
    const lastMs = Date.now();
    await rig.publish(a.moved("Running"));
    const first = rig.start(run, options);
    await until(() => first.status().waiting === 4);
    await rig.untilAcked();
    await first.stop();
    const second = rig.start(run, options);
    await until(() => first.status().done + second.status().done === 2);
    assert.deepEqual([...seen.keys()].toSorted(), ["a 3", "b 1"]);
    assert.ok((seen.get("a 3") ?? 0) - lastMs >= 1_990);
  });

  test("of an object that is deleted meanwhile it still calls with the last event that matched", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: number[] = [];
    const running = rig.start(async ({ object }) => void seen.push(event.replicasOf(object)), {
      when: { op: "updated" },
      debounce: "1s",
    });
    const a = createHistory("a");
    await rig.publish(a.moved("Running"), a.deleted());
    await until(() => running.status().done === 1);
    assert.deepEqual(seen, [1]);
  });
});

describe("count", () => {
  test("calls with the event that makes it so many within the time, and counts anew, through a restart", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const options = { when: { phase: { to: "Failed" } }, count: { min: 3, within: "1h" } } as const;
    const start = () =>
      rig.start(async ({ object }) => void seen.push(`${object.metadata.name} ${event.replicasOf(object)}`), options);
    const [flapping, once] = [createHistory("flapping"), createHistory("once")];
    const flap = (times: number) =>
      Array.from({ length: times }, () => [flapping.moved("Failed"), flapping.moved("Running")]).flat();
    const first = start();
    await rig.publish(...flap(2), once.moved("Failed"));
    await until(() => first.status().skipped === 3);
    await rig.untilAcked();
    await first.stop();
    const second = start();
    await rig.publish(...flap(3));
    await until(() => second.status().done === 1 && second.status().skipped === 2);
    await rig.publish(...flap(1));
    await until(() => second.status().done === 2);
    // Each time it fails is an odd number of replicas.
    assert.deepEqual(seen, ["flapping 5", "flapping 11"]);
  });

  test("what is longer ago than that does not count", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const a = createHistory("a");
    const long = Date.now() - 7_200_000;
    const failed = (seenAtMs: number) => [a.moved("Failed", { seenAtMs }), a.moved("Running", { seenAtMs })];
    const seen: string[] = [];
    const running = rig.start(async ({ event: { id } }) => void seen.push(id), {
      when: { phase: { to: "Failed" } },
      count: { min: 3, within: "1h" },
    });
    const events = [...failed(long), ...failed(long + 1), ...failed(Date.now()), ...failed(Date.now() + 1)];
    const last = a.moved("Failed", { seenAtMs: Date.now() + 2 });
    await rig.publish(...events, last);
    await until(() => running.status().done + running.status().skipped === 5);
    assert.deepEqual(seen, [parseEnvelope(last.payload).id]);
  });
});

describe("rateLimit", () => {
  test("calls for so many of an object within the time and skips the others, through a restart", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const options = { when: { op: "updated" }, rateLimit: { max: 2, per: "1h" } } as const;
    const start = () =>
      rig.start(async ({ object }) => void seen.push(`${object.metadata.name} ${event.replicasOf(object)}`), options);
    const [a, b] = [createHistory("a"), createHistory("b")];
    const long = { seenAtMs: Date.now() - 7_200_000 };
    const first = start();
    await rig.publish(a.moved("Running", long), a.moved("Running"), a.moved("Running"), b.moved("Running"));
    await until(() => first.status().done === 4);
    await rig.untilAcked();
    await first.stop();
    const second = start();
    await rig.publish(a.moved("Running"), b.moved("Running"), b.moved("Running"));
    await until(() => second.status().done === 1 && second.status().skipped === 2);
    assert.deepEqual(seen.toSorted(), ["a 1", "a 2", "a 3", "b 1", "b 2"]);
  });
});

describe("groups", () => {
  const rows = [
    { name: "count by namespace", more: { count: { min: 3, within: "1h", by: "namespace" } }, expected: ["prod/c"] },
    {
      name: "rateLimit by namespace",
      more: { rateLimit: { max: 1, per: "1h", by: "namespace" } },
      expected: ["dev/a", "prod/a"],
    },
    {
      name: "rateLimit by a label, and those without it together",
      more: { rateLimit: { max: 1, per: "1h", by: "metadata.labels.team" } },
      expected: ["dev/a", "prod/a", "prod/b"],
    },
    {
      name: "rateLimit by an expression",
      more: { rateLimit: { max: 1, per: "1h", by: { cel: "object.metadata.?labels.?team.orValue('none')" } } },
      expected: ["dev/a", "prod/a", "prod/b"],
    },
    {
      name: "oncePer path",
      more: { oncePer: { key: "metadata.namespace", within: "1h" } },
      expected: ["dev/a", "prod/a"],
    },
    {
      name: "oncePer that has no value tells each time",
      more: { oncePer: { key: "metadata.labels.team", within: "1h" } },
      expected: ["dev/a", "dev/b", "prod/a", "prod/b"],
    },
    {
      name: "oncePer expression",
      more: { oncePer: { key: { cel: "object.metadata.namespace + '/' + string(object.spec.replicas)" } } },
      expected: ["dev/a", "prod/a"],
    },
  ] as const;
  for (const { name, more, expected } of rows) {
    test(name, async (t) => {
      const rig = await startRig(t);
      if (rig === undefined) return;
      const seen: string[] = [];
      const start = () =>
        rig.start(async ({ object: { metadata } }) => void seen.push(`${metadata.namespace}/${metadata.name}`), {
          ...{ when: { phase: { to: "Failed" } }, concurrency: 1 },
          ...more,
        });
      const failed = (namespace: string, object: string, team?: string) =>
        event.created({
          namespace,
          name: object,
          phase: "Failed",
          ...(team && { labels: { team } }),
          seenAtMs: Date.now(),
        });
      const first = start();
      await rig.publish(
        failed("prod", "a", "blue"),
        failed("prod", "b", "red"),
        failed("dev", "a"),
        failed("dev", "b"),
      );
      await until(() => first.status().done + first.status().skipped === 4);
      await rig.untilAcked();
      await first.stop();
      const second = start();
      await rig.publish(failed("prod", "c", "blue"));
      await until(() => second.status().done + second.status().skipped === 1);
      assert.deepEqual(seen.toSorted(), expected);
      const { dropped } = first.status();
      const { count, rateLimit, oncePer } = dropped;
      assert.equal(count + rateLimit + oncePer, first.status().skipped);
    });
  }

  test("two processes count together", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const started = [1, 2].map(() =>
      rig.start(async ({ object: { metadata } }) => void seen.push(metadata.name), {
        ...{ when: { phase: { to: "Failed" } }, partitions: 8 },
        rateLimit: { max: 5, per: "1h", by: "all" },
      }),
    );
    await until(() => started.every((each) => each.status().partitions.held.length === 4));
    await rig.publish(...Array.from({ length: 40 }, (_, i) => createHistory(`o${i}`).moved("Failed")));
    const sum = (read: (status: ReturnType<(typeof started)[number]["status"]>) => number) =>
      started.reduce((total, each) => total + read(each.status()), 0);
    await until(() => sum(({ done, skipped }) => done + skipped) === 40);
    assert.equal(seen.length, 5);
    assert.equal(
      sum(({ dropped }) => dropped.rateLimit),
      35,
    );
  });

  test("what was run and comes again is run again, and takes no other's place", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen: string[] = [];
    const options = { when: { phase: { to: "Failed" } }, rateLimit: { max: 1, per: "1h", by: "all" } } as const;
    const run = async ({ object: { metadata } }: { object: event.TestEvent["envelope"]["data"]["object"] }) =>
      void seen.push(metadata.name);
    const first = rig.start(run, options);
    await rig.publish(createHistory("a").moved("Failed"), createHistory("b").moved("Failed"));
    await until(() => first.status().done + first.status().skipped === 2);
    const [told] = seen;
    await rig.untilAcked();
    await first.stop();
    await rig.jetStream.api("CONSUMER.DELETE.CR_EVENTS.cr-test");
    await rig.jetStream.api("STREAM.PURGE.KV_CR_SUBSCRIPTIONS");
    const second = rig.start(run, options);
    await until(() => second.status().done + second.status().skipped === 2);
    assert.deepEqual(seen, [told, told]);
  });
});

describe("sample", () => {
  test("runs a share of the events, the same at each try; by object all events of a share of them", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const seen = new Map<string, string[]>();
    const names = { name: "one", more: { sample: { percent: 50 } } };
    const objects = { name: "two", more: { sample: { percent: 50, by: "object" as const } } };
    const started = [names, objects].map(({ name, more }) =>
      rig.start(
        async ({ event: { id, name: object } }) => void seen.set(name, [...(seen.get(name) ?? []), `${object} ${id}`]),
        {
          ...{ name, when: { op: "updated" }, ...more },
        },
      ),
    );
    const histories = Array.from({ length: 20 }, (_, i) => createHistory(`o${i}`, { uid: `uid-${i}` }));
    for (let round = 0; round < 4; round++) await rig.publish(...histories.map((each) => each.moved("Running")));
    await until(() => started.every((each) => each.status().done + each.status().skipped === 80));
    for (const each of started) {
      const { done, skipped, dropped } = each.status();
      assert.ok(done > 15 && skipped > 15, `${done} and ${skipped}`);
      assert.equal(dropped.sample, skipped);
    }
    const byObject = Map.groupBy(seen.get("two") ?? [], (each) => each.split(" ")[0]);
    for (const [object, ids] of byObject) assert.equal(ids.length, 4, object);
  });
});

describe("what cannot be said together is refused at start", () => {
  const rows = [
    { more: { debounce: "30s", count: { min: 3, within: "1h" } }, expected: /debounce and count exclude each other/ },
    { more: { for: "30s", debounce: "30s" }, expected: /for and debounce exclude each other/ },
    {
      more: { debounce: "30s", resolve: { phase: { to: "Running" } } },
      expected: /debounce: cannot be said beside resolve/,
    },
    { more: { count: { min: 1, within: "1h" } }, expected: /count.min/ },
    { more: { count: { min: 2, within: "1y" } }, expected: /count.within/ },
    { more: { throttle: { max: 1, per: "1m" }, partitions: 2 }, expected: /throttle: .*set partitions to 1/ },
    {
      more: { oncePer: { key: "object", within: "1h" }, sample: { percent: 5 } },
      expected: /oncePer and sample exclude/,
    },
    { more: { sample: { percent: 100 } }, expected: /more than 0 and less than 100|Too big|less than/ },
    { more: { rateLimit: { max: 1, per: "1h", by: "a[" } }, expected: /rateLimit.by: path "a\[" cannot be read/ },
    { more: { oncePer: { key: { cel: "object.spec.replicas +" } } }, expected: /oncePer.key/ },
    { more: { oncePer: { key: { cel: "[object.kind]" } } }, expected: /oncePer.key/ },
  ];
  for (const { more, expected } of rows) {
    test(JSON.stringify(more), async () => {
      const entry = { name: "x", function: "relay", apiVersion: "demo.example.com/v1", kind: "Database" };
      const own = { ...entry, when: { phase: { to: "Failed" } }, config: { url: "http://x/" }, ...more };
      const subscriptions = { text: JSON.stringify({ subscriptions: [own] }), fileName: "subs.yaml" };
      await assert.rejects(bindAll({ subscriptions }), expected);
    });
  }
});
