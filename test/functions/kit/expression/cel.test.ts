import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CelDocument, compileCel } from "../../../../functions/kit/expression/cel.ts";

const object = {
  apiVersion: "shop.example/v1",
  kind: "Order",
  metadata: {
    name: "o-1",
    namespace: "shop",
    creationTimestamp: "2026-01-01T10:00:00Z",
    labels: { app: "shop", "a.b/c": "d" },
  },
  spec: {
    replicas: 3,
    ratio: 1.5,
    whole: 1.0,
    huge: 2 ** 60,
    list: [{ n: 1 }, { n: 2 }],
    text: "héllo 😀",
    nothing: null,
    local: "2026-01-01T00:00:00.000",
    key: "app",
    constructor: "own",
  },
  status: { phase: "Failed", count: "3", startedAt: "2026-01-01T12:30:00+01:00" },
};

const updated: CelDocument = {
  object,
  before: { ...object, spec: { ...object.spec, replicas: 2 }, status: { phase: "Running" } },
  patch: [
    { op: "replace", path: "/spec/replicas", value: 3 },
    { op: "replace", path: "/status/phase", value: "Failed" },
  ],
  transitions: {
    phase: { from: "Running", to: "Failed", heldSeconds: 40 },
    conditions: { Ready: { from: "True", to: "False", heldSeconds: null, reason: "Crash", message: "it crashed" } },
  },
  event: { id: "1", kind: "Order", name: "o-1", terminating: true, myext: "x" },
};
const created: CelDocument = { ...updated, before: null, patch: [], transitions: {} };

describe("a CEL expression is true of", () => {
  for (const source of [
    'object.status.phase == "Failed" && before.status.phase != "Failed"',
    'transitions.phase.to == "Failed" && transitions.phase.heldSeconds > 30',
    'transitions.conditions.Ready.reason == "Crash"',
    'transitions.conditions["Ready"].heldSeconds == null',
    'patch.exists(p, p.path.startsWith("/status"))',
    'event.name == "o-1" && event.terminating && event.myext == "x"',
    "object.spec.replicas + 1 == 4",
    "object.spec.replicas % 2 == 1",
    "object.spec.replicas / 2 == 1",
    "object.spec.replicas > before.spec.replicas",
    "object.spec.replicas > 2.5 && object.spec.replicas == 3.0",
    "object.spec.ratio * 2 == 3.0 && 2 * object.spec.ratio == 3 && object.spec.ratio - 1 == 0.5",
    "object.spec.whole + 0.5 == 1.5",
    "object.spec.huge > 1000.0",
    "7 / 2 == 3 && double(object.spec.whole) / 2.0 == 0.5",
    "type(object.spec.replicas) == int && type(object.spec.ratio) == double",
    "int(object.status.count) == object.spec.replicas",
    "object.spec.replicas in [1, 3]",
    '"app" in object.metadata.labels && !("web" in object.metadata.labels)',
    'object.metadata.labels["a.b/c"] == "d"',
    'object.metadata.labels[object.spec.key] == "shop"',
    'object.metadata.namespace == "shop"',
    "has(object.spec.replicas) && !has(object.spec.missing)",
    "has(object.spec.nothing) && object.spec.nothing == null",
    "object.spec.?missing.orValue(7) == 7 && object.?status.?phase.hasValue()",
    'object.metadata.?annotations.?x.orValue("none") == "none"',
    "object.spec.list.all(each, each.n > 0) && object.spec.list[1].n == 2",
    "object.spec.list.map(each, each.n * 10) == [10, 20]",
    "object.spec.list.filter(each, each.n > 1).size() == 1 && object.spec.list.exists_one(each, each.n == 1)",
    "object.spec.text.size() == 7 && size(object.metadata.labels) == 2",
    'object.metadata.name.split("-")[1] == "1" && ["a", "b"].join("/") == "a/b"',
    'object.metadata.name.contains("-") && object.kind.lowerAscii() == "order"',
    'timestamp(object.metadata.creationTimestamp) < timestamp("2026-02-01T00:00:00Z")',
    'timestamp(object.status.startedAt) - timestamp(object.metadata.creationTimestamp) == duration("1h30m")',
    "timestamp(object.metadata.creationTimestamp).getHours() == 10",
    'timestamp(object.metadata.creationTimestamp).getHours("Europe/Berlin") == 11',
    "cel.bind(n, object.spec.replicas, n * n == 9)",
    "object.metadata == before.metadata && object != before",
    'object.spec.constructor == "own" && !has(object.metadata.constructor)',
    "object.spec.missing == 1 || true",
    "before != null && before.spec.replicas < 3",
    `${Array.from({ length: 100 }, (_, n) => `object.spec.replicas != ${n + 4}`).join(" && ")}`,
  ]) {
    test(source.slice(0, 120), () => {
      assert.deepEqual(compileCel(source).evaluate(updated), { type: "value", value: true });
    });
  }
});

