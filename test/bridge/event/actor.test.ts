import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { actorOf } from "../../../bridge/event/actor.ts";
import type { PatchOperation } from "../../../bridge/event/patch.ts";
import type { KubeObject, ManagedFieldsEntry } from "../../../bridge/kube/kube-object.ts";

const entry = (
  manager: string,
  time: string,
  fieldsV1: Record<string, unknown>,
  subresource?: string,
): ManagedFieldsEntry => ({
  manager,
  operation: "Update",
  time,
  fieldsV1,
  ...(subresource && { subresource }),
});
const object = (managedFields: ManagedFieldsEntry[]): KubeObject => ({
  apiVersion: "v1",
  kind: "K",
  metadata: { name: "a", uid: "u", resourceVersion: "1", managedFields },
  spec: { tags: ["x", "y", "a<b"], ports: [{ port: 80, protocol: "TCP", name: "http" }] },
});
const replace = (path: string): PatchOperation => ({ op: "replace", path, value: 1, oldValue: 0 });

const specBy = (manager: string, time: string) => entry(manager, time, { "f:spec": { "f:replicas": {} } });
const statusBy = (manager: string, time: string) => entry(manager, time, { "f:status": { "f:phase": {} } }, "status");

describe("the field manager that made a change", () => {
  const rows = [
    {
      name: "owns the changed field",
      managers: [specBy("kubectl", "2026-01-01T00:00:01Z"), statusBy("operator", "2026-01-01T00:00:02Z")],
      patch: [replace("/spec/replicas")],
      expected: "kubectl",
    },
    {
      name: "is the newest of several owners",
      managers: [specBy("argocd", "2026-01-01T00:00:01Z"), specBy("kubectl", "2026-01-01T00:00:05Z")],
      patch: [replace("/spec/replicas")],
      expected: "kubectl",
    },
    {
      name: "cannot be told of two owners in the same second",
      managers: [specBy("argocd", "2026-01-01T00:00:01Z"), specBy("kubectl", "2026-01-01T00:00:01Z")],
      patch: [replace("/spec/replicas")],
      expected: undefined,
    },
    {
      name: "cannot be told when several changed something",
      managers: [specBy("kubectl", "2026-01-01T00:00:01Z"), statusBy("operator", "2026-01-01T00:00:02Z")],
      patch: [replace("/spec/replicas"), replace("/status/phase")],
      expected: undefined,
    },
    {
      name: "cannot be told of a field that nobody owns any more",
      managers: [statusBy("operator", "2026-01-01T00:00:02Z")],
      patch: [{ op: "remove", path: "/spec/replicas", oldValue: 3 } as const],
      expected: undefined,
    },
    {
      name: "owns an added map field by field",
      managers: [entry("helm", "2026-01-01T00:00:01Z", { "f:spec": { "f:backup": { "f:schedule": {} } } })],
      patch: [{ op: "add", path: "/spec/backup", value: { schedule: "daily" } } as const],
      expected: "helm",
    },
    {
      name: "owns an atomic field as a whole",
      managers: [entry("helm", "2026-01-01T00:00:01Z", { "f:spec": { "f:tags": {} } })],
      patch: [replace("/spec/tags/0")],
      expected: "helm",
    },
    {
      name: "owns a list element by its keys",
      managers: [
        entry("helm", "2026-01-01T00:00:01Z", {
          "f:spec": { "f:ports": { 'k:{"port":80,"protocol":"TCP"}': { "f:name": {} } } },
        }),
      ],
      patch: [replace("/spec/ports/0/name")],
      expected: "helm",
    },
    {
      name: "owns a set element by its value",
      managers: [entry("helm", "2026-01-01T00:00:01Z", { "f:spec": { "f:tags": { 'v:"y"': {} } } })],
      patch: [replace("/spec/tags/1")],
      expected: "helm",
    },
    {
      name: "owns a set element that the API server writes with escapes",
      managers: [entry("helm", "2026-01-01T00:00:01Z", { "f:spec": { "f:tags": { 'v:"a\\u003cb"': {} } } })],
      patch: [replace("/spec/tags/2")],
      expected: "helm",
    },
    {
      name: "is who owns the field, not who owns the map that it is in",
      managers: [
        entry("creator", "2026-01-01T00:00:02Z", { "f:spec": { "f:backup": {} } }),
        entry("helm", "2026-01-01T00:00:02Z", { "f:spec": { "f:backup": { "f:schedule": {} } } }),
      ],
      patch: [replace("/spec/backup/schedule")],
      expected: "helm",
    },
    { name: "is unknown without managedFields", managers: [], patch: [replace("/spec/replicas")], expected: undefined },
    {
      name: "of a creation is the only one there is",
      managers: [specBy("kubectl", "2026-01-01T00:00:01Z")],
      patch: undefined,
      expected: "kubectl",
    },
    {
      name: "of a creation that was seen late cannot be told",
      managers: [specBy("kubectl", "2026-01-01T00:00:01Z"), statusBy("operator", "2026-01-01T00:00:02Z")],
      patch: undefined,
      expected: undefined,
    },
  ];
  for (const { name, managers, patch, expected } of rows) {
    test(name, () => assert.equal(actorOf(object(managers), patch)?.manager, expected));
  }

  test("comes with its operation, subresource and time", () => {
    assert.deepEqual(actorOf(object([statusBy("operator", "2026-01-01T00:00:02Z")]), [replace("/status/phase")]), {
      manager: "operator",
      operation: "Update",
      subresource: "status",
      time: "2026-01-01T00:00:02Z",
    });
  });

  test("a field set that cannot be read names nobody", () => {
    const odd = entry("x", "2026-01-01T00:00:01Z", { "f:spec": { "f:ports": { "k:{broken": {} } } });
    assert.equal(actorOf(object([odd]), [replace("/spec/ports/0/name")]), null);
  });
});
