import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { diff } from "../../../bridge/event/diff.ts";
import { createRedaction, SECRET_PATHS } from "../../../bridge/event/redaction.ts";
import type { Json, KubeObject } from "../../../bridge/kube/kube-object.ts";

const KEY = "a key of at least 16 characters";
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

function object(spec: Json, metadata: object = {}): KubeObject {
  const identity = { name: "x", uid: "u", resourceVersion: "1" };
  return { apiVersion: "demo.example.com/v1", kind: "Database", metadata: { ...identity, ...metadata }, spec };
}

describe("a redacted value", () => {
  const own = createRedaction(["spec.password", "spec.users.*.token"], { current: KEY });
  const { redact, project, isSame } = own;

  test("never stands in the object, nor in the copy that kubectl keeps of it", () => {
    const users = [{ name: "a", token: "hunter2" }];
    const annotations = { [LAST_APPLIED]: '{"spec":{"password":"hunter2"}}', other: "stays" };
    const redacted = redact(object({ password: "hunter2", size: 3, users }, { annotations }));
    assert.doesNotMatch(JSON.stringify(redacted), /hunter2/);
    assert.match(
      JSON.stringify(redacted),
      /"size":3,"users":\[\{"name":"a","token":"\(redacted [0-9a-f]{4}:[0-9a-f]{16}\)"/,
    );
    assert.equal(redacted.metadata.annotations?.["other"], "stays");
  });

  test("has the same mark after a restart, and another one when it changes", () => {
    const again = createRedaction(["spec.password"], { current: KEY });
    const [one, same, other] = [redact, again.redact, redact].map((each, index) =>
      each(object({ password: index === 2 ? "hunter3" : "hunter2" })),
    );
    assert.deepEqual(one, same);
    const patch = diff(one?.["spec"] as Json, other?.["spec"] as Json, { isSame });
    assert.deepEqual(
      patch.map(({ op, path }) => [op, path]),
      [["replace", "/password"]],
    );
    assert.doesNotMatch(JSON.stringify(patch), /hunter/);
  });

  test("that looks like a mark itself is marked, too", () => {
    const text = "(redacted 0000:0000000000000000)";
    assert.notEqual((redact(object({ password: text }))["spec"] as { password: string }).password, text);
  });

  test("leaves the object as it came, and what is not redacted is not copied", () => {
    const came = object({ password: "hunter2", rest: { a: 1 } });
    const { spec } = redact(came) as KubeObject & { readonly spec: { readonly rest: object } };
    assert.equal((came["spec"] as { password: string }).password, "hunter2");
    assert.equal(spec.rest, (came["spec"] as { rest: object }).rest);
  });

  const other = createRedaction(["spec.password"], { current: "another key, as long as that" });
  const renewed = createRedaction(["spec.password"], { current: "a new key, which is as long", previous: [KEY] });
  const unredacted = createRedaction([], { current: KEY });
  const keyless = createRedaction([], { current: "" });
  const plain = (password: Json) => object({ password });
  const rows: { name: string; before: KubeObject; after: KubeObject; rules: typeof other; told: boolean }[] = [
    {
      name: "a new key is no change",
      before: redact(plain("a")),
      after: other.redact(plain("a")),
      rules: other,
      told: false,
    },
    {
      name: "a new key beside the one before is no change",
      before: redact(plain("a")),
      after: renewed.redact(plain("a")),
      rules: renewed,
      told: false,
    },
    {
      name: "a value that changed meanwhile is told, when the new key has the one before beside it",
      before: redact(plain("a")),
      after: renewed.redact(plain("b")),
      rules: renewed,
      told: true,
    },
    {
      name: "a path that is redacted from now on is no change",
      before: project(plain("a")),
      after: redact(plain("a")),
      rules: own,
      told: false,
    },
    {
      name: "a value that changed meanwhile is told, when its path is redacted from now on",
      before: project(plain("a")),
      after: redact(plain("b")),
      rules: own,
      told: true,
    },
    {
      name: "a path that is shown again is no change",
      before: redact(plain("a")),
      after: plain("a"),
      rules: unredacted,
      told: false,
    },
    {
      name: "a value that changed meanwhile is told, when its path is shown again",
      before: redact(plain("a")),
      after: plain("b"),
      rules: unredacted,
      told: true,
    },
    {
      name: "a path that is shown again without the key is no change",
      before: redact(plain({ a: 1 })),
      after: plain({ a: 1 }),
      rules: keyless,
      told: false,
    },
  ];
  for (const { name, before, after, rules, told } of rows) {
    test(name, () => {
      const patch = diff(before as Json, after as Json, { isSame: rules.isSame });
      assert.equal(patch.length > 0, told, JSON.stringify(patch));
    });
  }

  test("is not told again from a log that has it in the clear", () => {
    assert.doesNotMatch(JSON.stringify(project(plain("hunter2"))), /hunter2/);
    const marked = redact(plain("hunter2"));
    assert.deepEqual(project(marked), marked, "what is a mark already stays one");
  });

  test("of a Secret is every value and annotation", () => {
    const secret = createRedaction(SECRET_PATHS, { current: KEY }).redact({
      ...object(null, { annotations: { a: "hunter2" }, labels: { tier: "db" } }),
      data: { password: "hunter2" },
    });
    assert.doesNotMatch(JSON.stringify(secret), /hunter2/);
    assert.deepEqual(secret.metadata.labels, { tier: "db" });
  });
});
