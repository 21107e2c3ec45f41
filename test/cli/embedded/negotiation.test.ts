/**
 * Which representation a client gets for its Accept header; each row is what kube-apiserver 1.36 answers to the same header, but for the
 * formats that only that one produces (YAML and protobuf).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import { negotiate, negotiateDiscovery, requireJson } from "../../../cli/embedded/request/negotiation.ts";

const table = (version: string) => `application/json;as=Table;v=${version};g=meta.k8s.io`;
const metadata = (as: string) => `application/json;as=${as};v=v1;g=meta.k8s.io`;
const discovery = (version: string) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;

/** The answer, or the reason of the refusal. */
function outcome(ask: () => unknown): unknown {
  try {
    return ask();
  } catch (error) {
    assert.ok(error instanceof StatusError);
    return error.status["reason"];
  }
}

describe("negotiate", () => {
  const rows: readonly { readonly name: string; readonly accept: string | undefined; readonly expected: unknown }[] = [
    { name: "no header asks for the object", accept: undefined, expected: { as: "object", isYaml: false } },
    { name: "YAML is given to who asks for it", accept: "application/yaml", expected: { as: "object", isYaml: true } },
    { name: "so does anything", accept: "text/html, */*", expected: { as: "object", isYaml: false } },
    {
      name: "kubectl get is given a Table",
      accept: `${table("v1")},${table("v1beta1")},application/json`,
      expected: { as: "table", version: "v1" },
    },
    {
      name: "an old kubectl is given an old Table",
      accept: table("v1beta1"),
      expected: { as: "table", version: "v1beta1" },
    },
    {
      name: "what is not known is passed over",
      accept: `${table("v2")},application/json`,
      expected: { as: "object", isYaml: false },
    },
    { name: "and refused when nothing else is accepted", accept: table("v2"), expected: "NotAcceptable" },
    {
      name: "protobuf is passed over for JSON",
      accept: "application/vnd.kubernetes.protobuf,application/json",
      expected: { as: "object", isYaml: false },
    },
    {
      name: "CBOR is passed over for JSON",
      accept: "application/cbor,application/json;q=0.9",
      expected: { as: "object", isYaml: false },
    },
    { name: "protobuf alone is refused", accept: "application/vnd.kubernetes.protobuf", expected: "NotAcceptable" },
    { name: "text alone is refused", accept: "text/plain", expected: "NotAcceptable" },
    {
      name: "a watch is JSON as well",
      accept: "application/json;stream=watch",
      expected: { as: "object", isYaml: false },
    },
    { name: "no other stream is", accept: "application/json;stream=frames", expected: "NotAcceptable" },
    {
      name: "the range with the greater quality wins",
      accept: `${table("v1")};q=0.5,application/json`,
      expected: { as: "object", isYaml: false },
    },
    {
      name: "parameters may stand apart",
      accept: "application/json; as=Table; v=v1; g=meta.k8s.io",
      expected: { as: "table", version: "v1" },
    },
    {
      name: "the metadata of an object",
      accept: metadata("PartialObjectMetadata"),
      expected: { as: "partial-object-metadata", version: "v1", isList: false },
    },
    {
      name: "the metadata of a list",
      accept: metadata("PartialObjectMetadataList"),
      expected: { as: "partial-object-metadata", version: "v1", isList: true },
    },
    { name: "a version without a kind is refused", accept: "application/json;v=v1", expected: "NotAcceptable" },
  ];
  for (const { name, accept, expected } of rows) {
    test(name, () =>
      assert.deepEqual(
        outcome(() => negotiate(accept)),
        expected,
      ),
    );
  }
});

describe("negotiateDiscovery", () => {
  const rows: readonly { readonly name: string; readonly accept: string | undefined; readonly expected: unknown }[] = [
    { name: "no header asks for the groups", accept: undefined, expected: "groups" },
    {
      name: "kubectl is given everything at once",
      accept: `${discovery("v2")},${discovery("v2beta1")},application/json`,
      expected: "aggregated",
    },
    {
      name: "an older form is passed over, as 1.36 does",
      accept: `${discovery("v2beta1")},application/json`,
      expected: "groups",
    },
    { name: "and refused alone", accept: discovery("v2beta1"), expected: "NotAcceptable" },
    { name: "further parameters do not matter", accept: `${discovery("v2")};profile=nopeer`, expected: "aggregated" },
  ];
  for (const { name, accept, expected } of rows) {
    test(name, () =>
      assert.equal(
        outcome(() => negotiateDiscovery(accept)),
        expected,
      ),
    );
  }
});

test("a document that has one form is not given as a Table", () => {
  assert.equal(
    outcome(() => requireJson("*/*")),
    undefined,
  );
  assert.equal(
    outcome(() => requireJson(table("v1"))),
    "NotAcceptable",
  );
});
