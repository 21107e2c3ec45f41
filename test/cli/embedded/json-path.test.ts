/**
 * JSON paths as definitions write them; each row is what kube-apiserver 1.36 finds by the same path in the same object.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileJsonPath, JsonPathError } from "../../../cli/embedded/view/json-path.ts";

const object = {
  metadata: {
    labels: { "app.kubernetes.io/name": "lab" },
    annotations: { "eventing.knative.dev/broker.class": "Kafka" },
  },
  spec: {
    text: "text",
    none: null,
    empty: [],
    letters: ["x", "y", "z"],
    map: { "a.b": "dotted", x: 1 },
    list: [
      { name: "one", type: "Ready", n: 1, inner: { b: "z" } },
      { name: "two", type: "Other", n: 2, on: true },
      { name: "three", type: "Third", n: 3, extra: "e" },
    ],
  },
};

/** What kube-apiserver 1.36 shows in a printer column of this path is the first of these, or nothing. */
const rows: readonly { readonly path: string; readonly expected: readonly unknown[] }[] = [
  { path: ".spec.text", expected: ["text"] },
  { path: ".spec.text ", expected: ["text"] },
  { path: "$.spec.text", expected: ["text"] },
  { path: ".spec['text']", expected: ["text"] },
  { path: ".spec.missing", expected: [] },
  { path: ".spec.missing.deeper[0]", expected: [] },
  { path: ".spec.none", expected: [null] },
  { path: ".spec.none.deeper", expected: [] },
  { path: ".spec.text.deeper", expected: [] },
  { path: ".spec.constructor", expected: [] },
  { path: ".spec.__proto__", expected: [] },
  { path: ".", expected: [] },
  { path: ".spec.map.a\\.b", expected: ["dotted"] },
  { path: ".spec.map['a\\.b']", expected: ["dotted"] },
  { path: ".spec.map['a.b']", expected: [] }, // dots in a key have to be escaped in Kubernetes, quoted or not
  { path: ".metadata.labels.app\\.kubernetes\\.io/name", expected: ["lab"] },
  { path: ".metadata.annotations.eventing\\.knative\\.dev/broker\\.class", expected: ["Kafka"] },
  { path: ".spec.letters[0]", expected: ["x"] },
  { path: ".spec.letters[]", expected: ["x"] },
  { path: ".spec.letters[-1]", expected: ["z"] },
  { path: ".spec.letters[-1:]", expected: ["z"] },
  { path: ".spec.letters[-2:-1]", expected: ["y"] },
  { path: ".spec.letters[1:]", expected: ["y", "z"] },
  { path: ".spec.letters[:1]", expected: ["x"] },
  { path: ".spec.letters[::2]", expected: ["x", "z"] },
  { path: ".spec.letters[1:1]", expected: [] },
  { path: ".spec.letters[2:1]", expected: [] },
  { path: ".spec.letters[7]", expected: [] },
  { path: ".spec.letters[0:9]", expected: [] },
  { path: ".spec.letters[0,2]", expected: ["x", "z"] },
  { path: ".spec.letters[*]", expected: ["x", "y", "z"] },
  { path: ".spec.letters.name", expected: [] },
  { path: ".spec.text[0]", expected: [] },
  { path: ".spec.none[0]", expected: [] },
  { path: ".spec.empty[*].name", expected: [] },
  { path: ".spec.list[*].name", expected: ["one", "two", "three"] },
  { path: ".spec.list[-1:].name", expected: ["three"] },
  { path: ".spec.map.*", expected: ["dotted", 1] },
  { path: ".spec..name", expected: ["one", "two", "three"] },
  { path: '.spec.list[?(@.type=="Ready")].name', expected: ["one"] },
  { path: ".spec.list[?(@.type=='Ready')].name", expected: ["one"] },
  { path: ".spec.list[?(@['type']=='Ready')].name", expected: ["one"] },
  { path: '.spec.list[?( @.type == "Ready" )].name', expected: ["one"] },
  { path: '.spec.list[?(@.type!="Ready")].name', expected: ["two", "three"] },
  { path: '.spec.list[?(@.type<"Rz")].name', expected: ["one", "two"] },
  { path: '.spec.list[?(@.type==")]")].name', expected: [] },
  { path: ".spec.list[?(@.inner.b=='z')].name", expected: ["one"] },
  { path: ".spec.list[?(@.n>1)].name", expected: ["two", "three"] },
  { path: ".spec.list[?(@.n<2)].name", expected: ["one"] },
  { path: ".spec.list[?(@.n>=2)].name", expected: ["two", "three"] },
  { path: ".spec.list[?(@.n==2)].name", expected: ["two"] },
  { path: ".spec.list[?(@.n==2.0)].name", expected: [] }, // Kubernetes compares no whole number with another
  { path: '.spec.list[?(@.n=="2")].name', expected: [] },
  { path: ".spec.list[?(@.on==true)].name", expected: ["two"] },
  { path: ".spec.list[?(@.extra)].name", expected: ["three"] },
  { path: '.spec.list[?(@.extra=="e")].name', expected: ["three"] },
  { path: ".spec.list[?(@.name==@.type)].name", expected: [] },
  { path: ".spec.list[?(@.type==Ready)].name", expected: [] },
  { path: ".spec.missing[?(@.type=='Ready')].name", expected: [] },
  { path: ".spec.map[?(@.x==1)]", expected: [] },
];

describe("a JSON path finds what it finds in Kubernetes", () => {
  for (const { path, expected } of rows) {
    test(path, () => assert.deepEqual(compileJsonPath(path)(object), expected));
  }
});

describe("a text that is no JSON path is refused when it is read", () => {
  const texts = [
    "spec.text",
    '.spec["text"]',
    ".spec[",
    ".spec[a]",
    ".spec.list[?(@.n",
    ".spec.list[?(n==1)]",
    ".spec.list[?(@.n=1)]",
    ".spec}",
  ];
  for (const text of texts) {
    test(text, () => assert.throws(() => compileJsonPath(text), JsonPathError));
  }
});
