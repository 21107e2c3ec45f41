import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ResourceSettings, watchedResource } from "../../bridge/capture/resource.ts";
import { parseEnvelope } from "../../bridge/event/envelope.ts";
import { seal } from "../../bridge/event/seal.ts";
import type { KubeObject } from "../../bridge/kube/kube-object.ts";

const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };

function database(version: number, rest: object, metadata: object = {}): KubeObject {
  const identity = { name: "orders", namespace: "shop", uid: "u", resourceVersion: String(version) };
  return { ...KIND, metadata: { ...identity, ...metadata }, ...rest };
}

/** The event of an update under these settings; `undefined` when there is nothing to tell. */
function updated(settings: Partial<ResourceSettings>, before: KubeObject, after: KubeObject) {
  const resource = watchedResource("c", { ...KIND, ...settings }, { plural: "databases", namespaced: true }, undefined);
  const common = { op: "updated", resourceVersion: after.metadata.resourceVersion, gap: false, seenAtMs: 0 } as const;
  const sealed = seal(resource, { ...common, object: after, before: { object: before, phase: undefined } });
  return sealed && parseEnvelope(sealed.payload);
}

describe("only", () => {
  const settings = { only: ["spec.replicas", "status.conditions.*.status"] };
  const rows = [
    {
      name: "a change of such a path is told",
      before: { spec: { replicas: 3 } },
      after: { spec: { replicas: 4 } },
      told: ["/spec/replicas"],
    },
    {
      name: "a change of anything else is not",
      before: { spec: { image: "a" } },
      after: { spec: { image: "b" } },
      told: undefined,
    },
    {
      name: "beside it, what else changed is not told either",
      before: { spec: { replicas: 3, image: "a" } },
      after: { spec: { replicas: 4, image: "b" } },
      told: ["/spec/replicas"],
    },
    {
      name: "below a key of any name",
      before: { status: { conditions: [{ type: "Ready", status: "True", message: "a" }] } },
      after: { status: { conditions: [{ type: "Ready", status: "False", message: "b" }] } },
      told: ["/status/conditions/0/status"],
    },
    { name: "a path that came with its parent", before: {}, after: { spec: { replicas: 1 } }, told: ["/spec"] },
  ];
  for (const { name, before, after, told } of rows) {
    test(name, () => {
      const event = updated(settings, database(1, before), database(2, after));
      assert.deepEqual(
        event?.data.patch?.map(({ path }) => path),
        told,
      );
    });
  }
});

describe("the severity", () => {
  const settings = { critical: ["spec.storage.*.size", "metadata.labels.tier"] };
  const rows = [
    {
      name: "rises with a critical path",
      before: { spec: { storage: { a: { size: 1 } } } },
      after: { spec: { storage: { a: { size: 2 } } } },
      severity: "CRITICAL",
    },
    {
      name: "rises when something above the path goes",
      before: { spec: { storage: { a: { size: 1 } } } },
      after: { spec: {} },
      severity: "CRITICAL",
    },
    {
      name: "stays with any other path",
      before: { spec: { storage: { a: { class: 1 } } } },
      after: { spec: { storage: { a: { class: 2 } } } },
      severity: undefined,
    },
    {
      name: "stays when what goes has no such path",
      before: { spec: { storage: { a: { class: 1 } } } },
      after: { spec: {} },
      severity: undefined,
    },
  ];
  for (const { name, before, after, severity } of rows) {
    test(name, () => {
      const event = updated(settings, database(1, before), database(2, after));
      assert.equal(event?.severitytext, severity);
      assert.equal(event?.severitynumber, severity && 18);
    });
  }
});

describe("an object that is being deleted", () => {
  const deletion = { deletionTimestamp: "2026-03-01T12:00:00Z", finalizers: ["a/b", "c"] };

  test("says so with its first such event: since when, and who holds it", () => {
    const event = updated({}, database(1, {}, { finalizers: ["a/b", "c"] }), database(2, {}, deletion));
    assert.deepEqual(event?.data.transitions.terminating, { since: "2026-03-01T12:00:00Z", finalizers: ["a/b", "c"] });
    assert.equal(event?.terminating, true);
  });

  test("still says so later, and not as a transition", () => {
    const event = updated({}, database(1, {}, deletion), database(2, {}, { ...deletion, finalizers: ["c"] }));
    assert.equal(event?.data.transitions.terminating, undefined);
    assert.equal(event?.terminating, true);
    assert.deepEqual(event?.data.patch, [{ op: "remove", path: "/metadata/finalizers/0", oldValue: "a/b" }]);
  });
});

describe("a status that says which generation it is about", () => {
  test("tells how far the controller is", () => {
    const before = database(1, { spec: { replicas: 3 }, status: { observedGeneration: 4 } }, { generation: 4 });
    const after = database(2, { spec: { replicas: 4 }, status: { observedGeneration: 4 } }, { generation: 5 });
    assert.deepEqual(updated({}, before, after)?.data.reconciliation, { generation: 5, observedGeneration: 4 });
  });

  test("and says nothing where it does not", () => {
    const event = updated(
      {},
      database(1, { spec: { a: 1 } }, { generation: 1 }),
      database(2, { spec: { a: 2 } }, { generation: 2 }),
    );
    assert.equal(event?.data.reconciliation, undefined);
  });
});

describe("the actor of a change in a keyed list", () => {
  const by = (manager: string, type: string) => ({
    manager,
    operation: "Update",
    subresource: "status",
    time: "2026-03-01T12:00:00Z",
    fieldsV1: { "f:status": { "f:conditions": { [`k:{"type":"${type}"}`]: { ".": {}, "f:status": {} } } } },
  });
  const conditions = (...list: (readonly [string, string])[]) => ({
    status: { conditions: list.map(([type, status]) => ({ type, status })) },
  });

  test("is the owner of that element, wherever it stands now", () => {
    const before = database(1, conditions(["A", "1"], ["B", "1"]));
    const managedFields = [by("a-controller", "A"), by("b-controller", "B")];
    const after = database(2, conditions(["B", "2"], ["A", "1"]), { managedFields });
    assert.equal(updated({}, before, after)?.manager, "b-controller");
  });

  test("cannot be told when an element went, whoever owns what has its place now", () => {
    const before = database(1, conditions(["A", "1"], ["B", "1"]));
    const after = database(2, conditions(["B", "1"]), { managedFields: [by("b-controller", "B")] });
    assert.equal(updated({}, before, after)?.data.actor, null);
  });
});
