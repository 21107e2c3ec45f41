/**
 * A structural schema: what it drops, fills in and refuses. The same cases go to the real kube-apiserver, under a kind made for them, and
 * its answers must be the ones that are written down.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import type { Json, JsonObject, KubeObject } from "../../../cli/embedded/object/object.ts";
import type { StatusCause } from "../../../cli/embedded/object/status-error.ts";
import { compileSchema, OBJECT_META } from "../../../cli/embedded/schema/schema.ts";
import type { OpenApiSchema } from "../../../cli/embedded/schema/value-schema.ts";
import { databaseCrd } from "../../kit/database-crd.ts";
import type { KubeAccess } from "../../kit/kube-access.ts";
import { sharedKube } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";
import { type Answer, raw } from "./conformance/raw.ts";
import { ruleCases } from "./schema-rule-case.ts";
import { shapeCases } from "./schema-shape-case.ts";
import { type SchemaCase, valueCases } from "./schema-value-case.ts";

const SCHEMA_CASES = [
  { title: "values", cases: valueCases },
  { title: "rules", cases: ruleCases },
] as const;

/** The schema of a whole object whose spec has one field for each case. */
function schemaOf(cases: readonly { readonly field: string; readonly schema: OpenApiSchema }[]): OpenApiSchema {
  const fields = Object.fromEntries(cases.map(({ field, schema }) => [field, schema]));
  assert.equal(Object.keys(fields).length, cases.length, "two cases have the same field");
  return { type: "object", properties: { spec: { type: "object", properties: fields } } };
}

function objectOf(field: string, value: Json | undefined, group = "test.example.com"): KubeObject {
  const spec = value === undefined ? {} : { [field]: value };
  return { apiVersion: `${group}/v1`, kind: "Case", metadata: { name: field.toLowerCase() }, spec };
}

function textsOf(causes: readonly StatusCause[]): readonly string[] {
  return causes.map(({ reason, field, message }) => `${reason} ${field}: ${message}`).toSorted();
}

function specOf(object: JsonObject): JsonObject {
  return object["spec"] as JsonObject;
}

for (const { title, cases } of SCHEMA_CASES) {
  describe(`what a schema says about ${title}`, () => {
    const schema = compileSchema(schemaOf(cases));

    for (const { name, field, value, before, expected } of cases) {
      test(name, () => {
        const was = before === undefined ? undefined : objectOf(field, before);
        assert.deepEqual(textsOf(schema.validate(objectOf(field, value), was)), expected);
      });
    }

    test("all of it is enforced", () => assert.deepEqual(schema.unenforced, []));
  });
}

describe("what a schema keeps of an object", () => {
  const schema = compileSchema(schemaOf(shapeCases));

  for (const { name, field, given, kept, unknown = [] } of shapeCases) {
    test(name, () => {
      const object = objectOf(field, given);
      const copy = structuredClone(object);
      const pruned = schema.prune(object);
      assert.deepEqual(pruned.unknown, unknown);
      assert.deepEqual(specOf(schema.withDefaults(pruned.object))[field], kept);
      assert.deepEqual(object, copy, "the given object changed");
    });
  }

  test("an object without anything to drop or to fill in is answered itself", () => {
    const object = objectOf("unknown", { a: "x" });
    assert.equal(schema.prune(object).object, object);
    assert.equal(schema.withDefaults(object), object);
  });

  test("metadata loses what metadata does not have, and the root what the schema does not have", () => {
    const given = { ...objectOf("unknown", {}), status: {}, metadata: { name: "a", labels: { a: "b" }, title: "x" } };
    const { object, unknown } = schema.prune(given);
    assert.deepEqual(unknown, ["metadata.title", "status"]);
    assert.deepEqual(object, { ...objectOf("unknown", {}), metadata: { name: "a", labels: { a: "b" } } });
  });

  test("an object nested a million levels deep is a bad request", () => {
    const deep: Json = JSON.parse(`${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}`);
    const refusal = { name: "StatusError", message: /max depth/ };
    assert.throws(() => schema.prune(objectOf("keeping", deep)), refusal);
  });
});

describe("an update", () => {
  const strict = compileSchema(databaseCrd.spec.versions[0]?.schema.openAPIV3Schema as OpenApiSchema);
  const database = (spec: JsonObject, status: JsonObject = {}): KubeObject => ({
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    metadata: { name: "a" },
    spec: { engine: "mysql", ...spec },
    status,
  });
  const condition = (type: string, status: string): JsonObject => ({ type, status });
  const cases = [
    {
      name: "is not refused for what was wrong before",
      before: database({ replicas: 99 }),
      after: database({ replicas: 99, version: "8" }),
      expected: [],
    },
    {
      name: "is refused for another wrong value",
      before: database({ replicas: 99 }),
      after: database({ replicas: 98 }),
      expected: ["spec.replicas"],
    },
    {
      name: "compares items of a keyed list by their keys",
      before: database({}, { conditions: [condition("A", "odd"), condition("B", "True")] }),
      after: database({}, { conditions: [condition("B", "even"), condition("A", "odd")] }),
      expected: ["status.conditions[0].status"],
    },
    {
      name: "is refused for a field that is newly missing",
      before: database({}),
      after: { ...database({}), spec: {} },
      expected: ["spec.engine"],
    },
  ] as const;
  for (const { name, before, after, expected } of cases) {
    test(name, () => {
      const fields = strict.validate(after, before).map(({ field }) => field);
      assert.deepEqual(fields, expected);
    });
  }
});

