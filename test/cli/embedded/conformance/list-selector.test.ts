/**
 * Which objects a list shows: label selectors, field selectors, and the fields that a definition makes selectable.
 * Source: Kubernetes "Labels and Selectors", "Field Selectors"; KEP-4358 (selectableFields).
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { databasePath } from "../../../kit/database-crd.ts";
import { gemCrd, gemPath } from "./gem-crd.ts";
import { badRequest, namesOf, refused } from "./reading.ts";
import { conform } from "./target.ts";
import { conformReading, openDatabases } from "./watching.ts";

/** `a` has tier=front, `b` tier=back and canary, `c` tier empty, `d` no label. */
const byLabel = [
  { labelSelector: "tier=front", expected: ["a"] },
  { labelSelector: "tier==front", expected: ["a"] },
  { labelSelector: "tier!=front", expected: ["b", "c", "d"] },
  { labelSelector: "tier in (front, back)", expected: ["a", "b"] },
  { labelSelector: "tier notin (front,back)", expected: ["c", "d"] },
  { labelSelector: "tier", expected: ["a", "b", "c"] },
  { labelSelector: "!tier", expected: ["d"] },
  { labelSelector: "tier=", expected: ["c"] },
  { labelSelector: "tier=back,app.example.com/canary=yes", expected: ["b"] },
  { labelSelector: "app.example.com/canary", expected: ["b"] },
  { labelSelector: "weight>3", expected: ["b"] },
  { labelSelector: "weight<4", expected: ["a"] },
  { labelSelector: "unknown", expected: [] },
  { labelSelector: " tier = front ", expected: ["a"] },
  { labelSelector: "", expected: ["a", "b", "c", "d"] },
];

const NAME_RULE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character " +
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const badLabel = [
  { labelSelector: "=x", message: "found '=', expected: !, identifier, or 'end of string'" },
  { labelSelector: "a=b c", message: "found 'c', expected: ',' or 'end of string'" },
  { labelSelector: "a b", message: "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt" },
  { labelSelector: "a in b", message: "unable to parse requirement: found 'b' expected: '('" },
  {
    labelSelector: "-a=b",
    message: `unable to parse requirement: <nil>: Invalid value: "-a": ${NAME_RULE}`,
  },
];

const badField = [
  { fieldSelector: "spec.engine=postgres", message: "field label not supported: spec.engine" },
  { fieldSelector: "status.phase!=Running", message: "field label not supported: status.phase" },
  { fieldSelector: "metadata.labels=a", message: "field label not supported: metadata.labels" },
  { fieldSelector: "metadata.name", message: "invalid selector: 'metadata.name'; can't understand 'metadata.name'" },
  { fieldSelector: "a=b=c", message: "invalid field selector: unescaped character in value: 61" },
];

conformReading("a list by labels", [
  {
    name: "shows those that the selector names",
    async run({ create, list }) {
      await create("a", { tier: "front", weight: "3" });
      await create("b", { tier: "back", "app.example.com/canary": "yes", weight: "4" });
      await create("c", { tier: "" });
      await create("d");
      for (const { labelSelector, expected } of byLabel)
        assert.deepEqual(namesOf(await list({ labelSelector })), expected, labelSelector);
    },
  },
  {
    name: "is refused when the selector cannot be read",
    async run({ list }) {
      for (const { labelSelector, message } of badLabel) {
        for (const watch of ["false", "true"])
          assert.deepEqual(refused(await list({ labelSelector, watch })), badRequest(message), labelSelector);
      }
    },
  },
]);

