/** `step` over the memory of one process: what it promises whatever the memory is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLogger } from "#contract";
import { PermanentError } from "../../../../functions/kit/outcome.ts";
import { createProcessMemory } from "../../../../functions/kit/step/process-memory.ts";
import { createSteps, type StepResult } from "../../../../functions/kit/step/step.ts";
import { RESULT_BYTES_MAX, STEPS_MAX } from "../../../../functions/kit/step/step-limits.ts";
import { until } from "../../../kit/until.ts";

const log = createLogger("test", "silent");
const memoryOf = (silenceMs = 3_600_000) => createProcessMemory({ silenceMs });

/** The steps of one try. */
function tryWith(memory = memoryOf(), signal = new AbortController().signal, eventId = "uid-1.7") {
  return createSteps({ memory, subscription: "orders", eventId, log, signal });
}

/** Values whose type the compiler would refuse. */
const untyped = (value: unknown) => value as StepResult;

describe("a step", () => {
  test("gives its result, and the same on every later try without running again", async () => {
    const memory = memoryOf();
    let runs = 0;
    const open = async () => ({ ticket: `T-${++runs}`, at: undefined });
    assert.deepEqual(await tryWith(memory).step("open", open as () => Promise<{ ticket: string }>), { ticket: "T-1" });
    assert.deepEqual(await tryWith(memory).step("open", open as () => Promise<{ ticket: string }>), { ticket: "T-1" });
    assert.equal(runs, 1);
  });

  test("gives what its function gives, as the compiler sees it too", async () => {
    const { step } = tryWith();
    const ticket = await step("open", async () => ({ id: "T-1", labels: ["a"] }));
    const id: string = ticket.id;
    assert.equal(id, "T-1");
    // @ts-expect-error a Date would be text on the next try
    const date = step("date", () => new Date(0));
    // @ts-expect-error a Map is no JSON
    const map = step("map", async () => new Map());
    await assert.rejects(date, /not JSON/);
    await assert.rejects(map, /not JSON/);
  });

  test("may give nothing", async () => {
    const memory = memoryOf();
    let runs = 0;
    for (let tried = 0; tried < 2; tried++)
      assert.equal(
        await tryWith(memory).step("open", async () => {
          runs++;
        }),
        undefined,
      );
    assert.equal(runs, 1);
  });

  test("has a key that is the same on every try, and another one for each event, subscription and step", async () => {
    const keys: string[] = [];
    const open = (call: { idempotencyKey: string }) => {
      keys.push(call.idempotencyKey);
      throw new Error("not yet");
    };
    const memory = memoryOf();
    for (let tried = 0; tried < 2; tried++) await assert.rejects(tryWith(memory).step("open", open), /not yet/);
    assert.deepEqual(keys, ["orders/uid-1.7/open", "orders/uid-1.7/open"]);
  });

  test("that fails is run again by the next try, and its error is its own", async () => {
    const memory = memoryOf();
    const refused = new PermanentError("no such channel");
    await assert.rejects(
      tryWith(memory).step("open", () => Promise.reject(refused)),
      (error) => error === refused,
    );
    assert.equal(await tryWith(memory).step("open", () => "T-1"), "T-1");
  });

  test("of another event is another step", async () => {
    const memory = memoryOf();
    const signal = new AbortController().signal;
    assert.equal(await tryWith(memory, signal, "uid-1.7").step("open", () => 7), 7);
    assert.equal(await tryWith(memory, signal, "uid-1.8").step("open", () => 8), 8);
  });

  test("that is run by another try is waited for, and not run twice", async () => {
    const memory = memoryOf();
    const gate = Promise.withResolvers<string>();
    let runs = 0;
    const open = () => {
      runs++;
      return gate.promise;
    };
    const both = [tryWith(memory).step("open", open), tryWith(memory).step("open", open)];
    await until(() => runs === 1);
    gate.resolve("T-1");
    assert.deepEqual(await Promise.all(both), ["T-1", "T-1"]);
    assert.equal(runs, 1);
  });

  test("is run by the try that waited when the one that ran it failed", async () => {
    const memory = memoryOf();
    const gate = Promise.withResolvers<string>();
    const first = tryWith(memory).step("open", () => gate.promise);
    const second = tryWith(memory).step("open", () => "T-2");
    gate.reject(new Error("not yet"));
    await assert.rejects(first, /not yet/);
    assert.equal(await second, "T-2");
  });

  test("is waited for no longer than the try may take", async () => {
    const memory = memoryOf();
    void tryWith(memory).step("open", () => new Promise<string>(() => undefined));
    const stop = new AbortController();
    const waiting = tryWith(memory, stop.signal).step("open", () => "T-2");
    stop.abort(new Error("the time is up"));
    await assert.rejects(waiting, /the time is up/);
  });

  test("that does not end although it was told to is left to the next try, and does not record over its result", async () => {
    const memory = memoryOf(1);
    const [stop, gate] = [new AbortController(), Promise.withResolvers<string>()];
    let told: unknown;
    let begun = false;
    const deaf = tryWith(memory, stop.signal).step("open", ({ signal }) => {
      begun = true;
      signal.addEventListener("abort", () => {
        told = signal.reason;
      });
      return gate.promise;
    });
    await until(() => begun);
    stop.abort(new Error("the time is up"));
    assert.match(String(told), /the time is up/);
    assert.equal(await tryWith(memory).step("open", () => "T-2"), "T-2");
    gate.resolve("T-1");
    await assert.rejects(deaf, /the time is up/);
    assert.equal(await tryWith(memory).step("open", () => "T-3"), "T-2");
  });

  const refused: { name: string; step: string; problem: RegExp }[] = [
    { name: "an empty name", step: "", problem: /1 to 64 of a-z, 0-9 and -/ },
    { name: "a name with a dot", step: "a.b", problem: /step "a\.b"/ },
    { name: "a name with capitals", step: "Open", problem: /step "Open"/ },
    { name: "a name that is too long", step: "x".repeat(65), problem: /1 to 64/ },
  ];
  for (const { name, step, problem } of refused) {
    test(`with ${name} is refused before anything happens`, async () => {
      let runs = 0;
      const run = tryWith().step(step, () => {
        runs++;
      });
      await assert.rejects(run, (error: Error) => error instanceof PermanentError && problem.test(error.message));
      assert.equal(runs, 0);
    });
  }

  test("whose name is used twice in one run is refused, at the same time too", async () => {
    const { step } = tryWith();
    const both = await Promise.allSettled([step("open", () => 1), step("open", () => 2)]);
    assert.deepEqual(
      both.map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
    await assert.rejects(
      step("open", () => 3),
      /step "open" is used twice in one run/,
    );
  });

  test(`number ${STEPS_MAX + 1} of an event is refused`, async () => {
    const { step } = tryWith();
    for (let number = 1; number <= STEPS_MAX; number++) await step(`item-${number}`, () => number);
    await assert.rejects(
      step("one-more", () => 0),
      /step "one-more" would be the 101st/,
    );
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  const results: { name: string; result: unknown; problem: RegExp }[] = [
    { name: "a Date, which would be text on the next try", result: { at: new Date(0) }, problem: /not JSON/ },
    { name: "a number that JSON has not", result: [Number.NaN], problem: /not JSON/ },
    { name: "a big integer", result: 1n, problem: /not JSON/ },
    { name: "a function", result: () => 1, problem: /not JSON/ },
    { name: "a Map", result: new Map([["a", 1]]), problem: /not JSON/ },
    { name: "what contains itself", result: cycle, problem: /not JSON/ },
    { name: "more than 64 KiB", result: "x".repeat(RESULT_BYTES_MAX), problem: /has 65538 bytes, more than the 65536/ },
  ];
  for (const { name, result, problem } of results) {
    test(`that gives ${name} is told, and its effect is not repeated`, async () => {
      const memory = memoryOf();
      let effects = 0;
      const open = () => {
        effects++;
        return untyped(result);
      };
      for (let tried = 0; tried < 2; tried++)
        await assert.rejects(
          tryWith(memory).step("open", open),
          (error: Error) =>
            error instanceof PermanentError && problem.test(error.message) && /rename the step/.test(error.message),
        );
      assert.equal(effects, 1);
    });
  }

  test("that nobody waited for is waited for at the end, and its failure is the function's", async () => {
    const { step, end } = tryWith();
    const gate = Promise.withResolvers<void>();
    void step("forgotten", () => gate.promise);
    const ended = end();
    gate.reject(new Error("nobody looked"));
    await assert.rejects(ended, /nobody looked/);
    await assert.rejects(
      step("late", () => 1),
      /begun after the function had ended: await every step/,
    );
  });

  test("whose failure was caught is no failure of the function", async () => {
    const { step, end } = tryWith();
    await step("try", () => Promise.reject(new Error("no"))).catch(() => undefined);
    await end();
  });
});