describe("of a created object, a CEL expression", () => {
  for (const { source, expected } of [
    { source: "before == null", expected: true },
    { source: "before != null && before.spec.replicas < 3", expected: false },
    { source: "before == null || before.spec.replicas < object.spec.replicas", expected: true },
    { source: "before.spec.replicas < 3", expected: /^line 1, column 8: a field that it reads is not there/ },
    { source: "!(before.spec.replicas < 3)", expected: /a field that it reads is not there/ },
    { source: "before.?spec.?replicas.orValue(0) < 3", expected: true },
    { source: "patch.size() == 0", expected: true },
    { source: "has(transitions.phase)", expected: false },
  ]) {
    test(`${source} is ${typeof expected === "boolean" ? expected : "failed"}`, () => {
      const verdict = compileCel(source).evaluate(created);
      if (typeof expected === "boolean") assert.deepEqual(verdict, { type: "value", value: expected });
      else assert.match(verdict.type === "failed" ? verdict.reason : "a value", expected);
    });
  }
});

describe("a CEL expression fails, and quotes no data, where", () => {
  for (const { name, source, reason } of [
    {
      name: "a field is missing",
      source: "object.spec.missing == 1",
      reason: /column 13: a field that it reads is not there/,
    },
    { name: "an inherited name is asked for", source: "object.metadata.constructor == 1", reason: /not there/ },
    { name: "a prototype is asked for", source: 'object.metadata["__proto__"] == null', reason: /not there/ },
    { name: "a method of JavaScript is a key", source: '{"a": 1}["toString"] == 1', reason: /not there/ },
    { name: "the value is no bool", source: "object.spec.replicas", reason: /neither true nor false/ },
    { name: "types do not fit", source: "object.status.phase + 1 == 2", reason: /do not fit the operator/ },
    {
      name: "a method is of another type",
      source: 'object.spec.replicas.startsWith("3")',
      reason: /do not fit the function/,
    },
    {
      name: "it divides by zero",
      source: "object.spec.replicas / (object.spec.replicas - 3) == 1",
      reason: /division by zero/,
    },
    { name: "an integer overflows", source: "object.spec.replicas * 9223372036854775807 > 1", reason: /too large/ },
    {
      name: "a text is no number",
      source: "int(object.status.phase) == 1",
      reason: /^line 1, column 1: the values are not/,
    },
    { name: "a text is no duration", source: 'duration(object.status.phase) > duration("1s")', reason: /no duration/ },
    {
      name: "a text is no timestamp",
      source: 'timestamp(object.kind) > timestamp("2026-01-01T00:00:00Z")',
      reason: /RFC 3339/,
    },
    {
      name: "a timestamp has no offset",
      source: "timestamp(object.spec.local) == timestamp(object.spec.local)",
      reason: /offset/,
    },
    {
      name: "a time zone does not exist",
      source: 'timestamp("2026-01-01T00:00:00Z").getHours("Mars") == 1',
      reason: /not of a kind/,
    },
  ]) {
    test(name, () => {
      const verdict = compileCel(source).evaluate(updated);
      assert.match(verdict.type === "failed" ? verdict.reason : "a value", reason);
      assert.doesNotMatch(JSON.stringify(verdict), /Failed|Order/);
    });
  }
});

