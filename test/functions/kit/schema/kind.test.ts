/**
 * A kind that the compiler knows. What must not compile stands behind `@ts-expect-error`, which is itself an error where it compiles: so these are
 * tested by `npm run check`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import type { FunctionDefinition } from "../../../../functions/kit/define.ts";
import { defineFunction } from "../../../../functions/kit/define.ts";
import { bind, ownSubscription, Subscription, SubscriptionError } from "../../../../functions/kit/subscription.ts";
import { testFunction } from "../../../../functions/kit/testing/test-function.ts";
import { gadget } from "../../../kit/gadget-crd.ts";
import { Gadget } from "./generated/gadget.ts";

/** Compiles only when both are the same type. */
function same<A, B>(_: [A] extends [B] ? ([B] extends [A] ? true : false) : false): void {}

const scaled = defineFunction({
  name: "scaled",
  description: "Says how many there are.",
  config: z.strictObject({ unit: z.string() }),
  resource: Gadget,
  when: Gadget.field({ path: "spec.replicas" }),
  async run({ object, before, config }) {
    same<typeof object.spec.replicas, number>(true);
    same<typeof object.spec.note, string | null | undefined>(true);
    same<typeof object.spec.paused, boolean>(true);
    same<typeof object.spec.backup.keep, number>(true);
    same<
      typeof object.status,
      { phase?: "Failed" | "Pending" | "Ready" | undefined; since?: string | null | undefined } | undefined
    >(true);
    same<typeof object.metadata.name, string>(true);
    // @ts-expect-error a field that the kind does not have
    object.spec.replcas;
    // @ts-expect-error there may be no state before
    before.spec;
    return `${object.spec.replicas + 1} ${config.unit}, was ${before?.spec.replicas}`;
  },
});

describe("a kind's filters", () => {
  const rows = [
    {
      name: "a field",
      filter: Gadget.field({ path: "spec.replicas", to: 3 }),
      expected: { path: "spec.replicas", to: 3 },
    },
    {
      name: "an element",
      filter: Gadget.field({ path: "spec.parts[0].weight" }),
      expected: { path: "spec.parts[0].weight" },
    },
    {
      name: "in lists of lists",
      filter: Gadget.field({ path: "spec.matrix[0][1]", to: 1 }),
      expected: { path: "spec.matrix[0][1]", to: 1 },
    },
    {
      name: "an odd name",
      filter: Gadget.field({ path: 'spec["a.b/c"]', to: "x" }),
      expected: { path: 'spec["a.b/c"]', to: "x" },
    },
    {
      name: "a label",
      filter: Gadget.field({ path: 'metadata.labels["a.b/c"]' }),
      expected: { path: 'metadata.labels["a.b/c"]' },
    },
    {
      name: "a map's key",
      filter: Gadget.field({ path: "spec.limits.cpu", from: "1" }),
      expected: { path: "spec.limits.cpu", from: "1" },
    },
    {
      name: "below what keeps unknown fields",
      filter: Gadget.field({ path: "spec.free.a.b", to: 1 }),
      expected: { path: "spec.free.a.b", to: 1 },
    },
    {
      name: "beside what is known of such",
      filter: Gadget.field({ path: "spec.half.other" }),
      expected: { path: "spec.half.other" },
    },
    {
      name: "a value of several types",
      filter: Gadget.field({ path: "spec.port", to: "http" }),
      expected: { path: "spec.port", to: "http" },
    },
  ];
  for (const { name, filter, expected } of rows) {
    test(`${name} compiles, and is the same as without types`, () => assert.deepEqual(filter, { field: expected }));
  }

  test("phases are those of the kind", () => {
    assert.deepEqual(Gadget.phase({ to: ["Ready", "Failed"] }), { phase: { to: ["Ready", "Failed"] } });
    // @ts-expect-error a phase that the kind does not have
    Gadget.phase({ to: "Fialed" });
  });

  test("mistakes do not compile", () => {
    // @ts-expect-error a typing mistake
    Gadget.field({ path: "spec.replcas" });
    // @ts-expect-error a part that no object has
    Gadget.field({ path: "specs.replicas" });
    // @ts-expect-error below a number
    Gadget.field({ path: "spec.replicas.max" });
    // @ts-expect-error into a list without a position
    Gadget.field({ path: "spec.parts.name" });
    // @ts-expect-error into an element
    Gadget.field({ path: "spec.parts[0].wieght" });
    // @ts-expect-error metadata that no kind has
    Gadget.field({ path: "metadata.label.tier" });
    // @ts-expect-error nothing
    Gadget.field({ path: "" });
    // @ts-expect-error a value of another type
    Gadget.field({ path: "spec.replicas", to: "3" });
    // @ts-expect-error a value that never is
    Gadget.field({ path: "spec.mode", to: "fsat" });
    Gadget.field({ path: "spec.replicas", increased: true });
    // @ts-expect-error true and false have no more and no less
    Gadget.field({ path: "spec.paused", increased: true });
    // @ts-expect-error a kind without conditions
    Gadget.condition({ type: "Ready" });
    // @ts-expect-error a path that is not known when it is compiled
    Gadget.field({ path: String("spec.replicas") });
    assert.ok(true);
  });
});

