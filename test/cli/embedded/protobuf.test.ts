/**
 * Bodies in protobuf: what kubectl 1.32 sends (recorded), what other clients may send, and what nobody should. The refusals are in the
 * words of kube-apiserver 1.36, which was given the same bytes, without Go's names of messages and fields.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "../../../cli/embedded/object/object.ts";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import {
  type BodyKind,
  PROTOBUF,
  parseProtobuf,
  parseProtobufOptions,
} from "../../../cli/embedded/request/protobuf.ts";
import { parseBody } from "../../../cli/embedded/request/request.ts";

const core = (kind: string): BodyKind => ({ group: "", version: "v1", kind });
const lease: BodyKind = { group: "coordination.k8s.io", version: "v1", kind: "Lease" };
const authorization = (kind: string): BodyKind => ({ group: "authorization.k8s.io", version: "v1", kind });

const recorded = {
  namespace: "azhzAAoPCgJ2MRIJTmFtZXNwYWNlEhwKFAoEZGVtbxIAGgAiACoAMgA4AEIAEgAaAgoAGgAiAA==",
  configMap:
    "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEkIKGAoIc2V0dGluZ3MSABoAIgAqADIAOABCABIMCgVjb2xvchIDcmVkEgkKBWVtcHR5EgAaDQoDYmluEgatV8NZMxIaACIA",
  saved:
    "azhzAAoPCgJ2MRIJQ29uZmlnTWFwEtIBCscBCgx5LTY5OWZjZHRjaGQSABoAIgAqADIAOABCAGKoAQowa3ViZWN0bC5rdWJlcm5ldGVzLmlvL2xhc3QtYXBwbGllZC1jb25maWd1cmF0aW9uEnR7ImtpbmQiOiJDb25maWdNYXAiLCJhcGlWZXJzaW9uIjoidjEiLCJtZXRhZGF0YSI6eyJuYW1lIjoieS02OTlmY2R0Y2hkIiwiY3JlYXRpb25UaW1lc3RhbXAiOm51bGx9LCJkYXRhIjp7ImEiOiJiIn19ChIGCgFhEgFiGgAiAA==",
  secret: "azhzAAoMCgJ2MRIGU2VjcmV0EikKGAoIcGFzc3dvcmQSABoAIgAqADIAOABCABILCgFwEgZzM2NyZXQaABoAIgA=",
  accessReview:
    "azhzAAoyChdhdXRob3JpemF0aW9uLms4cy5pby92MRIXU2VsZlN1YmplY3RBY2Nlc3NSZXZpZXcSPAoQCgASABoAIgAqADIAOABCABIeChwKB2RlZmF1bHQSA2dldBoAIgAqBHBvZHMyADoAGggIABIAGgAgABoAIgA=",
  rulesReview:
    "azhzAAoxChdhdXRob3JpemF0aW9uLms4cy5pby92MRIWU2VsZlN1YmplY3RSdWxlc1JldmlldxIjChAKABIAGgAiACoAMgA4AEIAEgkKB2RlZmF1bHQaBBgAIgAaACIA",
} as const;

const ofKubectl: readonly {
  readonly name: string;
  readonly body: string;
  readonly kind: BodyKind;
  readonly expected: JsonObject;
}[] = [
  {
    name: "create namespace",
    body: recorded.namespace,
    kind: core("Namespace"),
    expected: { apiVersion: "v1", kind: "Namespace", metadata: { name: "demo" }, spec: {}, status: {} },
  },
  {
    name: "create configmap, of text, of nothing and of bytes",
    body: recorded.configMap,
    kind: core("ConfigMap"),
    expected: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "settings" },
      data: { color: "red", empty: "" },
      binaryData: { bin: "rVfDWTMS" },
    },
  },
  {
    name: "create configmap --save-config",
    body: recorded.saved,
    kind: core("ConfigMap"),
    expected: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: "y-699fcdtchd",
        annotations: {
          "kubectl.kubernetes.io/last-applied-configuration":
            '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"y-699fcdtchd","creationTimestamp":null},"data":{"a":"b"}}\n',
        },
      },
      data: { a: "b" },
    },
  },
  {
    name: "create secret generic",
    body: recorded.secret,
    kind: core("Secret"),
    expected: { apiVersion: "v1", kind: "Secret", metadata: { name: "password" }, data: { p: "czNjcmV0" } },
  },
  {
    name: "auth can-i get pods",
    body: recorded.accessReview,
    kind: authorization("SelfSubjectAccessReview"),
    expected: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      metadata: {},
      spec: { resourceAttributes: { namespace: "default", verb: "get", resource: "pods" } },
    },
  },
  {
    name: "auth can-i --list",
    body: recorded.rulesReview,
    kind: authorization("SelfSubjectRulesReview"),
    expected: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectRulesReview",
      metadata: {},
      spec: { namespace: "default" },
    },
  },
];

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

type Content = string | Buffer | readonly Buffer[];
const bytesOf = (content: Content): Buffer => (typeof content === "string" ? Buffer.from(content) : join(content));
const join = (content: Buffer | readonly Buffer[]): Buffer =>
  Buffer.isBuffer(content) ? content : Buffer.concat(content);

/** A field of text, bytes or fields. */
function chunk(number: number, content: Content): Buffer {
  const bytes = bytesOf(content);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}