describe("a mistake in a CEL expression is told before it runs:", () => {
  for (const { source, problem } of [
    { source: "", problem: /^line 1, column 1: expected an expression/ },
    {
      source: "objct.spec.x == 1",
      problem: /^line 1, column 1: there is no variable "objct" \(did you mean "object"\?\)/,
    },
    {
      source: "object.x == 1 &&\n  befor == null",
      problem: /^line 2, column 3: there is no variable "befor" \(did you mean "before"/,
    },
    { source: "oldObject == null", problem: /an expression sees object, before, patch, transitions, event/ },
    {
      source: 'object.kind.startWith("x")',
      problem: /^line 1, column 13: .*\.startWith\(\) \(did you mean "startsWith"\?\)/,
    },
    { source: "sise(object.spec) == 1", problem: /no function sise\(\) \(did you mean "size"\?\)/ },
    { source: "now() > timestamp(object.kind)", problem: /no function now\(\)/ },
    { source: 'object.kind.matches("(a+)+$")', problem: /matches\(\) is not available: .* use startsWith/ },
    { source: 'b"{}".json() == {}', problem: /no function \.json\(\)/ },
    { source: "object.spec ==", problem: /^line 1, column 15: .*the end/ },
    { source: '"text', problem: /^line 1, column 1: unterminated string/ },
    { source: "object.spec.x + 1 == 'a' ? 1 : 2", problem: /true or false, this one is int/ },
    { source: '"text"', problem: /expected an expression that is true or false, this one is string/ },
    { source: "1 == 'a'", problem: /no such overload: int == string/ },
    {
      source: "transitions.phse.to == 'x'",
      problem: /^line 1, column 18: .*no field "phse" \(did you mean "phase"\?\)/,
    },
    { source: "transitions.phase.too == 'x'", problem: /no field "too" \(did you mean "to"\?\)/ },
    { source: "transitions.conditions.Ready.reson == 'x'", problem: /did you mean "reason"/ },
    { source: "event.nmae == 'x'", problem: /no attribute "nmae" \(did you mean "name"\?\)/ },
    { source: "event.data.object == null", problem: /data is no attribute/ },
    {
      source: 'duration("1d") > duration("2h")',
      problem: /^line 1, column 1: duration\(\) cannot read this text; write it like "90s"/,
    },
    { source: 'timestamp("2026-01-31") == null', problem: /timestamp\(\) cannot read this text/ },
    { source: "patch.all(object, true)", problem: /object is already a variable/ },
    { source: `${"(".repeat(400)}true${")".repeat(400)}`, problem: /maxDepth/ },
    { source: `${"!".repeat(4_000)}true`, problem: /maxAstNodes|too deeply|deeper/ },
    { source: Array(300).fill("true").join(" && "), problem: /nested deeper than 200/ },
    { source: `object.x == "${"x".repeat(5_000)}"`, problem: /longer than 4096 characters/ },
  ]) {
    test(source.slice(0, 80) || "nothing", () => {
      assert.throws(() => compileCel(source), {
        name: "ExpressionError",
        code: "EXPRESSION_INVALID",
        message: problem,
      });
    });
  }
});

test("a CEL program names the fields that it reads, and reads no others", () => {
  const program = compileCel(
    'object.spec["replicas"] > 1 && has(object.status.phase) && before != null && object.spec.list.all(x, x.n > 0)',
  );
  assert.deepEqual(
    program.paths.map(({ variable, path }) => [variable, ...path].join(".")),
    ["object.spec.replicas", "object.spec.list", "object.status.phase", "before"],
  );
  const unread = (): never => assert.fail("read what the expression does not name");
  const document = {
    ...updated,
    get patch() {
      return unread();
    },
    object: {
      ...object,
      get metadata() {
        return unread();
      },
    },
  };
  assert.deepEqual(program.evaluate(document), { type: "value", value: true });
});

test("a CEL program says the same at each try", () => {
  const program = compileCel(
    'object.spec.list.exists(x, x.n == 2) && timestamp(object.metadata.creationTimestamp) > timestamp("2020-01-01T00:00:00Z")',
  );
  const verdicts = new Set(Array.from({ length: 50 }, () => JSON.stringify(program.evaluate(updated))));
  assert.deepEqual([...verdicts], ['{"type":"value","value":true}']);
});
