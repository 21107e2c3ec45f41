/**
 * Merge patch, JSON patch and strategic merge patch: what they make of an object and what they refuse. The same cases go to the real
 * kube-apiserver, whose answers must be the ones that are written down.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Json, JsonObject } from "../../../cli/embedded/object/object.ts";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import { applyJsonPatch, applyMergePatch, applyStrategicMergePatch } from "../../../cli/embedded/request/patch.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";
import { sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { raw } from "./conformance/raw.ts";

interface PatchCase {
  readonly name: string;
  readonly type: "merge" | "json" | "strategic";
  readonly before: JsonObject;
  readonly patch: Json;
  /** The object then, or the refusal. */
  readonly expected: JsonObject | { readonly code: number; readonly message: string };
}

const MEDIA_TYPES = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

const REFUSED = { code: 422, message: "the server rejected our request due to an error in our request" };
const tokens: OpenApiSchema = {
  type: "object",
  properties: {
    containers: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: { type: "object", properties: { command: { type: "array" } } },
    },
  },
};
/** The part of a PodTemplate that the strategic cases are about. */
const podTemplate: OpenApiSchema = {
  type: "object",
  properties: { template: { type: "object", properties: { spec: tokens } } },
};

const data = (fields: JsonObject): JsonObject => ({ data: fields });
const pod = (...containers: readonly Json[]): JsonObject => ({ template: { spec: { containers } } });
const podPatch = (spec: JsonObject): JsonObject => ({ template: { spec } });
const container = (name: string, rest: JsonObject = {}): JsonObject => ({ name, image: name, ...rest });
const finalizers = (...names: readonly string[]): JsonObject => ({ metadata: { finalizers: names } });