const number = (field: number, value: number | bigint): Buffer => join([varint(field << 3), varint(value)]);
const entry = (field: number, key: Content, value: Content): Buffer => chunk(field, [chunk(1, key), chunk(2, value)]);
const named = (name: string): Buffer => chunk(1, [chunk(1, name)]);

/** A body of this kind with these fields. */
const bodyOf = (raw: Content, apiVersion = "v1", kind = "ConfigMap"): Buffer =>
  join([Buffer.from("k8s\0"), chunk(1, [chunk(1, apiVersion), chunk(2, kind)]), chunk(2, raw)]);

const GROUP_13 = (13 << 3) | 3;
const END_OF_GROUP_13 = (13 << 3) | 4;

const ofOthers: readonly {
  readonly name: string;
  readonly raw: Content;
  readonly kind?: BodyKind;
  readonly expected: JsonObject;
}[] = [
  {
    name: "all of the metadata",
    raw: chunk(1, [
      chunk(1, "one"),
      chunk(2, "o"),
      chunk(3, "here"),
      chunk(4, "/self/link"),
      chunk(5, "some-uid"),
      chunk(6, "42"),
      number(7, 3),
      chunk(8, [number(1, 1_700_000_000), number(2, 999_999_999)]),
      chunk(9, [number(1, 0), number(2, 0)]),
      number(10, 0),
      entry(11, "app", "demo"),
      entry(12, "note", ""),
      chunk(13, [chunk(1, "Job"), chunk(3, "j"), chunk(4, "u"), chunk(5, "batch/v1"), number(6, 1), number(7, 0)]),
      chunk(14, "a/b"),
      chunk(14, "c/d"),
      chunk(17, [
        ...[chunk(1, "kubectl"), chunk(2, "Update"), chunk(3, "v1"), chunk(4, number(1, 1)), chunk(6, "FieldsV1")],
        ...[chunk(7, chunk(1, '{"f:data":{"f:a":{}}}')), chunk(8, "status")],
      ]),
    ]),
    expected: {
      metadata: {
        name: "one",
        generateName: "o",
        namespace: "here",
        uid: "some-uid",
        resourceVersion: "42",
        generation: 3,
        creationTimestamp: "2023-11-14T22:13:20Z",
        deletionTimestamp: "1970-01-01T00:00:00Z",
        deletionGracePeriodSeconds: 0,
        labels: { app: "demo" },
        annotations: { note: "" },
        ownerReferences: [
          { kind: "Job", name: "j", uid: "u", apiVersion: "batch/v1", controller: true, blockOwnerDeletion: false },
        ],
        finalizers: ["a/b", "c/d"],
        managedFields: [
          {
            manager: "kubectl",
            operation: "Update",
            apiVersion: "v1",
            time: "1970-01-01T00:00:01Z",
            fieldsType: "FieldsV1",
            fieldsV1: { "f:data": { "f:a": {} } },
            subresource: "status",
          },
        ],
      },
    },
  },
  {
    name: "managedFields that are no JSON, as none",
    raw: chunk(1, chunk(17, [chunk(1, "m"), chunk(7, chunk(1, "nope"))])),
    expected: { metadata: { managedFields: [{ manager: "m", fieldsV1: {} }] } },
  },
  {
    name: "immutable: false, since it is said",
    raw: [named("one"), number(4, 0)],
    expected: { metadata: { name: "one" }, immutable: false },
  },
  {
    name: "a Secret with text and its type",
    raw: [named("one"), chunk(3, "demo/token"), entry(4, "a", "b"), number(5, 2)],
    kind: core("Secret"),
    expected: { metadata: { name: "one" }, type: "demo/token", stringData: { a: "b" }, immutable: true },
  },
  {
    name: "a Namespace with its state",
    raw: [
      ...[named("one"), chunk(2, [chunk(1, "kubernetes")])],
      chunk(3, [chunk(1, "Active"), chunk(2, [chunk(1, "Ready"), chunk(2, "True"), chunk(4, number(1, 1))])]),
    ],
    kind: core("Namespace"),
    expected: {
      metadata: { name: "one" },
      spec: { finalizers: ["kubernetes"] },
      status: {
        phase: "Active",
        conditions: [{ type: "Ready", status: "True", lastTransitionTime: "1970-01-01T00:00:01Z" }],
      },
    },
  },
  {
    name: "a Lease, its times to the microsecond",
    raw: [
      named("one"),
      chunk(2, [
        ...[chunk(1, ""), number(2, -1), chunk(3, [number(1, 1_700_000_000), number(2, 123_456_789)])],
        ...[chunk(4, number(1, -1)), number(5, 0)],
      ]),
    ],
    kind: lease,
    expected: {
      metadata: { name: "one" },
      spec: {
        holderIdentity: "",
        leaseDurationSeconds: -1,
        acquireTime: "2023-11-14T22:13:20.123456Z",
        renewTime: "1969-12-31T23:59:59.000000Z",
        leaseTransitions: 0,
      },
    },
  },
  {
    name: "an Event; a time of no bytes is no time",
    raw: [
      ...[named("one"), chunk(2, [chunk(1, "ConfigMap"), chunk(3, "settings")]), chunk(3, "Seen"), chunk(5, "")],
      ...[chunk(6, number(1, 60)), chunk(7, ""), number(8, 2), chunk(10, ""), chunk(15, "")],
    ],
    kind: core("Event"),
    expected: {
      metadata: { name: "one" },
      involvedObject: { kind: "ConfigMap", name: "settings" },
      reason: "Seen",
      source: {},
      firstTimestamp: "1970-01-01T00:01:00Z",
      count: 2,
    },
  },
  {
    name: "a field that comes again: the last value, a message merged, an entry replaced",
    raw: [
      ...[chunk(1, [chunk(1, "first"), chunk(3, "here")]), chunk(1, [chunk(1, "second"), entry(11, "a", "1")])],
      ...[chunk(1, entry(11, "a", "2")), entry(2, "k", "1"), entry(2, "k", "2"), number(4, 1), number(4, 0)],
    ],
    expected: {
      metadata: { name: "second", namespace: "here", labels: { a: "2" } },
      data: { k: "2" },
      immutable: false,
    },
  },
  {
    name: "fields of any wire type that are not known, passed over",
    raw: [
      ...[
        number(14, -1),
        chunk(15, "text"),
        varint((16 << 3) | 1),
        Buffer.alloc(8),
        varint((18 << 3) | 5),
        Buffer.alloc(4),
      ],
      ...[Buffer.from([GROUP_13, GROUP_13, 8, 1, END_OF_GROUP_13, END_OF_GROUP_13]), named("one")],
    ],
    expected: { metadata: { name: "one" } },
  },
  {
    name: "entries without a key or a value, as empty ones",
    raw: [chunk(2, chunk(1, "k")), chunk(2, chunk(2, "v")), chunk(3, chunk(1, "b"))],
    expected: { data: { k: "", "": "v" }, binaryData: { b: "" } },
  },
  {
    name: "an entry with the name of the prototype, as any other",
    raw: [entry(2, "__proto__", "x"), entry(2, "constructor", "y")],
    expected: {
      data: Object.fromEntries([
        ["__proto__", "x"],
        ["constructor", "y"],
      ]),
    },
  },
  {
    name: "text that is no UTF-8, with the replacement character",
    raw: entry(2, "a", Buffer.from([0xff, 0x41])),
    expected: { data: { a: "\ufffdA" } },
  },
];

const UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap)";
const CANNOT = 'ConfigMap in version "v1" cannot be handled as a ConfigMap';
const NO_PREFIX = "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";

const hostile: readonly { readonly name: string; readonly body: Buffer; readonly expected: string }[] = [
  { name: "nothing", body: Buffer.alloc(0), expected: `${UNRECOGNIZED}: empty data (<empty>)` },
  { name: "the prefix alone", body: Buffer.from("k8s\0"), expected: `${UNRECOGNIZED}: empty body (6b387300)` },
  { name: "JSON", body: Buffer.from("{}"), expected: `${UNRECOGNIZED}: ${NO_PREFIX} ({})` },
  { name: "a part of the prefix", body: Buffer.from("k8"), expected: `${UNRECOGNIZED}: ${NO_PREFIX} (6b38)` },
  {
    name: "an envelope that is cut off",
    body: Buffer.from(recorded.configMap, "base64").subarray(0, 30),
    expected: `${UNRECOGNIZED}: unexpected EOF (6b3873000a0f0a0276311209436f6e6669674d617012420a180a08736574)`,
  },
  {
    name: "an object that is cut off",
    body: bodyOf(named("one").subarray(0, 4)),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "a part that is longer than the whole",
    body: bodyOf([Buffer.from([0x0a, 0x02, 0x0a, 0x05]), Buffer.from("abcde")]),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "an entry that is longer than its map",
    body: bodyOf(chunk(2, Buffer.from([0x0a, 0x05, 0x41]))),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "field 0",
    body: bodyOf(Buffer.from([0, 0])),
    expected: `${CANNOT}: proto: illegal tag 0 (wire type 0)`,
  },
  {
    name: "a field whose number is negative",
    body: bodyOf(Buffer.from([0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])),
    expected: `${CANNOT}: proto: illegal tag -1 (wire type 18446744073709551608)`,
  },
  {
    name: "a number where a message belongs",
    body: bodyOf(number(1, 1)),
    expected: `${CANNOT}: proto: wrong wireType = 0 for field metadata`,
  },
  {
    name: "text where a number belongs",
    body: bodyOf(chunk(4, "yes")),
    expected: `${CANNOT}: proto: wrong wireType = 2 for field immutable`,
  },
  {
    name: "a varint of eleven bytes",
    body: bodyOf(Buffer.alloc(11, 0xff)),
    expected: `${CANNOT}: proto: integer overflow`,
  },
  {
    name: "a varint without an end",
    body: bodyOf(Buffer.alloc(9, 0xff)),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "a negative length",
    body: bodyOf([Buffer.from([0x0a]), varint(-1)]),
    expected: `${CANNOT}: proto: negative length found during unmarshaling`,
  },
  {
    name: "a length whose end overflows",
    body: bodyOf([Buffer.from([0x0a]), varint(2n ** 63n - 1n)]),
    expected: `${CANNOT}: proto: negative length found during unmarshaling`,
  },
  {
    name: "a length of terabytes",
    body: bodyOf([Buffer.from([0x0a]), varint(2n ** 42n), Buffer.alloc(10)]),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "the end of a group that never began",
    body: bodyOf(Buffer.from([(1 << 3) | 4])),
    expected: `${CANNOT}: proto: wiretype end group for non-group`,
  },
  { name: "a group without an end", body: bodyOf(Buffer.from([GROUP_13])), expected: `${CANNOT}: unexpected EOF` },
  {
    name: "a million groups in each other",
    body: bodyOf(Buffer.alloc(1024 ** 2, GROUP_13)),
    expected: `${CANNOT}: unexpected EOF`,
  },
  {
    name: "a wire type that there is not",
    body: bodyOf(Buffer.from([(13 << 3) | 6])),
    expected: `${CANNOT}: proto: illegal wireType 6`,
  },
  {
    name: "managedFields that are nested a hundred thousand times", // the API server's limit is 10,000
    body: bodyOf(chunk(1, chunk(17, chunk(7, chunk(1, `${"[".repeat(100_000)}${"]".repeat(100_000)}`))))),
    expected: `${CANNOT}: json: exceeded max depth: more than 500 levels`,
  },
  {
    name: "a time that no JSON can say", // the API server accepts it, and writes a year of ten digits
    body: bodyOf(chunk(1, chunk(8, number(1, 2n ** 60n)))),
    expected: `${CANNOT}: proto: time out of range for field creationTimestamp`,
  },
];

