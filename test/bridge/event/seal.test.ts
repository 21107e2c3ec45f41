import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import { ALWAYS_IGNORED } from "../../../bridge/capture/resource.ts";
import { beforeOf } from "../../../bridge/event/change.ts";
import { MalformedEventError, opOf, parseEnvelope } from "../../../bridge/event/envelope.ts";
import { pathSet } from "../../../bridge/event/path-set.ts";
import {
  type ObservedState,
  type Occurrence,
  type SealContext,
  seal,
  TooDeepError,
} from "../../../bridge/event/seal.ts";
import { parsePhaseSource } from "../../../bridge/event/transitions.ts";
import type { Json, KubeObject } from "../../../bridge/kube/kube-object.ts";
import { versionIn } from "../../../bridge/log/epoch.ts";

const context: SealContext = {
  cluster: "prod-eu",
  group: "demo.example.com",
  version: "v1",
  plural: "databases",
  kind: "Database",
  phase: parsePhaseSource("status.phase"),
  ignored: pathSet(ALWAYS_IGNORED),
};
const UID = "0f0b8e4c-7a43-4d9b-9d3f-0d7f5b6a1c11";
const SEEN_AT = Date.parse("2026-03-01T12:00:00.250Z");

function database(
  resourceVersion: string,
  rest: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): KubeObject {
  const identity = {
    name: "orders",
    namespace: "shop",
    uid: UID,
    resourceVersion,
    creationTimestamp: "2026-03-01T09:00:00Z",
  };
  return { apiVersion: "demo.example.com/v1", kind: "Database", metadata: { ...identity, ...metadata }, ...rest };
}
const running: ObservedState = {
  object: database("100", { spec: { replicas: 3 }, status: { phase: "Running" } }),
  phase: { name: "Running", since: "2026-03-01T09:44:37Z" },
};
const failedBy = {
  managedFields: [
    {
      manager: "operator",
      operation: "Update",
      subresource: "status",
      time: "2026-03-01T12:00:00Z",
      fieldsV1: { "f:status": { "f:phase": {} } },
    },
  ],
};

function sealed(occurrence: Partial<Occurrence>) {
  const event = seal(context, {
    op: "updated",
    object: running.object,
    before: running,
    resourceVersion: "101",
    gap: false,
    seenAtMs: SEEN_AT,
    ...occurrence,
  });
  assert.ok(event);
  return { ...event, envelope: parseEnvelope(event.payload) };
}