const cases: readonly PatchCase[] = [
  {
    name: "a merge patch sets, changes and removes fields",
    type: "merge",
    before: data({ a: "1", b: "2", c: "3" }),
    patch: data({ b: "4", c: null, d: "5" }),
    expected: data({ a: "1", b: "4", d: "5" }),
  },
  {
    name: "a merge patch adds nothing for the null of an absent field",
    type: "merge",
    before: {},
    patch: data({ a: "1", b: null }),
    expected: data({ a: "1" }),
  },
  {
    name: "a merge patch replaces a list as a whole",
    type: "merge",
    before: finalizers("a.b/c", "a.b/d"),
    patch: finalizers("a.b/e"),
    expected: finalizers("a.b/e"),
  },
  {
    name: "a merge patch is an object",
    type: "merge",
    before: {},
    patch: [],
    expected: {
      code: 400,
      message: "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
    },
  },
  {
    name: "a merge patch is not null",
    type: "merge",
    before: {},
    patch: null,
    expected: { code: 400, message: "Invalid JSON Patch" },
  },
  {
    name: "a JSON patch adds, replaces and removes in order",
    type: "json",
    before: data({ a: "1", b: "2" }),
    patch: [
      { op: "test", path: "/data/a", value: "1" },
      { op: "replace", path: "/data/a", value: "3" },
      { op: "add", path: "/data/c", value: "4" },
      { op: "remove", path: "/data/b" },
    ],
    expected: data({ a: "3", c: "4" }),
  },
  {
    name: "a JSON patch copies and moves",
    type: "json",
    before: data({ a: "1" }),
    patch: [
      { op: "copy", from: "/data/a", path: "/data/b" },
      { op: "move", from: "/data/a", path: "/data/c" },
    ],
    expected: data({ b: "1", c: "1" }),
  },
  {
    name: "a path may name fields with slashes and tildes",
    type: "json",
    before: { metadata: { labels: { "a.b/c": "1" } } },
    patch: [{ op: "replace", path: "/metadata/labels/a.b~1c", value: "2" }],
    expected: { metadata: { labels: { "a.b/c": "2" } } },
  },
  {
    name: "a JSON patch inserts into a list, at its end, and counts from there",
    type: "json",
    before: finalizers("a.b/b"),
    patch: [
      { op: "add", path: "/metadata/finalizers/0", value: "a.b/a" },
      { op: "add", path: "/metadata/finalizers/-", value: "a.b/c" },
      { op: "replace", path: "/metadata/finalizers/-1", value: "a.b/d" },
      { op: "remove", path: "/metadata/finalizers/1" },
    ],
    expected: finalizers("a.b/a", "a.b/d"),
  },
  {
    name: "replacing a field that is not there adds it",
    type: "json",
    before: data({ a: "1" }),
    patch: [{ op: "replace", path: "/data/b", value: "2" }],
    expected: data({ a: "1", b: "2" }),
  },
  {
    name: "an absent field is as good as null to a test",
    type: "json",
    before: data({ a: "1" }),
    patch: [{ op: "test", path: "/data/b", value: null }],
    expected: data({ a: "1" }),
  },
  ...[
    { name: "a test that fails", patch: [{ op: "test", path: "/data/a", value: "2" }] },
    { name: "removing what is not there", patch: [{ op: "remove", path: "/data/b" }] },
    { name: "replacing below what is not there", patch: [{ op: "replace", path: "/nowhere/b", value: "2" }] },
    { name: "adding beyond the end of a list", patch: [{ op: "add", path: "/metadata/finalizers/7", value: "a.b/c" }] },
    { name: "moving what is not there", patch: [{ op: "move", from: "/data/b", path: "/data/c" }] },
    { name: "moving something into itself", patch: [{ op: "move", from: "/data", path: "/data/a" }] },
    { name: "an operation without a path", patch: [{ op: "add", value: "2" }] },
    { name: "an unknown operation", patch: [{ op: "swap", path: "/data/a" }] },
    { name: "a place inside a text", patch: [{ op: "add", path: "/data/a/b", value: "2" }] },
  ].map(
    ({ name, patch }): PatchCase => ({
      name: `${name} is refused`,
      type: "json",
      before: { ...data({ a: "1" }), ...finalizers("a.b/a") },
      patch,
      expected: REFUSED,
    }),
  ),
  {
    name: "a JSON patch is a list",
    type: "json",
    before: {},
    patch: { op: "add" },
    expected: {
      code: 400,
      message: "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
    },
  },
  {
    name: "a JSON patch is a list of operations",
    type: "json",
    before: {},
    patch: [{ op: "add", path: 3 }],
    expected: {
      code: 400,
      message:
        "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string",
    },
  },
  {
    name: "a JSON patch has at most 10,000 operations",
    type: "json",
    before: data({ a: "1" }),
    patch: Array.from({ length: 10_001 }, () => ({ op: "test", path: "/data/a", value: "1" })),
    expected: {
      code: 413,
      message: "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001",
    },
  },
  {
    name: "a strategic merge patch merges maps as a merge patch does",
    type: "strategic",
    before: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { b: null, c: "3" } } },
    expected: { metadata: { labels: { a: "1", c: "3" } } },
  },
  {
    name: "a strategic merge patch merges the items of a keyed list",
    type: "strategic",
    before: pod(container("a", { command: ["x"] }), container("b")),
    patch: podPatch({ containers: [{ name: "b", image: "b:2" }, container("c")] }),
    expected: pod(container("a", { command: ["x"] }), container("b", { image: "b:2" }), container("c")),
  },
  {
    name: "a strategic merge patch deletes an item by its key",
    type: "strategic",
    before: pod(container("a"), container("b")),
    patch: podPatch({ containers: [{ name: "a", $patch: "delete" }] }),
    expected: pod(container("b")),
  },
  {
    name: "a strategic merge patch replaces a keyed list when told so",
    type: "strategic",
    before: pod(container("a"), container("b")),
    patch: podPatch({ containers: [container("c"), { $patch: "replace" }] }),
    expected: pod(container("c")),
  },
  {
    name: "a strategic merge patch puts items into order",
    type: "strategic",
    before: pod(container("a"), container("b"), container("c")),
    patch: podPatch({
      "$setElementOrder/containers": [{ name: "c" }, { name: "a" }],
      containers: [{ name: "a", image: "a:2" }],
    }),
    expected: pod(container("b"), container("c"), container("a", { image: "a:2" })),
  },
  {
    name: "a strategic merge patch replaces a list without keys",
    type: "strategic",
    before: pod(container("a", { command: ["x", "y"] })),
    patch: podPatch({ containers: [{ name: "a", command: ["z"] }] }),
    expected: pod(container("a", { command: ["z"] })),
  },
  {
    name: "a strategic merge patch unites sets",
    type: "strategic",
    before: finalizers("a.b/a", "a.b/b"),
    patch: finalizers("a.b/c", "a.b/a"),
    expected: finalizers("a.b/c", "a.b/a", "a.b/b"),
  },
  {
    name: "a strategic merge patch takes values out of a set",
    type: "strategic",
    before: finalizers("a.b/a", "a.b/b", "a.b/c"),
    patch: {
      metadata: {
        "$deleteFromPrimitiveList/finalizers": ["a.b/b"],
        "$setElementOrder/finalizers": ["a.b/c", "a.b/a"],
      },
    },
    expected: finalizers("a.b/c", "a.b/a"),
  },
  {
    name: "a strategic merge patch replaces a map when told so",
    type: "strategic",
    before: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { c: "3", $patch: "replace" } } },
    expected: { metadata: { labels: { c: "3" } } },
  },
  {
    name: "a strategic merge patch retains only the keys that it names",
    type: "strategic",
    before: { metadata: { labels: { a: "1", b: "2" } } },
    patch: { metadata: { labels: { b: "3", $retainKeys: ["b"] } } },
    expected: { metadata: { labels: { b: "3" } } },
  },
  {
    name: "a strategic merge patch with an unknown directive is refused",
    type: "strategic",
    before: { metadata: { labels: { a: "1" } } },
    patch: { metadata: { labels: { $patch: "swap" } } },
    expected: { code: 500, message: "unknown patch type: swap in map: map[$patch:swap]" },
  },
  {
    name: "a strategic merge patch with an item without its key is refused",
    type: "strategic",
    before: pod(container("a")),
    patch: podPatch({ containers: [{ image: "b" }] }),
    expected: { code: 500, message: "map: map[image:b] does not contain declared merge key: name" },
  },
  {
    name: "a strategic merge patch is an object",
    type: "strategic",
    before: {},
    patch: [],
    expected: { code: 400, message: "json: cannot unmarshal array into Go value of type map[string]interface {}" },
  },
];

