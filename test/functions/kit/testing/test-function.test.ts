import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { valueAt } from "../../../../bridge/event/field-path.ts";
import { defineFunction, type FunctionContext } from "../../../../functions/kit/define.ts";
import { phase } from "../../../../functions/kit/filter/builder.ts";
import type { Times } from "../../../../functions/kit/filter/time.ts";
import { PermanentError, RetryAfterError } from "../../../../functions/kit/outcome.ts";
import { type TestFunctionOptions, testFunction } from "../../../../functions/kit/testing/test-function.ts";
import { createDataFolder } from "../../../kit/data-folder.ts";
import * as real from "../event-factory.ts";
import { Gadget } from "../schema/generated/gadget.ts";

type Run = (context: FunctionContext<{ word: string }>) => Promise<string | undefined>;

const Config = z.strictObject({ word: z.string().default("hello") });
const orders = (status?: string, spec: object = { replicas: 3 }) => ({
  metadata: { name: "orders", namespace: "prod" },
  spec,
  ...(status !== undefined && { status: { phase: status } }),
});

function tested(run: Run, options: TestFunctionOptions<typeof Config> = {}) {
  const definition = defineFunction({
    name: "page-oncall",
    description: "A test's.",
    config: Config,
    subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: phase({ to: "Failed" }) },
    run,
  });
  return testFunction(definition, options);
}