describe("an event", () => {
  test("of a transition to Failed says what, from what, since when and by whom", () => {
    const object = database("101", { spec: { replicas: 3 }, status: { phase: "Failed" } }, failedBy);
    const { subject, envelope } = sealed({ object });
    assert.equal(subject, "cr.prod-eu.demo_example_com.Database.shop.orders.updated._.status.Failed.44");
    const { data, ...attributes } = envelope;
    assert.deepEqual(attributes, {
      specversion: "1.0",
      id: `${UID}.101`,
      source: "/clusters/prod-eu",
      type: "dev.cr-reactor.resource.updated",
      subject: "/apis/demo.example.com/v1/namespaces/shop/databases/orders",
      time: "2026-03-01T12:00:00Z",
      recordedtime: "2026-03-01T12:00:00.250Z",
      datacontenttype: "application/json",
      dataschema: "urn:cr-reactor:schema:change:1",
      apiversion: "demo.example.com/v1",
      kind: "Database",
      name: "orders",
      namespace: "shop",
      cluster: "prod-eu",
      changed: "status",
      phase: "Failed",
      phasesince: "2026-03-01T12:00:00Z",
      phasefrom: "Running",
      manager: "operator",
      partitionkey: "cr.prod-eu.demo_example_com.Database.shop.orders",
      sequence: "00000000000000000101",
      traceparent: attributes.traceparent,
    });
    assert.match(attributes.traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.deepEqual(data.patch, [{ op: "replace", path: "/status/phase", value: "Failed", oldValue: "Running" }]);
    assert.deepEqual(data.transitions, { phase: { from: "Running", to: "Failed", heldSeconds: 8123 } });
    assert.deepEqual(data.actor, {
      manager: "operator",
      operation: "Update",
      subresource: "status",
      time: "2026-03-01T12:00:00Z",
    });
    assert.equal(data.gap, false);
    assert.equal(data.object.metadata.managedFields, undefined);
  });

  test("of an update gives back the state before", () => {
    const { envelope } = sealed({ object: database("101", { spec: { replicas: 5 }, status: { phase: "Running" } }) });
    assert.deepEqual(beforeOf(opOf(envelope), envelope.data)?.["spec"], { replicas: 3 });
  });

  const rows = [
    {
      name: "of a changed spec keeps the phase and since when",
      occurrence: { object: database("101", { spec: { replicas: 5 }, status: { phase: "Running" } }) },
      tokens: "updated.spec._._",
      changed: "spec",
      phase: "Running",
      phasefrom: undefined,
    },
    {
      name: "of a creation has the tokens of what it has, and its phase",
      occurrence: {
        op: "created",
        before: undefined,
        object: database("101", { spec: {}, status: { phase: "Failed" } }),
      },
      tokens: "created.spec.status.Failed",
      changed: "metadata,spec,status",
      phase: "Failed",
      phasefrom: undefined,
    },
    {
      name: "of a creation without status has no phase",
      occurrence: { op: "created", before: undefined, object: database("101", { spec: {} }) },
      tokens: "created.spec._._",
      changed: "metadata,spec",
      phase: undefined,
      phasefrom: undefined,
    },
    {
      name: "of a first sight claims no change",
      occurrence: { op: "existing", before: undefined },
      tokens: "existing._._._",
      changed: undefined,
      phase: "Running",
      phasefrom: undefined,
    },
    {
      name: "of a deletion claims no change and keeps the last phase",
      occurrence: { op: "deleted" },
      tokens: "deleted._._._",
      changed: undefined,
      phase: "Running",
      phasefrom: undefined,
    },
    {
      name: "of a label is a change of metadata, not of spec",
      occurrence: {
        object: database("101", { spec: { replicas: 3 }, status: { phase: "Running" } }, { labels: { a: "b" } }),
      },
      tokens: "updated._._._",
      changed: "metadata",
      phase: "Running",
      phasefrom: undefined,
    },
    {
      name: "of a removed phase transitions to none",
      occurrence: { object: database("101", { spec: { replicas: 3 }, status: {} }) },
      tokens: "updated._.status._",
      changed: "status",
      phase: undefined,
      phasefrom: "Running",
    },
    {
      name: "of anything outside metadata and status counts as spec",
      occurrence: {
        object: database("101", { spec: { replicas: 3 }, status: { phase: "Running" }, data: { key: "v" } }),
      },
      tokens: "updated.spec._._",
      changed: "spec",
      phase: "Running",
      phasefrom: undefined,
    },
  ] as const;
  for (const { name, occurrence, tokens, changed, phase, phasefrom } of rows) {
    test(name, () => {
      const { subject, envelope } = sealed(occurrence);
      assert.equal(subject.split(".").slice(6, 10).join("."), tokens);
      assert.deepEqual([envelope.changed, envelope.phase, envelope.phasefrom], [changed, phase, phasefrom]);
    });
  }

  test("is not made when only ignored paths changed", () => {
    const object = database(
      "101",
      { spec: { replicas: 3 }, status: { phase: "Running" } },
      { generation: 9, managedFields: [] },
    );
    assert.equal(
      seal(context, { op: "updated", object, before: running, resourceVersion: "101", gap: false, seenAtMs: SEEN_AT }),
      undefined,
    );
  });

  test("of a deletion has one id, seen or inferred", () => {
    const [seen, inferred] = [
      sealed({ op: "deleted", resourceVersion: "105" }),
      sealed({ op: "deleted", resourceVersion: "999", gap: true }),
    ];
    assert.equal(seen.id, `${UID}.deleted`);
    assert.equal(inferred.id, seen.id);
    assert.equal(inferred.envelope.sequence, "00000000000000000999");
  });

  test("of a later epoch says so in its id, and sorts behind those of earlier ones", () => {
    const [first, second, gone] = [
      sealed({ op: "deleted", resourceVersion: "999" }),
      sealed({ op: "existing", resourceVersion: versionIn(2, "101"), before: undefined }),
      sealed({ op: "deleted", resourceVersion: versionIn(2, "105") }),
    ];
    assert.deepEqual([second.id, gone.id], [`${UID}.101.e2`, `${UID}.deleted.e2`]);
    const sequences = [first, second, gone].map(({ envelope }) => envelope.sequence);
    assert.deepEqual(sequences.toSorted(), sequences);
  });

  test("made again from the same states is the same, byte by byte", () => {
    const object = database("101", { spec: { replicas: 4 } });
    assert.equal(sealed({ object }).payload, sealed({ object }).payload);
  });

  test("whose object tells no time that can be read has the time when it was seen", () => {
    const object = database("101", { spec: {} }, { creationTimestamp: "some day" });
    assert.equal(sealed({ op: "created", object, before: undefined }).envelope.time, "2026-03-01T12:00:00.250Z");
  });

  test("is a valid CloudEvent for the official SDK, in structured mode", () => {
    const { payload } = sealed({ object: database("101", { spec: { replicas: 4 } }) });
    const event = HTTP.toEvent({ headers: { "content-type": "application/cloudevents+json" }, body: payload });
    assert.ok(event instanceof CloudEvent);
    assert.equal(event.validate(), true);
    assert.equal(event["kind"], "Database");
  });

  test("of a watch has each attribute checked by the SDK when the first event brings it", () => {
    const checked = new Set<string>();
    const first = { before: undefined, resourceVersion: "101", gap: false, seenAtMs: SEEN_AT };
    seal({ ...context, checked }, { ...first, op: "existing", object: database("101", {}) });
    assert.deepEqual([checked.has("namespace"), checked.has("phasefrom"), checked.has("data")], [true, false, false]);
    const failed = database("102", { spec: { replicas: 3 }, status: { phase: "Failed" } }, failedBy);
    const event = seal({ ...context, checked }, { ...first, op: "updated", object: failed, before: running });
    const { data: _, ...attributes } = event?.envelope ?? {};
    assert.deepEqual([...checked].toSorted(), Object.keys(attributes).toSorted());
  });

  test("of a cluster-scoped object of the core group has no namespace and no group in its path", () => {
    const node: KubeObject = {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n1", uid: UID, resourceVersion: "7" },
    };
    const core = { ...context, group: "", kind: "Node", plural: "nodes" };
    const event = seal(core, {
      op: "existing",
      object: node,
      before: undefined,
      resourceVersion: "7",
      gap: false,
      seenAtMs: SEEN_AT,
    });
    const envelope = parseEnvelope(event?.payload ?? "");
    assert.deepEqual([envelope.subject, envelope.namespace], ["/apis/v1/nodes/n1", undefined]);
  });
});

describe("an object that is nested deeply", () => {
  const deep = (levels: number, value: number) => {
    let nested: Json = value;
    for (let level = 0; level < levels; level++) nested = level % 2 === 0 ? { a: nested } : [nested];
    return database("101", { spec: { a: nested } });
  };
  const update = (levels: number, valueBefore: number): Occurrence => {
    const before = { object: deep(levels, valueBefore), phase: undefined };
    return { op: "updated", object: deep(levels, 2), before, resourceVersion: "101", gap: false, seenAtMs: SEEN_AT };
  };

  test("has an event whose patch goes down to 200 levels, and none when nothing differs", () => {
    const [operation] = sealed(update(2_000, 1)).envelope.data.patch ?? [];
    assert.equal(operation?.path.split("/").length, 201);
    assert.equal(seal(context, update(2_000, 2)), undefined);
  });

  test("has none when it is deeper than JSON can be written", () => {
    assert.throws(() => seal(context, update(50_000, 1)), TooDeepError);
  });
});

describe("a message that is not an event", () => {
  const rows = [
    { name: "is told apart when it is not JSON", payload: "hello", expected: /not JSON/ },
    { name: "is told apart when attributes are missing", payload: "{}", expected: /specversion.*id/ },
    {
      name: "is told apart when it is another type of event",
      payload: JSON.stringify({ ...sealed({ op: "existing" }).envelope, type: "com.example.other" }),
      expected: /type/,
    },
    {
      name: "does not spill its content into the error",
      payload: '{"specversion":"hunter2"',
      expected: /^(?!.*hunter2)/,
    },
  ];
  for (const { name, payload, expected } of rows) {
    test(name, () =>
      assert.throws(
        () => parseEnvelope(payload),
        (error) => error instanceof MalformedEventError && expected.test(error.message),
      ),
    );
  }
});
