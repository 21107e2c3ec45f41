/**
 * Any filter, and any event that a bridge could seal: every clause, nested; every kind of change, with phases from different places,
 * ignored paths, keyed lists that change their order, and names that JavaScript knows.
 */
import fc from "fast-check";
import type { Op } from "../../../../bridge/event/change.ts";
import { type Envelope, parseEnvelope } from "../../../../bridge/event/envelope.ts";
import { pathSet } from "../../../../bridge/event/path-set.ts";
import { type SealContext, seal } from "../../../../bridge/event/seal.ts";
import { parsePhaseSource, phaseOf } from "../../../../bridge/event/transitions.ts";
import type { Json, KubeObject } from "../../../../bridge/kube/kube-object.ts";
import { COMMON_SHAPE } from "../../../../bridge/kube/list-shape.ts";
import type { Filter, Selection } from "../../../../functions/kit/filter/filter.ts";

export const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };

const word = fc.constantFrom("a", "b", "Not Ready", "ü.x", "constructor", "L".repeat(70));
const status = fc.constantFrom("True", "False");
const type = fc.constantFrom("Ready", "Synced", "__proto__");
const path = fc.constantFrom(
  "spec",
  "spec.size",
  "spec.list[0]",
  "spec.__proto__",
  "status",
  "status.phase",
  "status.size",
  "status.conditions",
  "status.conditions[0].status",
  "metadata.labels.l",
  "data.x",
  "kind",
);
const value = fc.constantFrom<Json>("a", "b", 1, 2, "500m", "1Gi", "True");
const name = fc.constantFrom("orders", "o.x", "constructor");
const namespace = fc.constantFrom("prod", "dev");
const orMore = <T>(one: fc.Arbitrary<T>) => fc.oneof(one, fc.uniqueArray(one, { minLength: 1, maxLength: 3 }));
const some = <T extends object>(parts: { [Key in keyof T]: fc.Arbitrary<T[Key]> }) =>
  fc.record(parts, { requiredKeys: [] });
const fact = fc.constant(true as const);
const op = fc.constantFrom<Op>("created", "updated", "deleted", "existing", "unselected");
const attributes = fc.oneof(
  fc.record({ type: fc.constantFrom("dev.cr-reactor.resource.updated", "dev.cr-reactor.resource", "d") }),
  fc.record({ name }),
  fc.record({ namespace }),
  fc.record({ cluster: fc.constantFrom("lab", "eu") }),
  fc.record({ source: fc.constantFrom("/clusters/lab", "/clusters", "lab") }),
  fc.record({ kind: fc.constantFrom("Database", "base"), phase: word }),
  fc.record({ phasefrom: word }),
  fc.record({ changed: fc.constantFrom("spec", "spec,status", "status") }),
  fc.record({ manager: fc.constantFrom("kubectl", "k") }),
  fc.record({ terminating: fc.constant("true") }),
);

const leaves: fc.Arbitrary<Filter>[] = [
  fc.record({ op: orMore(op) }),
  fc.record({ created: fact }),
  fc.record({ deleted: fact }),
  fc.record({ terminating: fact }),
  fc.record({ phase: some({ from: orMore(word), to: orMore(word) }) }),
  fc.record({ phase: fc.record({ to: orMore(word) }) }),
  fc.record({ field: fc.record({ path, from: value, to: value }, { requiredKeys: ["path"] }) }),
  fc
    .tuple(path, fc.constantFrom("changed", "increased", "decreased", "present", "absent"))
    .map(([path, change]) => ({ field: { path, [change]: true } }) as Filter),
  fc.record({
    condition: fc.record(
      { type, from: orMore(status), to: orMore(status), reason: orMore(word) },
      { requiredKeys: ["type"] },
    ),
  }),
  fc.record({ diverged: fc.record({ spec: path, status: path }) }),
  fc.constant({ diverged: { spec: "spec.size", status: "status.size" } }),
  fc.record({ names: orMore(fc.oneof(name, fc.constantFrom("o*", "*"))) }),
  fc.record({ namespaces: orMore(fc.oneof(namespace, fc.constantFrom("p*", "**"))) }),
  fc.record({ manager: orMore(fc.constantFrom("kubectl", "k*", "*")) }),
  fc.record({ labels: fc.record({ l: orMore(fc.constantFrom("a", "*", "b*")) }) }),
  fc.record({ annotations: fc.record({ v: orMore(fc.constantFrom("1", "*")) }) }),
  fc.record({ ownedBy: fc.record({ kind: fc.constantFrom("Shop", "X"), name }, { requiredKeys: ["kind"] }) }),
  fc.record({ exact: attributes }),
  fc.record({ prefix: attributes }),
  fc.record({ suffix: attributes }),
  fc.record({ sql: fc.constantFrom("phase = 'a'", "EXISTS phasefrom", "missing = 'x'") }),
  fc.record({ cesql: fc.constantFrom("name LIKE 'o%'", "INT(name) = 1") }),
  fc.record({ cel: fc.constantFrom("object.spec.size == 1", "before != null", "has(transitions.phase)", "1 == 1") }),
];

