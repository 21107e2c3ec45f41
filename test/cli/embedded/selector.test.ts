/**
 * Label and field selectors; what is selected, and the sentence by which a selector is refused, are kube-apiserver 1.36's own.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BUILT_IN_KINDS } from "../../../cli/embedded/kind/built-in.ts";
import { kindsOf } from "../../../cli/embedded/kind/crd.ts";
import type { ResourceKind } from "../../../cli/embedded/object/kind.ts";
import type { KubeObject } from "../../../cli/embedded/object/object.ts";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import { parseFieldSelector, parseLabelSelector } from "../../../cli/embedded/request/selector.ts";

/** What is asked, or the message of the refusal, which is a 400. */
function outcome(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.code, 400);
    return error.message;
  }
}

const unreadable = (why: string) => `unable to parse requirement: ${why}`;
const NAME_PART =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const VALUE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const OPERATORS = "expected: in, notin, =, ==, !=, gt, lt";

describe("a label selector, for an object with a=b, n=5, empty='' and in=in", () => {
  const labels = { a: "b", n: "5", empty: "", in: "in" };
  const rows: readonly (readonly [selector: string, expected: unknown])[] = [
    ["", true],
    [" ", true],
    ["a=b", true],
    ["a==b", true],
    ["a!=b", false],
    ["a!=c", true],
    ["missing!=c", true],
    ["missing=c", false],
    ["a= b , n", true],
    ["a=b,n=6", false],
    ["a", true],
    ["!a", false],
    ["!missing", true],
    ["constructor", false],
    ["empty=", true],
    ["missing=", false],
    ["missing!=", true],
    ["a in (b,c)", true],
    ["a notin (b)", false],
    ["missing notin (b)", true],
    ["missing in (b)", false],
    ["empty in ()", true],
    ["a in (,)", false],
    ["a in (x,,b)", true],
    ["in in (in)", true],
    ["n>4", true],
    ["n>5", false],
    ["n<6", true],
    ["a>1", false],
    ["missing<1", false],
    ["example.com/a.b_c!=1", true],
    ["a gt 1", unreadable(`found 'gt', ${OPERATORS}`)],
    ["a!b", unreadable(`found '!', ${OPERATORS}`)],
    ["a(b)", unreadable(`found '(', ${OPERATORS}`)],
    ["a in", unreadable("found '' expected: '('")],
    ["a notin b", unreadable("found 'b' expected: '('")],
    ["a in (b", unreadable("found '', expected: ',' or ')'")],
    ["a in (b c)", unreadable("found 'c', expected: ',' or ')'")],
    ["a in (b=c)", unreadable("found '=', expected: ',' or ')'")],
    ["a in (=)", unreadable("found '=', expected: ',', ')' or identifier")],
    ["a===b", unreadable("found '=', expected: identifier")],
    ["a=!b", unreadable("found '!', expected: identifier")],
    ["!", unreadable("found '', expected: identifier")],
    ["!!a", unreadable("found '!', expected: identifier")],
    ["a<x", unreadable(`values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`)],
    ["a=-b", unreadable(`values[0][a]: Invalid value: "-b": ${VALUE}`)],
    ["a in (b,-c)", unreadable(`values[0][a]: Invalid value: "-c": ${VALUE}`)],
    [
      `a=${"k".repeat(64)}`,
      unreadable(`values[0][a]: Invalid value: "${"k".repeat(64)}": must be no more than 63 bytes`),
    ],
    ["a&b", unreadable(`<nil>: Invalid value: "a&b": ${NAME_PART}`)],
    ["a/", unreadable(`<nil>: Invalid value: "a/": name part must be non-empty; ${NAME_PART}`)],
    ["/b", unreadable('<nil>: Invalid value: "/b": prefix part must be non-empty')],
    ["k".repeat(64), unreadable(`<nil>: Invalid value: "${"k".repeat(64)}": name part must be no more than 63 bytes`)],
    ["a=b,", "found '', expected: identifier after ','"],
    [",a=b", "found ',', expected: !, identifier, or 'end of string'"],
    ["=b", "found '=', expected: !, identifier, or 'end of string'"],
    ["a=b c", "found 'c', expected: ',' or 'end of string'"],
    ["!a=b", "found '=', expected: ',' or 'end of string'"],
  ];
  for (const [selector, expected] of rows) {
    test(JSON.stringify(selector), () =>
      assert.equal(
        outcome(() => parseLabelSelector(selector)(labels)),
        expected,
      ),
    );
  }
});

function builtIn(name: string): ResourceKind {
  const found = BUILT_IN_KINDS.find(({ kind }) => kind === name);
  assert.ok(found, name);
  return found;
}