describe("a kind's schema", () => {
  test("takes an object as the API server stores it, as it is", () =>
    assert.deepEqual(Gadget.schema.parse(gadget), gadget));

  test("puts in defaults as the API server does, those in defaults too", () => {
    const { paused: _, backup: __, ...spec } = gadget.spec;
    const parsed = Gadget.schema.parse({ ...gadget, spec: { ...spec, parts: [{ name: "p" }] } });
    assert.deepEqual(
      [parsed.spec.paused, parsed.spec.backup, parsed.spec.parts],
      [false, { keep: 7 }, [{ name: "p", weight: 1 }]],
    );
  });

  const wrong = [
    { name: "another kind", object: { ...gadget, kind: "Widget" } },
    { name: "a required field that is missing", object: { ...gadget, spec: { mode: "fast" } } },
    { name: "a value that is not listed", object: { ...gadget, spec: { ...gadget.spec, mode: "fsat" } } },
    { name: "null that is not allowed", object: { ...gadget, spec: { ...gadget.spec, class: null } } },
  ];
  for (const { name, object } of wrong) {
    test(`refuses ${name}`, () => assert.equal(Gadget.schema.safeParse(object).success, false));
  }
});

describe("a function that is written for a kind", () => {
  const definition: FunctionDefinition = scaled;
  const bound = (kind: string, apiVersion: string) =>
    bind(
      Subscription.parse({ name: "s", function: "scaled", apiVersion, kind, config: { unit: "gadgets" } }),
      definition,
    );

  test("reacts to it without a subscription", () => {
    const { apiVersion, kind, when } = ownSubscription({ ...definition, config: z.any() });
    assert.deepEqual(
      { apiVersion, kind, when },
      {
        apiVersion: "odd.example.com/v1",
        kind: "Gadget",
        when: { field: { path: "spec.replicas" } },
      },
    );
  });

  test("is tested like any other", async () => {
    const about = testFunction(scaled, { config: { unit: "gadgets" } });
    const [before, after] = [2, 3].map((replicas) => ({ ...gadget, spec: { ...gadget.spec, replicas } }));
    const { outcome, note } = await about.updated(before as typeof gadget, after as typeof gadget);
    assert.deepEqual([outcome, note], ["done", "4 gadgets, was 2"]);
  });

  test("can be bound to it with another filter", () =>
    assert.equal(bound("Gadget", "odd.example.com/v1").functionName, "scaled"));

  for (const [kind, apiVersion] of [
    ["Widget", "odd.example.com/v1"],
    ["Gadget", "odd.example.com/v1beta1"],
  ] as const) {
    test(`is not bound to ${kind} ${apiVersion}, whose objects are others`, () =>
      assert.throws(
        () => bound(kind, apiVersion),
        (error: Error) =>
          error instanceof SubscriptionError && error.message.includes("written for Gadget odd.example.com/v1"),
      ));
  }
});