describe("what is not enforced", () => {
  const rules = (...texts: string[]) => ({ "x-kubernetes-validations": texts.map((rule) => ({ rule })) });
  const schema = compileSchema({
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: { size: { type: "string", ...rules("quantity(self).isGreaterThan(quantity('1'))", "self != ''") } },
      },
      odd: { type: "string", pattern: "(?U)a+" },
    },
  });

  test("is named: rules that need Kubernetes' own CEL functions, patterns without an equal", () => {
    const [rule = "", pattern, ...more] = schema.unenforced;
    assert.match(rule, /^spec\.size: quantity\(self\)\.isGreaterThan.*: found no matching overload for 'quantity/);
    assert.equal(pattern, "odd: pattern (?U)a+");
    assert.deepEqual(more, []);
  });

  test("refuses nothing, and the other rules still hold", () => {
    const object = { ...objectOf("size", ""), odd: "bbb" };
    assert.deepEqual(textsOf(schema.validate(object)), [
      `FieldValueInvalid spec.size: Invalid value: "": failed rule: self != ''`,
    ]);
  });
});

test("metadata is described as the API has it: keyed owners, a set of finalizers", () => {
  const { ownerReferences, finalizers, managedFields, labels } = OBJECT_META.properties ?? {};
  assert.deepEqual(ownerReferences?.["x-kubernetes-list-map-keys"], ["uid"]);
  assert.equal(finalizers?.["x-kubernetes-list-type"], "set");
  assert.equal(managedFields?.["x-kubernetes-list-type"], "atomic");
  assert.deepEqual(labels?.additionalProperties, { type: "string" });
});

/** A kind of its own on the real server, gone after the test. */
async function kindFor(kube: KubeAccess, plural: string, schema: OpenApiSchema) {
  const group = `s${randomBytes(4).toString("hex")}.example.com`;
  const crd = {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Cluster",
      names: { kind: "Case", listKind: "CaseList", plural, singular: "case" },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  };
  await kube.client.applyCrd(crd);
  const send = (method: string, path: string, body: object, query: Readonly<Record<string, string>> = {}) =>
    raw({ name: "kube-apiserver", ...kube, token: kube.adminToken }, method, `/apis/${group}/v1/${plural}${path}`, {
      body,
      query,
    });
  const remove = () => kube.client.delete(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}`);
  // A new kind is listed a moment before its schema is enforced.
  await until(
    async () => (await send("POST", "", objectOf("Not a name", {}, group), { dryRun: "All" })).status === 422,
  );
  return { group, send, remove };
}

function causesIn({ status, body }: Answer): readonly string[] {
  return status < 300 ? [] : textsOf(body["details"]?.causes ?? []);
}

for (const { title, cases } of SCHEMA_CASES) {
  test(`the real server says the same about ${title}`, async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const { group, send, remove } = await kindFor(kube, title, schemaOf(cases));
    t.after(remove);
    const answers = cases.map(async ({ name, field, value, before }: SchemaCase) => {
      if (before === undefined)
        return [name, causesIn(await send("POST", "", objectOf(field, value, group), { dryRun: "All" }))];
      const { body } = await send("POST", "", objectOf(field, before, group));
      const { name: id, resourceVersion = "" } = body.metadata;
      const after = { ...objectOf(field, value, group), metadata: { name: id, resourceVersion } };
      return [name, causesIn(await send("PUT", `/${id}`, after))];
    });
    assert.deepEqual(
      await Promise.all(answers),
      cases.map(({ name, expected }) => [name, expected]),
    );
  });
}

test("the real server keeps the same of an object", async (t) => {
  const kube = await sharedKube(t);
  if (kube === undefined) return;
  const { group, send, remove } = await kindFor(kube, "shapes", schemaOf(shapeCases));
  t.after(remove);
  const answers = shapeCases.map(async ({ name, field, given }) => {
    const object = objectOf(field, given, group);
    const { body } = await send("POST", "", object, { dryRun: "All" });
    const strict = await send("POST", "", object, { dryRun: "All", fieldValidation: "Strict" });
    const unknown = [...strict.text.matchAll(/unknown field \\"(.*?)\\"/g)].map(([, path]) => path);
    return { name, kept: body["spec"]?.[field], unknown };
  });
  assert.deepEqual(
    await Promise.all(answers),
    shapeCases.map(({ name, kept, unknown = [] }) => ({ name, kept, unknown })),
  );
});