function apply({ type, before, patch }: PatchCase): Json {
  switch (type) {
    case "merge":
      return applyMergePatch(before, patch);
    case "json":
      return applyJsonPatch(before, patch);
    case "strategic":
      return applyStrategicMergePatch(before, patch, podTemplate);
    default:
      return type satisfies never;
  }
}

function outcomeOf(act: () => Json): Json {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { code: error.status.code, message: error.message };
  }
}

describe("a patch", () => {
  for (const given of cases) {
    test(given.name, () => {
      const before = structuredClone(given.before);
      assert.deepEqual(
        outcomeOf(() => apply(given)),
        given.expected,
      );
      assert.deepEqual(given.before, before, "the object given changed");
    });
  }

  test("shares with the object what it does not touch", () => {
    const before = { metadata: { labels: { a: "1" } }, data: { b: "2" } };
    const after = applyMergePatch(before, data({ b: "3" })) as typeof before;
    assert.equal(after.metadata, before.metadata);
  });

  test("may name any field, also those that JavaScript objects have from birth", () => {
    const patch = JSON.parse('{"__proto__":{"a":1},"constructor":"x"}') as Json;
    assert.deepEqual(applyMergePatch({}, patch), patch);
    const added = applyJsonPatch({}, [{ op: "add", path: "/__proto__", value: { a: 1 } }]);
    assert.deepEqual(added, JSON.parse('{"__proto__":{"a":1}}'));
    assert.equal("a" in {}, false);
  });

  test("that copies without end is refused", () => {
    const copies = Array.from({ length: 100 }, (_, index) => ({ op: "copy", from: "/data", path: `/data/${index}` }));
    assert.deepEqual(
      outcomeOf(() => applyJsonPatch(data({ text: "x".repeat(100) }), copies)),
      REFUSED,
    );
  });

  test("that nests by copying, until nothing can read the object, is a bad request", () => {
    const copies = Array.from({ length: 10_000 }, () => ({ op: "copy", from: "/a", path: "/a/b" }));
    assert.throws(() => applyJsonPatch({ a: {} }, copies), { name: "StatusError", message: /max depth/ });
  });

  const deep: Json = JSON.parse(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`);
  for (const [name, act] of [
    ["merge patch", () => applyMergePatch({}, deep)],
    ["JSON patch", () => applyJsonPatch({}, [{ op: "add", path: "/data", value: deep }])],
    ["strategic merge patch", () => applyStrategicMergePatch({}, deep, podTemplate)],
  ] as const) {
    test(`a ${name} nested 100,000 levels deep is a bad request`, () => {
      assert.throws(act, { name: "StatusError", message: /max depth/ });
    });
  }
});

test("the real server makes the same of each patch", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const namespace = await uniqueNamespace(kube);
  const target = { name: "kube-apiserver", ...kube, token: kube.adminToken } as const;
  const answers = cases.map(async ({ name, type, before, patch, expected }, index) => {
    const isPod = type === "strategic";
    const path = `/api/v1/namespaces/${namespace}/${isPod ? "podtemplates" : "configmaps"}`;
    const metadata: JsonObject = { ...(before["metadata"] as JsonObject | undefined), name: `patch-${index}` };
    await kube.client.create(path, { ...(isPod && pod(container("a"))), ...before, metadata });
    const query = { dryRun: "All" };
    const { status, body } = await raw(target, "PATCH", `${path}/patch-${index}`, {
      body: JSON.stringify(patch),
      contentType: MEDIA_TYPES[type],
      query,
    });
    if ("finalizers" in metadata) await kube.client.patch(`${path}/patch-${index}`, { metadata: { finalizers: null } });
    return [name, status < 300 ? sameParts(body, expected) : { code: status, message: body["message"] }];
  });
  assert.deepEqual(
    await Promise.all(answers),
    cases.map(({ name, expected }) => [name, expected]),
  );
});

/** The parts of an object that are in the other one; lists of another length show whole. */
function sameParts(object: Json, other: Json): Json {
  if (Array.isArray(object) && Array.isArray(other)) {
    return object.length === other.length ? object.map((each, index) => sameParts(each, other[index])) : object;
  }
  if (typeof object !== "object" || object === null || typeof other !== "object" || other === null) return object;
  const fields = Object.entries(other).map(([field, each]) => {
    const own = (object as JsonObject)[field];
    const isMap = field === "labels" || field === "data";
    return [field, own === undefined ? null : isMap ? own : sameParts(own, each as Json)] as const;
  });
  return Object.fromEntries(fields);
}
