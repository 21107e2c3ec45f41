/**
 * Writes to a real kube-apiserver, and the same writes through the functions under test: after each one, what the server has made of
 * managedFields, of an applied object or of a refusal must be what the functions make of it. Every write starts from the server's
 * state, so that one difference does not hide the next.
 */
import assert from "node:assert/strict";
import { Agent, request } from "undici";
import { applyConfiguration } from "../../../cli/embedded/field/apply.ts";
import { recordUpdate } from "../../../cli/embedded/field/managed-fields.ts";
import type { ResourceKind } from "../../../cli/embedded/object/kind.ts";
import { apiVersionOf } from "../../../cli/embedded/object/kind.ts";
import type { Json, JsonObject, KubeObject } from "../../../cli/embedded/object/object.ts";
import { isObject, withMetadata } from "../../../cli/embedded/object/object.ts";
import { StatusError } from "../../../cli/embedded/object/status-error.ts";
import type { KubeAccess } from "../../kit/kube-access.ts";

/** A write, as a client sends it. */
export interface Write {
  readonly by: string;
  /** A replace takes the object as it is, changed by its body. */
  readonly verb: "create" | "replace" | "merge" | "apply";
  readonly subresource?: "status" | "scale";
  readonly force?: boolean;
  /** Without what every object has. `null` takes a field away in a replace or merge. */
  readonly body: JsonObject;
}

/** Writes to one object, in this order. */
export interface Scenario {
  readonly name: string;
  readonly kind: ResourceKind;
  readonly writes: readonly Write[];
}

interface Answer {
  readonly code: number;
  readonly body: KubeObject;
}

const CONTENT_TYPES = {
  create: "application/json",
  replace: "application/json",
  merge: "application/merge-patch+json",
  apply: "application/apply-patch+yaml",
};
const METHODS = { create: "POST", replace: "PUT", merge: "PATCH", apply: "PATCH" };

/** Plays the writes in a namespace of their own. */
export async function replay(kube: KubeAccess, namespace: string, { kind, writes }: Scenario): Promise<void> {
  const { url, caPem, adminToken, client } = kube;
  const dispatcher = new Agent({ connect: { ca: caPem } });
  const collection = `${kind.group === "" ? "/api" : "/apis"}/${apiVersionOf(kind)}/namespaces/${namespace}/${kind.plural}`;
  const path = `${collection}/one`;

  async function send({ by, verb, subresource, force }: Write, body: Json): Promise<Answer> {
    const query = new URLSearchParams({ fieldManager: by, ...(force && { force: "true" }) });
    const address = verb === "create" ? collection : [path, subresource].filter(Boolean).join("/");
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": CONTENT_TYPES[verb] };
    const options = { method: METHODS[verb], headers, body: JSON.stringify(body), dispatcher };
    const answer = await request(new URL(`${address}?${query}`, url), options);
    return { code: answer.statusCode, body: (await answer.body.json()) as KubeObject };
  }

  let current: KubeObject | undefined;
  try {
    for (const [index, write] of writes.entries()) {
      const body = bodyOf(write, kind, current);
      const answer = await send(write, body);
      const where = `write ${index + 1}: ${write.verb} by ${write.by}, answered ${answer.code} ${answer.body["message"] ?? ""}`;
      const isObjectNow = answer.code < 300;
      const after =
        isObjectNow && write.subresource === "scale" ? ((await client.get(path)) as KubeObject) : answer.body;
      if (write.verb === "apply") expectApplied({ write, kind, body, current, answer, where });
      else expectRecorded({ write, kind, body, current, answer: { ...answer, body: after }, where });
      if (isObjectNow) current = after;
    }
  } finally {
    await dispatcher.destroy();
  }
}

interface Step {
  readonly write: Write;
  readonly kind: ResourceKind;
  readonly body: Json;
  readonly current: KubeObject | undefined;
  readonly answer: Answer;
  readonly where: string;
}