function custom(scope: "Namespaced" | "Cluster"): ResourceKind {
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } };
  const selectableFields = [".spec.text", ".spec.whole", ".spec.flag"].map((jsonPath) => ({ jsonPath }));
  const names = { plural: "things", kind: "Thing" };
  const [kind] = kindsOf({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.example.com" },
    spec: { group: "example.com", scope, names, versions: [{ ...version, selectableFields }] },
  });
  assert.ok(kind);
  return kind;
}

const thing: KubeObject = {
  apiVersion: "example.com/v1",
  kind: "Thing",
  metadata: { name: "one", namespace: "here" },
  spec: { text: "a=b,c", whole: 7, flag: true },
};
const event: KubeObject = {
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "e1", namespace: "here" },
  involvedObject: { kind: "Thing", name: "one", apiVersion: "example.com/v1" },
  reason: "Bad",
  type: "Warning",
  reportingComponent: "reporter",
};

describe("a field selector", () => {
  const rows: readonly {
    readonly of?: ResourceKind;
    readonly object?: KubeObject;
    readonly selector: string;
    readonly expected: unknown;
  }[] = [
    { selector: "", expected: true },
    { selector: ",", expected: true },
    { selector: "=", expected: true },
    { selector: "metadata.name=one", expected: true },
    { selector: "metadata.name==one,", expected: true },
    { selector: "metadata.name!=one", expected: false },
    { selector: "metadata.name=one,metadata.namespace=there", expected: false },
    { selector: "metadata.name=", expected: false },
    { selector: "spec.text=a\\=b\\,c", expected: true },
    { selector: "spec.whole=7", expected: true },
    { selector: "spec.flag=true", expected: true },
    { selector: "spec.flag=false", expected: false },
    { selector: "spec.text=", object: { ...thing, spec: {} }, expected: true },
    { selector: "spec.other=1", expected: "field label not supported: spec.other" },
    { selector: ".spec.text=1", expected: "field label not supported: .spec.text" },
    { selector: " metadata.name=one", expected: "field label not supported:  metadata.name" },
    { selector: "foo=1,bar=2", expected: "field label not supported: bar" },
    { selector: "foo=1,bar", expected: "invalid selector: 'foo=1,bar'; can't understand 'bar'" },
    { selector: "metadata.name", expected: "invalid selector: 'metadata.name'; can't understand 'metadata.name'" },
    {
      selector: "metadata.name>1",
      expected: "invalid selector: 'metadata.name>1'; can't understand 'metadata.name>1'",
    },
    { selector: "metadata.name=a=b", expected: "invalid field selector: unescaped character in value: 61" },
    { selector: "metadata.name=a\\x", expected: "invalid field selector: invalid escape sequence: \\x" },
    { selector: "metadata.name=a\\", expected: "invalid field selector: invalid escape sequence: \\" },
    {
      of: custom("Cluster"),
      selector: "metadata.namespace=",
      expected: "field label not supported: metadata.namespace",
    },
    {
      of: builtIn("Event"),
      object: event,
      selector: "involvedObject.name=one,type=Warning,reason=Bad",
      expected: true,
    },
    { of: builtIn("Event"), object: event, selector: "involvedObject.apiVersion=example.com/v1", expected: true },
    { of: builtIn("Event"), object: event, selector: "involvedObject.uid=", expected: true },
    { of: builtIn("Event"), object: event, selector: "source=reporter", expected: true },
    { of: builtIn("Event"), object: { ...event, source: { component: "c" } }, selector: "source=c", expected: true },
    { of: builtIn("Event"), object: event, selector: "reportingComponent=reporter", expected: true },
    { of: builtIn("Event"), object: event, selector: "action=x", expected: "field label not supported: action" },
    { of: builtIn("Namespace"), selector: "status.phase=Active", expected: false },
    {
      of: builtIn("Namespace"),
      selector: "metadata.namespace=",
      expected: "field label not supported: metadata.namespace",
    },
    { of: builtIn("Secret"), object: { ...thing, type: "Opaque" }, selector: "type=Opaque", expected: true },
    { of: builtIn("Secret"), selector: "spec.foo=x", expected: "field label not supported: spec.foo" },
    {
      of: builtIn("ConfigMap"),
      selector: "spec.foo=x",
      expected: '"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
    },
    {
      of: builtIn("Lease"),
      selector: "name=x",
      expected: '"name" is not a known field selector: only "metadata.name", "metadata.namespace"',
    },
    {
      of: builtIn("CustomResourceDefinition"),
      object: { ...thing, metadata: { name: "a.b" } },
      selector: "metadata.namespace=",
      expected: true,
    },
  ];
  for (const { of = custom("Namespaced"), object = thing, selector, expected } of rows) {
    test(`of a ${of.namespaced ? "namespaced" : "cluster-scoped"} ${of.kind}: ${JSON.stringify(selector)}`, () =>
      assert.equal(
        outcome(() => parseFieldSelector(selector, of)(object)),
        expected,
      ));
  }
});