conformReading("a list by fields", [
  {
    name: "selects by name and namespace",
    async run({ create, list, namespace }) {
      const rows = [
        { fieldSelector: "metadata.name=a", expected: ["a"] },
        { fieldSelector: "metadata.name==a", expected: ["a"] },
        { fieldSelector: "metadata.name!=a", expected: ["b"] },
        { fieldSelector: `metadata.namespace=${namespace}`, expected: ["a", "b"] },
        { fieldSelector: `metadata.name=a,metadata.namespace=${namespace}`, expected: ["a"] },
        { fieldSelector: "metadata.name=a,metadata.namespace=elsewhere", expected: [] },
        { fieldSelector: "metadata.namespace=elsewhere", expected: [] },
        { fieldSelector: "", expected: ["a", "b"] },
      ];
      await create("a");
      await create("b");
      for (const { fieldSelector, expected } of rows)
        assert.deepEqual(namesOf(await list({ fieldSelector })), expected, fieldSelector);
      const everywhere = { fieldSelector: `metadata.namespace=${namespace},metadata.name!=b` };
      assert.deepEqual(namesOf(await list(everywhere, databasePath())), ["a"]);
    },
  },
  {
    name: "and by labels at once shows what both select",
    async run({ create, list }) {
      await create("a", { tier: "front" });
      await create("b", { tier: "front" });
      const query = { labelSelector: "tier=front", fieldSelector: "metadata.name!=a" };
      assert.deepEqual(namesOf(await list(query)), ["b"]);
    },
  },
  {
    name: "is refused for another field, or when the selector cannot be read",
    async run({ list, namespace }) {
      for (const { fieldSelector, message } of badField) {
        for (const watch of ["false", "true"])
          assert.deepEqual(refused(await list({ fieldSelector, watch })), badRequest(message), fieldSelector);
      }
      assert.deepEqual(
        refused(await list({ fieldSelector: "data.a=b" }, `/api/v1/namespaces/${namespace}/configmaps`)),
        badRequest('"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
      );
    },
  },
  {
    name: "finds the events about an object",
    async run({ target, list, namespace }) {
      const path = `/api/v1/namespaces/${namespace}/events`;
      for (const name of ["one", "two"]) {
        await target.client.create(path, {
          metadata: { name },
          involvedObject: { apiVersion: "demo.example.com/v1", kind: "Database", namespace, name, uid: `uid-${name}` },
          reason: "Failed",
          type: "Warning",
        });
      }
      const about = "involvedObject.kind=Database,involvedObject.name=one,involvedObject.uid=uid-one";
      for (const [fieldSelector, expected] of [
        [about, ["one"]],
        [`${about},type!=Normal`, ["one"]],
        ["reason=Failed", ["one", "two"]],
        ["type=Normal", []],
      ] as const)
        assert.deepEqual(namesOf(await list({ fieldSelector }, path)), expected, fieldSelector);
    },
  },
]);

const GROUP = "list-selector.example.com";

conform("a list by a field that the definition makes selectable", (open) => {
  test("selects by it in that version, and is refused in the other", async (t) => {
    const target = await open(t);
    if (target === undefined) return;
    await target.client.applyCrd(gemCrd(GROUP));
    const { list, namespace } = await openDatabases(t, target);
    const path = (version: "v1" | "v2") => gemPath(GROUP, version, namespace);
    for (const [name, spec] of Object.entries({ a: { color: "red", carat: 2 }, b: { color: "blue" }, c: {} }))
      await target.client.create(path("v1"), { apiVersion: `${GROUP}/v1`, kind: "Gem", metadata: { name }, spec });
    for (const [fieldSelector, expected] of [
      ["spec.color=red", ["a"]],
      ["spec.color!=red", ["b", "c"]],
      ["spec.color=", ["c"]],
      ["spec.carat=2", ["a"]],
      ["spec.color=blue,metadata.name=b", ["b"]],
    ] as const)
      assert.deepEqual(namesOf(await list({ fieldSelector }, path("v1"))), expected, fieldSelector);
    const unknown = badRequest("field label not supported: spec.color");
    assert.deepEqual(refused(await list({ fieldSelector: "spec.color=red" }, path("v2"))), unknown);
  });
});
