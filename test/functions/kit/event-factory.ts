/**
 * Events as the bridge seals them, for tests of the kit: a Database and what happens to it.
 */
import type { Op } from "../../../bridge/event/change.ts";
import { type Envelope, parseEnvelope } from "../../../bridge/event/envelope.ts";
import { valueAt } from "../../../bridge/event/field-path.ts";
import { pathSet } from "../../../bridge/event/path-set.ts";
import { type ObservedState, seal } from "../../../bridge/event/seal.ts";
import type { Json, KubeObject } from "../../../bridge/kube/kube-object.ts";

export interface DatabaseFields {
  readonly name?: string;
  readonly namespace?: string;
  readonly phase?: string;
  readonly spec?: Record<string, Json>;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  /** Beside the phase. */
  readonly status?: Record<string, Json>;
  /** Beside name, labels and annotations. */
  readonly metadata?: Record<string, Json>;
  /** Intermediate states may be missing. */
  readonly gap?: boolean;
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly cluster?: string;
  /** When the bridge saw it (epoch milliseconds); default the first of January 2026. */
  readonly seenAtMs?: number;
}

export interface TestEvent {
  readonly subject: string;
  readonly payload: string;
  readonly envelope: Envelope;
}

const ignored = pathSet(["metadata.resourceVersion", "metadata.generation", "metadata.managedFields"]);
let resourceVersion = 1000;

/** What the tests count by: each event of an object has another number of replicas. */
export const replicasOf = (object: object) => Number(valueAt(object, ["spec", "replicas"]));

export const created = (after: DatabaseFields) => eventOf("created", undefined, after);
export const existing = (after: DatabaseFields) => eventOf("existing", undefined, after);
export const deleted = (last: DatabaseFields) => eventOf("deleted", last, last);
export const unselected = (last: DatabaseFields) => eventOf("unselected", last, last);
export const updated = (before: DatabaseFields, after: DatabaseFields) => eventOf("updated", before, after);

function eventOf(op: Op, before: DatabaseFields | undefined, after: DatabaseFields): TestEvent {
  const { apiVersion = "demo.example.com/v1", kind = "Database", cluster = "lab" } = after;
  const [group = "", version = ""] = apiVersion.split("/");
  const sealed = seal(
    {
      cluster,
      group,
      version,
      kind,
      plural: "databases",
      phase: { type: "path", segments: ["status", "phase"] },
      ignored,
    },
    {
      op,
      object: database(after),
      before: before && stateOf(before),
      resourceVersion: String(resourceVersion),
      gap: after.gap ?? false,
      seenAtMs: after.seenAtMs ?? Date.UTC(2026, 0, 1),
    },
  );
  if (sealed === undefined) throw new Error("the two states are the same");
  return { subject: sealed.subject, payload: sealed.payload, envelope: parseEnvelope(sealed.payload) };
}

function stateOf(fields: DatabaseFields): ObservedState {
  const phase = fields.phase === undefined ? undefined : { name: fields.phase, since: "2026-01-01T00:00:00Z" };
  return { object: database(fields), phase };
}

function database(fields: DatabaseFields): KubeObject {
  const { name = "orders", namespace = "prod", phase, spec = { replicas: 3 }, labels, annotations } = fields;
  const status = { ...fields.status, ...(phase !== undefined && { phase }) };
  return {
    apiVersion: fields.apiVersion ?? "demo.example.com/v1",
    kind: fields.kind ?? "Database",
    metadata: {
      name,
      ...(namespace !== "" && { namespace }),
      uid: `uid-${namespace}-${name}`,
      resourceVersion: String(++resourceVersion),
      creationTimestamp: "2026-01-01T00:00:00Z",
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ...fields.metadata,
    },
    spec,
    ...(Object.keys(status).length > 0 && { status }),
  };
}