function bodyOf({ verb, body }: Write, kind: ResourceKind, current: KubeObject | undefined): Json {
  if (verb === "merge") return body;
  if (verb === "replace") return merged(current ?? null, body);
  const { metadata = {} } = body;
  const head = { apiVersion: apiVersionOf(kind), kind: kind.kind };
  return { ...head, ...body, metadata: { ...(isObject(metadata) && metadata), name: "one" } };
}

/** RFC 7396. */
function merged(value: Json, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result = new Map(Object.entries(isObject(value) ? value : {}));
  for (const [name, field] of Object.entries(patch)) {
    if (field === null || field === undefined) result.delete(name);
    else result.set(name, merged(result.get(name) ?? null, field));
  }
  return Object.fromEntries(result);
}

/** The functions may be told the object as the client asked for it, or as the server has prepared it. */
function expectRecorded({ write, kind, body, current, answer: { code, body: after }, where }: Step): void {
  assert.ok(code < 300, where);
  const asked = write.verb === "merge" ? merged(current ?? null, body) : body;
  const sent = isObject(asked) && isObject(asked["metadata"]) ? asked["metadata"]["managedFields"] : undefined;
  const enforced = kind.schema.withDefaults(kind.schema.prune(asked as KubeObject).object) as KubeObject;
  const prepared = { ...after, metadata: { ...after.metadata, managedFields: sent } } as KubeObject;
  const { by: manager, subresource = "" } = write;
  const told =
    kind.custom && subresource !== "scale" ? [enforced, ...(subresource === "" ? [prepared] : [])] : [prepared];
  for (const state of told) {
    const given = { before: current, after: state, kind, manager, subresource, time: newestTime(after) };
    assert.deepEqual(recordUpdate(given), after.metadata.managedFields ?? [], where);
  }
}

/** An invalid object is refused only after the apply, which then is of no interest here. */
function expectApplied({ write, kind, body, current, answer: { code, body: after }, where }: Step): void {
  if (code === 422) return;
  const { by: manager, force = false, subresource = "" } = write;
  const time = newestTime(code < 300 ? after : current);
  try {
    const { object } = applyConfiguration({
      current,
      applied: body as KubeObject,
      kind,
      manager,
      force,
      subresource,
      time,
    });
    assert.ok(code < 300, where);
    assert.deepEqual(lasting(stored(object, current, kind, subresource)), lasting(after), where);
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    const { reason, ...status } = error.status;
    const byField = (causes: Json | undefined) =>
      (Array.isArray(causes) ? causes : []).map((cause) => JSON.stringify(cause)).sort();
    const causesOf = (details: Json | undefined) => byField(isObject(details) ? details["causes"] : []);
    assert.equal(code, status.code, where);
    assert.equal(reason || undefined, after["reason"], where);
    assert.deepEqual(causesOf(status["details"]), causesOf(after["details"]), where);
    if (causesOf(status["details"]).length < 2) assert.equal(status["message"], after["message"], where);
  }
}

function newestTime(object: KubeObject | undefined): string {
  return (
    (object?.metadata.managedFields ?? [])
      .map(({ time = "" }) => time)
      .sort()
      .at(-1) ?? ""
  );
}

/** What the rest of the server makes of an applied object. */
function stored(
  object: KubeObject,
  current: KubeObject | undefined,
  kind: ResourceKind,
  subresource: string,
): KubeObject {
  const { managedFields } = object.metadata;
  if (subresource === "status" && current) {
    return withMetadata({ ...current, status: object["status"] }, { managedFields });
  }
  if (!kind.custom) return object;
  const { status: _, ...rest } = object;
  const kept: JsonObject = kind.hasStatus
    ? { ...rest, ...(current?.["status"] !== undefined && { status: current["status"] }) }
    : object;
  return kind.schema.withDefaults(kind.schema.prune(kept).object) as KubeObject;
}

/** Without what differs from object to object. */
function lasting(object: KubeObject): Json {
  const fields = ["namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];
  const metadata = Object.entries(object.metadata).filter(([name]) => !fields.includes(name));
  return JSON.parse(JSON.stringify({ ...object, metadata: Object.fromEntries(metadata) }));
}