/** Any filter. */
export const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    ...leaves,
    fc.record({ all: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie("filter") }),
    fc.tuple(tie("filter"), tie("filter")).map(([a, b]) => ({ ...a, ...b })),
  ),
})).filter;

/** Any selection of Databases. */
export const selection: fc.Arbitrary<Selection> = fc.record(
  {
    apiVersion: fc.constant(KIND.apiVersion),
    kind: fc.constant(KIND.kind),
    when: filter,
    resolve: filter,
    includeExisting: fc.boolean(),
    cluster: fc.constantFrom("lab", "eu"),
  },
  { requiredKeys: ["apiVersion", "kind", "when"] },
);

const pair = fc.tuple(fc.oneof(...leaves), fc.oneof(...leaves));
/** Filters of which NATS can decide much: without those that it knows nothing of. */
export const tellingSelection: fc.Arbitrary<Selection> = fc.record({
  apiVersion: fc.constant(KIND.apiVersion),
  kind: fc.constant(KIND.kind),
  when: fc.oneof(
    { weight: 3, arbitrary: fc.oneof(...leaves) },
    fc.oneof(...leaves).map((a) => ({ not: a })),
    pair.map(([a, b]) => ({ any: [a, b] })),
    pair.map(([a, b]) => ({ ...a, ...b })),
    pair.map(([a, b]) => ({ not: { ...a, ...b } })),
  ),
  includeExisting: fc.boolean(),
});

const conditions = fc.uniqueArray(fc.record({ type, status, reason: word }, { requiredKeys: ["type", "status"] }), {
  maxLength: 3,
  selector: (condition) => condition.type,
});
const spec = some({ size: value, other: value, list: fc.array(value, { maxLength: 3 }) });
const state = some({
  spec,
  status: some({ phase: word, size: value, conditions }),
  data: some({ x: value }),
  labels: some({ l: word }),
  owned: fc.boolean(),
  terminating: fc.boolean(),
});
const context = fc.record({
  phase: fc.constantFrom("status.phase", "spec.size", "condition:Ready"),
  ignored: fc.subarray(["status.conditions", "spec", "metadata.labels", "status.phase"], { maxLength: 1 }),
  isKeyed: fc.boolean(),
  cluster: fc.constantFrom("lab", "eu"),
});

/** An event, and the subject that its bridge publishes it under. */
export interface SealedSample {
  readonly subject: string;
  readonly payload: string;
  readonly envelope: Envelope;
}

/** Any event of a Database. */
export const happened: fc.Arbitrary<SealedSample> = fc
  .record({
    op,
    before: state,
    after: state,
    name,
    namespace: fc.oneof(namespace, fc.constant("")),
    context,
    gap: fc.boolean(),
  })
  .map(({ op, before, after, name, namespace, context: given, gap }) => {
    const phase = parsePhaseSource(given.phase);
    const context: SealContext = {
      ...{ group: "demo.example.com", version: "v1", plural: "databases", kind: "Database" },
      cluster: given.cluster,
      phase,
      ignored: pathSet(["metadata.resourceVersion", "metadata.managedFields", ...given.ignored]),
      ...(given.isKeyed && { shape: { current: COMMON_SHAPE } }),
    };
    const was = objectOf(name, namespace, before, "1");
    const sealed = seal(context, {
      op,
      object: objectOf(name, namespace, after, "2"),
      before:
        op === "created" || op === "existing" ? undefined : { object: was, phase: phaseOf(was, phase, undefined, "") },
      resourceVersion: "2",
      gap,
      seenAtMs: Date.UTC(2026, 0, 1),
    });
    if (sealed === undefined) throw new Error("the version annotation always differs");
    return { subject: sealed.subject, payload: sealed.payload, envelope: parseEnvelope(sealed.payload) };
  });

type State = typeof state extends fc.Arbitrary<infer T> ? T : never;

function objectOf(name: string, namespace: string, given: State, version: string): KubeObject {
  const { spec, status, data, labels, owned, terminating } = given;
  const fieldsV1 = { "f:metadata": { "f:annotations": { "f:v": {} } }, "f:spec": {}, "f:status": {} };
  return {
    ...KIND,
    metadata: {
      name,
      ...(namespace !== "" && { namespace }),
      ...{ uid: "u", resourceVersion: version, annotations: { v: version } },
      ...(labels && { labels }),
      ...(owned && { ownerReferences: [{ kind: "Shop", name: "orders", uid: "s" }] }),
      ...(terminating && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      managedFields: [{ manager: "kubectl", operation: "Update", time: "2026-01-01T00:00:00Z", fieldsV1 }],
    },
    ...(spec && { spec }),
    ...(status && { status }),
    ...(data && { data }),
  } as KubeObject;
}