/** The message of the StatusError 400 that this throws. */
function refusalOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    assert.equal(error.status.code, 400);
    return error.message;
  }
  assert.fail("it was not refused");
}

describe("What kubectl sends in protobuf is read as in JSON:", () => {
  for (const { name, body, kind, expected } of ofKubectl) {
    test(name, () => assert.deepEqual(parseProtobuf(Buffer.from(body, "base64"), kind), expected));
  }
});

describe("A body in protobuf may have", () => {
  for (const { name, raw, kind = core("ConfigMap"), expected } of ofOthers) {
    test(name, () => {
      const apiVersion = kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
      const read = parseProtobuf(bodyOf(raw, apiVersion, kind.kind), kind);
      assert.deepEqual(read, { apiVersion, kind: kind.kind, ...expected });
    });
  }

  test("no apiVersion and kind, which are then those of where it is sent", () => {
    const read = parseProtobuf(bodyOf(named("one"), "", ""), core("ConfigMap"));
    assert.deepEqual(read, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } });
  });

  test("another kind, which is told to who refuses it", () => {
    const read = parseProtobuf(bodyOf(named("one"), "v1", "Pod"), core("ConfigMap"));
    assert.deepEqual(read, { apiVersion: "v1", kind: "Pod" });
  });
});

describe("A body that is no protobuf of its kind is refused:", () => {
  for (const { name, body, expected } of hostile) {
    test(name, () =>
      assert.equal(
        refusalOf(() => parseProtobuf(body, core("ConfigMap"))),
        expected,
      ),
    );
  }

  test("wherever it is cut off, and whatever one byte of it becomes, it is read or refused", () => {
    const whole = Buffer.from(recorded.configMap, "base64");
    const cut = [...whole].map((_, length) => whole.subarray(0, length));
    const changed = [...whole].flatMap((byte, at) =>
      [0x00, 0x7f, 0x80, 0xff, byte ^ 1, byte ^ 4].map((other) => Buffer.from(whole.with(at, other))),
    );
    for (const body of [...cut, ...changed]) {
      try {
        parseProtobuf(body, core("ConfigMap"));
      } catch (error) {
        assert.ok(error instanceof StatusError && error.status.code === 400, `${body.toString("hex")}: ${error}`);
      }
    }
  });
});