describe("a function in its test", () => {
  test("gets what it gets in life: object, state before, transition, settings, key", async () => {
    const seen: unknown[] = [];
    const failed = tested(
      async ({ object, before, change, config, idempotencyKey, subscription, attempt }) => {
        seen.push(object.apiVersion, object.kind, before?.["status"], change.transitions.phase, change.patch);
        seen.push(config, subscription, attempt, idempotencyKey);
        return `paged about ${object.metadata.name}`;
      },
      { config: { word: "hi" } },
    );
    const result = await failed.updated(orders("Running"), orders("Failed"));
    assert.equal(result.outcome, "done");
    assert.equal(result.note, "paged about orders");
    assert.deepEqual(seen, [
      ...[
        "demo.example.com/v1",
        "Database",
        { phase: "Running" },
        { from: "Running", to: "Failed", heldSeconds: null },
      ],
      [{ op: "replace", path: "/status/phase", value: "Failed", oldValue: "Running" }],
      ...[{ word: "hi" }, "page-oncall", 1, `page-oncall/${result.event.id}`],
    ]);
  });

  test("is told about incidents, and the result shows them with what it remembered", async () => {
    const failed = tested(
      async ({ incident }) => {
        await incident?.remember("ticket", `for ${incident.type}`);
        return incident?.type;
      },
      { subscription: { resolve: phase({ to: "Running" }) } },
    );
    const opened = await failed.created(orders("Failed"));
    const key = `page-oncall/${opened.event.id}`;
    assert.deepEqual(opened.incident, {
      ...{ key, type: "opened", updateCount: 0, receipts: { ticket: "for opened" } },
      ...{ openedAt: opened.event.time, openedBy: opened.event.id },
    });
    const resolved = await failed.updated(orders("Failed"), orders("Running"));
    assert.deepEqual([resolved.note, resolved.incident?.key], ["resolved", key]);
    const again = await failed.deleted(orders("Running"));
    assert.deepEqual([again.outcome, again.incident], ["skipped", undefined]);
    assert.match(again.reason ?? "", /no open incident/);
  });

  test("gets the very events that the bridge makes", async () => {
    const [before, after] = [{ phase: "Running" }, { phase: "Failed" }];
    const made = real.updated(before, after).envelope;
    const { event } = await tested(async () => "").updated(orders("Running"), orders("Failed"));
    assert.deepEqual(Object.keys(event), Object.keys(made));
    for (const key of ["type", "subject", "changed", "phase", "phasefrom", "dataschema"] as const)
      assert.equal(event[key], made[key], key);
  });

  test("may be written for a kind, whose objects have types", async () => {
    const definition = defineFunction({
      ...{ name: "watch-gadget", description: "A test's.", config: z.object({}), resource: Gadget },
      when: phase({ to: "Failed" }),
      run: async ({ object }) => `${object.spec.replicas + 1} replicas`,
    });
    const gadget = { metadata: { name: "one" }, spec: { mode: "fast", replicas: 3 }, status: { phase: "Failed" } };
    assert.equal((await testFunction(definition).created(gadget)).note, "4 replicas");
    assert.equal((await testFunction(definition).deleted(gadget)).outcome, "skipped");
    const deletions = testFunction(definition, { subscription: { when: { deleted: true } } });
    assert.equal((await deletions.deleted(gadget)).note, "4 replicas");
    assert.throws(() => testFunction(definition, { subscription: { kind: "Other" } }), {
      code: "SUBSCRIPTION_INVALID",
    });
  });

  const outcomes: readonly {
    readonly name: string;
    readonly run: Run;
    readonly options?: TestFunctionOptions<typeof Config>;
    readonly expected: object;
  }[] = [
    { name: "done", run: async () => undefined, expected: { outcome: "done", attempts: 1, waitsMs: [] } },
    {
      name: "an error is one try, to be followed by another",
      run: () => Promise.reject(new Error("away")),
      expected: { outcome: "retry", attempts: 1, waitsMs: [1_000], error: "away" },
    },
    {
      name: "RetryAfterError says when",
      run: () => Promise.reject(new RetryAfterError("busy", 90_000)),
      expected: { outcome: "retry", waitsMs: [90_000], error: "busy" },
    },
    {
      name: "PermanentError is a dead letter at once",
      run: () => Promise.reject(new PermanentError("refused")),
      expected: { outcome: "dead-letter", attempts: 1, error: "refused" },
    },
    {
      name: "with retries, until the tries are used up",
      run: () => Promise.reject(new Error("away")),
      options: { retries: true, attempts: 4 },
      expected: { outcome: "dead-letter", attempts: 4, waitsMs: [1_000, 2_000, 4_000], error: "away" },
    },
    {
      name: "with retries, until it succeeds",
      run: ({ attempt }) => (attempt < 3 ? Promise.reject(new Error("away")) : Promise.resolve("at last")),
      options: { retries: true },
      expected: { outcome: "done", attempts: 3, waitsMs: [1_000, 2_000], note: "at last" },
    },
    {
      name: "what does not end in time",
      run: () => new Promise(() => undefined),
      options: { timeoutMs: 10 },
      expected: { outcome: "retry", error: "the function did not end within 0.01 s" },
    },
  ];
  for (const { name, run, options, expected } of outcomes) {
    test(`ends as in life: ${name}`, async () => {
      const { error, ...rest } = await tested(run, options).created(orders("Failed"));
      const actual = { ...rest, error: error?.message } as Record<string, unknown>;
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(actual[field], value, field);
    });
  }

  test("is not called for what its filter leaves out, and the reason is told", async () => {
    const failed = tested(() => assert.fail("called"));
    for (const result of [
      await failed.created(orders("Running")),
      await failed.updated(orders("Running"), orders("Ready")),
      await failed.existing(orders("Failed")),
      await failed.deleted(orders("Failed")),
      await failed.created({ ...orders("Failed"), apiVersion: "demo.example.com/v2" }),
    ]) {
      assert.deepEqual([result.outcome, result.attempts], ["skipped", 0]);
      assert.match(result.reason ?? "", /^.+\n✖ /);
    }
    const { reason } = await failed.updated(orders("Failed"), orders("Ready"));
    assert.match(reason ?? "", /✖ phase to Failed: .*Ready/);
  });

  test("reacts to what the test says instead", async () => {
    const deleted = tested(async ({ before }) => String(before?.metadata.name), {
      subscription: { when: { deleted: true } },
    });
    assert.equal((await deleted.deleted(orders())).note, "orders");
    const existing = tested(async () => "seen", { subscription: { includeExisting: true } });
    assert.equal((await existing.existing(orders("Failed"))).note, "seen");
  });

  test("is told how long the phase before held, by the test's clock", async () => {
    const held = tested(async ({ change }) => String(change.transitions.phase?.heldSeconds), {
      subscription: { when: phase() },
    });
    assert.equal((await held.created(orders("Running"))).note, "null");
    await held.advance(600_000);
    const { note, event } = await held.updated(orders("Running"), orders("Failed"));
    assert.deepEqual([note, event.time], ["600", "2026-01-01T00:10:00.000Z"]);
  });

  describe("by the test's clock", () => {
    const told = defineFunction({
      name: "told",
      description: "Notes what it is told.",
      config: z.object({}),
      batches: true,
      async run({ events = [], object, heldSince }) {
        const status = valueAt(object, ["status", "phase"]);
        const names = events.map(({ name }) => name).join("+");
        return `${names} ${status}${heldSince === undefined ? "" : ` since ${heldSince.slice(11, 19)}`}`;
      },
    });
    const database = (name: string, phase: string, replicas = 1) => ({
      ...{ metadata: { name, namespace: "prod" }, spec: { replicas }, status: { phase } },
    });
    type Step =
      | { readonly after: number; readonly expected: readonly string[] }
      | { readonly name: string; readonly from: string; readonly to: string; readonly expected: string };
    const fails = (name: string, expected: string): Step => ({ name, from: "Running", to: "Failed", expected });
    const recovers = (name: string): Step => ({ name, from: "Failed", to: "Running", expected: "skipped" });
    const rows: readonly { readonly name: string; readonly time: Times; readonly steps: readonly Step[] }[] = [
      {
        name: "for: held",
        time: { for: "10m" },
        steps: [
          fails("a", "waiting"),
          { after: 599_000, expected: [] },
          { after: 1_000, expected: ["done a Failed since 00:00:00"] },
          { after: 3_600_000, expected: [] },
        ],
      },
      {
        name: "for: left, and came back",
        time: { for: "10m" },
        steps: [
          fails("a", "waiting"),
          { after: 300_000, expected: [] },
          recovers("a"),
          fails("a", "waiting"),
          { after: 599_000, expected: [] },
          { after: 1_000, expected: ["done a Failed since 00:05:00"] },
        ],
      },
      {
        name: "for: left",
        time: { for: "10m" },
        steps: [fails("a", "waiting"), recovers("a"), { after: 600_000, expected: ["skipped the state did not hold"] }],
      },
      {
        name: "debounce",
        time: { debounce: "1m" },
        steps: [
          fails("a", "waiting"),
          { after: 30_000, expected: [] },
          recovers("a"),
          fails("a", "waiting"),
          { after: 59_000, expected: [] },
          { after: 1_000, expected: ["done a Failed"] },
        ],
      },
      {
        name: "count",
        time: { count: { min: 2, within: "1h", by: "all" } },
        steps: [fails("a", "skipped"), { after: 3_600_000, expected: [] }, fails("b", "skipped"), fails("c", "done")],
      },
      {
        name: "rateLimit",
        time: { rateLimit: { max: 1, per: "1h", by: "namespace" } },
        steps: [fails("a", "done"), fails("b", "skipped"), { after: 3_600_000, expected: [] }, fails("c", "done")],
      },
      {
        name: "oncePer",
        time: { oncePer: { key: "metadata.uid", within: "1d" } },
        steps: [fails("a", "done"), recovers("a"), fails("a", "skipped"), fails("b", "done")],
      },
      {
        name: "throttle",
        time: { throttle: { max: 1, per: "1m" } },
        steps: [
          fails("a", "done"),
          fails("b", "waiting"),
          fails("c", "waiting"),
          { after: 59_000, expected: [] },
          { after: 61_000, expected: ["done b Failed", "done c Failed"] },
        ],
      },
      {
        name: "batch: its window, or as soon as it is full",
        time: { batch: { window: "1m", max: 3 } },
        steps: [
          fails("a", "waiting"),
          fails("b", "waiting"),
          { after: 60_000, expected: ["done a+b Failed"] },
          fails("c", "waiting"),
          fails("d", "waiting"),
          fails("e", "waiting"),
          { after: 0, expected: ["done c+d+e Failed"] },
        ],
      },
    ];
    for (const { name, time, steps } of rows) {
      test(name, async () => {
        const subscription = {
          apiVersion: "demo.example.com/v1",
          kind: "Database",
          when: phase({ to: "Failed" }),
          ...time,
        };
        const it = testFunction(told, { subscription });
        for (const step of steps) {
          if ("after" in step) {
            const results = await it.advance(step.after);
            const shown = results.map(({ outcome, note, reason }) => `${outcome} ${note ?? reason}`);
            assert.deepEqual(shown, step.expected);
          } else {
            const { outcome } = await it.updated(database(step.name, step.from), database(step.name, step.to));
            assert.equal(outcome, step.expected, `${step.name} ${step.to}`);
          }
        }
      });
    }
  });

  test("has another object before it when one that was deleted comes again", async () => {
    const ids = tested(async ({ event }) => event.id, { subscription: { when: { deleted: true } } });
    const [first, second] = [await ids.deleted(orders()), await ids.deleted(orders())];
    assert.deepEqual([first.note, second.note], ["uid-of-prod-orders.deleted", "uid-of-prod-orders-1.deleted"]);
  });

  test("has its object's events of before as history, and not those of others", async () => {
    const { created, updated, event } = tested(async ({ history }) => {
      const past = await Array.fromAsync(history?.() ?? []);
      return past.map(({ type, name }) => `${type.split(".").at(-1)} ${name}`).join(", ");
    });
    await created({ metadata: { name: "other", namespace: "prod" } });
    await created(orders("Running"));
    await updated(orders("Running"), orders("Running", { replicas: 5 }));
    const failed = await updated(orders("Running", { replicas: 5 }), orders("Failed", { replicas: 5 }));
    assert.equal(failed.note, "created orders, updated orders");
    await updated(orders("Failed", { replicas: 5 }), orders("Running", { replicas: 5 }));
    assert.equal((await event(failed.event)).note, failed.note);
  });

  test("keeps the results of its steps for the next try, and for the same event sent again", async () => {
    let opened = 0;
    const steps = tested(
      async ({ step, attempt }) => {
        const ticket = await step("open", async () => `T-${++opened}`);
        await step("tell", async () => {
          if (attempt === 1) throw new Error("away");
        });
        return ticket;
      },
      { retries: true },
    );
    const first = await steps.created(orders("Failed"));
    assert.deepEqual(first.steps, [
      { name: "open", type: "ran", result: "T-1" },
      { name: "tell", type: "failed" },
      { name: "open", type: "remembered", result: "T-1" },
      { name: "tell", type: "ran", result: undefined },
    ]);
    const again = await steps.event(first.event);
    assert.deepEqual([again.note, opened], ["T-1", 1]);
  });

  test("what it logs is in the result", async () => {
    const { logs } = await tested(async ({ log }) => void log.info({ ticket: 7 }, "opened")).created(orders("Failed"));
    const line = logs.find(({ msg }) => msg === "opened");
    assert.deepEqual([line?.["level"], line?.["ticket"], line?.["attempt"]], ["info", 7, 1]);
  });

  test("runs recorded events: lines, a list, or one", async (t) => {
    const folder = createDataFolder("recorded");
    t.after(() => folder.remove());
    const events = [real.created({ phase: "Failed" }), real.updated({ phase: "Failed" }, { phase: "Ready" })];
    const [first] = events;
    const texts = [
      { text: `${events.map(({ payload }) => payload).join("\n")}\n\n`, expected: ["done", "skipped"] },
      { text: `[${events.map(({ payload }) => payload).join(",\n")}]`, expected: ["done", "skipped"] },
      { text: JSON.stringify(first?.envelope, null, 2), expected: ["done"] },
    ];
    for (const { text, expected } of texts) {
      const file = join(folder.path, "recorded.ndjson");
      writeFileSync(file, text);
      for (const name of [file, pathToFileURL(file)]) {
        const results = await tested(async () => "").recorded(name);
        assert.deepEqual(
          results.map(({ outcome }) => outcome),
          expected,
        );
      }
    }
    assert.equal((await tested(async () => "").event(first?.payload ?? "")).outcome, "done");
    writeFileSync(join(folder.path, "broken.ndjson"), `${first?.payload}\n{"id":1}\n`);
    await assert.rejects(
      tested(async () => "").recorded(join(folder.path, "broken.ndjson")),
      /broken\.ndjson:2: .*id: /s,
    );
  });

  const mistakes: readonly { readonly name: string; readonly make: () => unknown; readonly expected: object }[] = [
    {
      name: "settings that do not fit",
      make: () => tested(async () => "", { config: { word: 7 } as never }),
      expected: { code: "SUBSCRIPTION_INVALID", message: /config\.word/ },
    },
    {
      name: "a function that does not say what it reacts to",
      make: () =>
        testFunction(defineFunction({ name: "x", description: "", config: z.object({}), run: async () => "" })),
      expected: { code: "SUBSCRIPTION_INVALID", message: /does not say what it reacts to/ },
    },
    {
      name: "a filter that nothing can match",
      make: () => tested(async () => "", { subscription: { when: { all: [{ created: true }, { deleted: true }] } } }),
      expected: { code: "SUBSCRIPTION_INVALID" },
    },
    {
      name: "an object without a name",
      make: () => tested(async () => "").created({ metadata: {} as never }),
      expected: { code: "FIXTURE_INVALID", message: /metadata\.name/ },
    },
    {
      name: "an update that changes nothing",
      make: () => tested(async () => "").updated(orders("Failed"), orders("Failed")),
      expected: { code: "FIXTURE_INVALID", message: /are the same/ },
    },
    {
      name: "an update of two objects",
      make: () => tested(async () => "").updated(orders(), { metadata: { name: "other" } }),
      expected: { code: "FIXTURE_INVALID", message: /two objects/ },
    },
    {
      name: "an event that is none",
      make: () => tested(async () => "").event("{}"),
      expected: { code: "MALFORMED_EVENT" },
    },
  ];
  for (const { name, make, expected } of mistakes) {
    test(`tells ${name}`, async () => {
      await assert.rejects(async () => make(), expected);
    });
  }
});
