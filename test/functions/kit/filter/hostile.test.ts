/** Input that wants to cost more than it should: each takes a moment, not a minute. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Envelope } from "../../../../bridge/event/envelope.ts";
import type { Json } from "../../../../bridge/kube/kube-object.ts";
import {
  all,
  any,
  diverged,
  exact,
  field,
  labels,
  names,
  not,
  phase,
} from "../../../../functions/kit/filter/builder.ts";
import { Filter } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import { planSelection } from "../../../../functions/kit/filter/plan.ts";
import * as event from "../event-factory.ts";

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
/** Far more than it takes on any machine, far less than what is quadratic would. */
const options = { timeout: 20_000 };

function matches(when: Filter, on: Envelope): boolean {
  return compileFilter({ ...kind, when: Filter.parse(when) }).match(on).type === "matched";
}

describe("hostile input", () => {
  test("an object with 10,000 labels", options, () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`l${i}`, `${i}`]));
    const { envelope } = event.created({ labels: many });
    assert.equal(matches(labels(many), envelope), true);
    assert.equal(matches(labels({ ...many, l9999: "x" }), envelope), false);
  });

  test("an update of 50,000 operations, looked at by 200 filters", options, () => {
    const list = (value: Json) => ({
      spec: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`k${i}`, value])),
    });
    const { envelope } = event.updated(list(1), list(2));
    assert.equal(envelope.data.patch?.length, 50_000);
    const none = Array.from({ length: 200 }, (_, i) => field({ path: `spec.x${i}` }));
    assert.equal(matches(any(...none), envelope), false);
    assert.equal(matches(any(...none, field({ path: "spec.k49999", increased: true })), envelope), true);
  });

  const deep = (depth: number, value: Json): Record<string, Json> => {
    let inner: Json = value;
    for (let i = 0; i < depth; i++) inner = { a: inner };
    return { a: inner };
  };

  test("objects that are 1,000 deep, and paths into them", options, () => {
    const { envelope } = event.updated({ spec: deep(1_000, 1) }, { spec: deep(1_000, 2) });
    assert.equal(matches(field({ path: `spec${".a".repeat(1_001)}`, from: 1, to: 2 }), envelope), true);
    assert.equal(matches(diverged({ spec: "spec", status: "status" }), envelope), false);
  });

  test(
    "objects that are too deep for anybody end as errors of their events, in the delivery as dead letters",
    options,
    () => {
      const { envelope } = event.updated({ spec: { a: 1 } }, { spec: { a: 2 } });
      envelope.data.object["spec"] = deep(100_000, 2);
      assert.throws(() => matches(field({ path: "spec", to: deep(100_000, 2) }), envelope), RangeError);
      assert.equal(matches(field({ path: "spec" }), envelope), true);
      assert.equal(matches(phase(), envelope), false);
    },
  );

  test("thousands of phases, names and their combinations, planned", options, () => {
    const words = (letter: string) => Array.from({ length: 5_000 }, (_, i) => `${letter}${i}`);
    const when = all(phase({ to: words("p") }), names(...words("n")), { namespaces: words("s") });
    const { subjects } = planSelection({ ...kind, when: Filter.parse(when) });
    assert.ok(subjects.length > 0 && subjects.length <= 64);
    assert.equal(matches(when, event.created({ name: "n4999", namespace: "s4999", phase: "p4999" }).envelope), true);
  });

  test("globs of thousands of stars against a long text", options, () => {
    const { envelope } = event.created({ annotations: { note: "a".repeat(200_000) } });
    assert.equal(matches({ annotations: { note: `${"*a".repeat(5_000)}b` } }, envelope), false);
  });

  test("filters as deep and as wide as they may be, planned", options, () => {
    let when = any(...Array.from({ length: 200 }, (_, i) => exact({ name: `n${i}`, namespace: `s${i}` })));
    for (let i = 0; i < 30; i++) when = i % 2 ? all(when, phase({ to: [`p${i}`, "p"] })) : not(not(when));
    assert.ok(planSelection({ ...kind, when }).subjects.length <= 64);
  });

  test("names that JavaScript knows, wherever names can stand", () => {
    const { envelope } = event.updated({ spec: { a: 1 } }, { spec: { a: 2 } });
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
      for (const when of [
        labels({ [name]: "*" }),
        { annotations: { [name]: ["*"] } },
        field({ path: name }),
        field({ path: `spec.${name}` }),
        field({ path: `spec.${name}.${name}`, present: true as const }),
        { condition: { type: name } },
        diverged({ spec: `spec.${name}`, status: name }),
      ]) {
        assert.equal(compileFilter({ ...kind, when }).match(envelope).type, "unmatched", JSON.stringify(when));
      }
    }
    const own = JSON.parse('{ "__proto__": 1 }') as Record<string, Json>;
    const changed = event.updated({ spec: own }, { spec: JSON.parse('{ "__proto__": 2 }') }).envelope;
    assert.equal(matches(field({ path: "spec.__proto__", from: 1, to: 2 }), changed), true);
  });
});