describe("The options of a deletion in protobuf", () => {
  test("are read as in JSON, of any version", () => {
    const raw = [
      number(1, 0),
      chunk(2, [chunk(1, "u"), chunk(2, "7")]),
      number(3, 0),
      chunk(4, "Orphan"),
      chunk(5, "All"),
    ];
    assert.deepEqual(parseProtobufOptions(bodyOf(raw, "meta.k8s.io/v1", "DeleteOptions")), {
      gracePeriodSeconds: 0,
      preconditions: { uid: "u", resourceVersion: "7" },
      orphanDependents: false,
      propagationPolicy: "Orphan",
      dryRun: ["All"],
    });
    assert.deepEqual(parseProtobufOptions(bodyOf("", "", "")), {});
  });

  const refused = [
    {
      name: "another kind",
      body: bodyOf("", "v1", "ConfigMap"),
      expected: 'no kind "ConfigMap" is registered for version "v1"',
    },
    { name: "something else", body: Buffer.from("zz"), expected: NO_PREFIX },
    {
      name: "broken bytes",
      body: bodyOf(Buffer.from([0, 0]), "v1", "DeleteOptions"),
      expected: "proto: illegal tag 0 (wire type 0)",
    },
  ];
  for (const { name, body, expected } of refused) {
    test(`are refused when they are ${name}`, () =>
      assert.equal(
        refusalOf(() => parseProtobufOptions(body)),
        expected,
      ));
  }
});

describe("Protobuf is an unsupported media type", () => {
  const body = { bytes: bodyOf(named("one")), mediaType: PROTOBUF };
  const rows: readonly { readonly name: string; readonly kind?: BodyKind }[] = [
    { name: "for a custom resource", kind: { group: "demo.example.com", version: "v1", kind: "Database" } },
    {
      name: "for a CustomResourceDefinition",
      kind: { group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition" },
    },
    { name: "where no kind is expected" },
  ];
  for (const { name, kind } of rows) {
    test(name, () =>
      assert.throws(
        () => parseBody(body, kind),
        (error) => error instanceof StatusError && error.status.code === 415,
      ),
    );
  }

  test("for nothing else", () => {
    const { json } = parseBody(body, core("ConfigMap"));
    assert.deepEqual(json, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "one" } });
  });
});
