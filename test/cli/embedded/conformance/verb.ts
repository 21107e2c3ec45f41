/** The writes of the conformance cases, on the Widget `one` of a case: PUT, PATCH in each media type, apply and DELETE. */
import type { KubeObject } from "../../../kit/kube-client.ts";
import { type Answer, accepted, type RawOptions } from "./raw.ts";
import type { Desk } from "./widget.ts";

/** JSON merge patch, RFC 7396. */
export const MERGE = "application/merge-patch+json";
/** JSON patch, RFC 6902. */
export const JSON_PATCH = "application/json-patch+json";
/** Kubernetes' own merge patch, for built-in kinds. */
export const STRATEGIC = "application/strategic-merge-patch+json";
/** Server-side apply. */
export const APPLY = "application/apply-patch+yaml";

/** A write, perhaps to a subresource. */
export interface WriteOptions extends RawOptions {
  /** `status` or `scale`. */
  readonly subresource?: string;
}

/** Replaces the Widget `one` by this body. */
export function put(desk: Desk, body: unknown, options: WriteOptions = {}): Promise<Answer> {
  return desk.send("PUT", desk.path("one", options.subresource), { ...options, body });
}

/** Patches the Widget `one`; a merge patch, unless the media type says otherwise. */
export function patch(desk: Desk, body: unknown, options: WriteOptions = {}): Promise<Answer> {
  return desk.send("PATCH", desk.path("one", options.subresource), { contentType: MERGE, ...options, body });
}

/** How something is applied. */
interface ApplyOptions extends WriteOptions {
  /** The field manager. @default me */
  readonly by?: string;
  readonly force?: boolean;
  /** Put over the Widget. */
  readonly parts?: Readonly<Record<string, unknown>>;
}

/** Applies the Widget `one` with this spec. */
export function apply(desk: Desk, spec: object | undefined, options: ApplyOptions = {}): Promise<Answer> {
  const { by = "me", force, subresource, parts, ...rest } = options;
  const body = desk.widget(spec, { spec, ...parts });
  const query = { fieldManager: by, ...(force !== undefined && { force: String(force) }), ...rest.query };
  return desk.send("PATCH", desk.path("one", subresource), { body, contentType: APPLY, ...rest, query });
}

/** Deletes the Widget `one`. */
export function remove(desk: Desk, options: RawOptions = {}): Promise<Answer> {
  return desk.send("DELETE", desk.path("one"), options);
}

/** Whether there is a Widget of this name. */
export async function isThere(desk: Desk, name = "one"): Promise<boolean> {
  return (await desk.send("GET", desk.path(name))).status === 200;
}

/** What an accepted write of the object `before` did to it, and whether it counts as a change. */
export function outcome(before: KubeObject, answer: Answer) {
  const { metadata, spec, status = "none" } = accepted(answer);
  const isNewVersion = Number(metadata.resourceVersion) > Number(before.metadata.resourceVersion);
  return { generation: metadata.generation, isNewVersion, spec, status };
}

interface Entry {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly fieldsV1: unknown;
}

/** Who owns which fields, in the order of the names: as they are, the entries are in the order of their times. */
export function owners({ metadata }: KubeObject) {
  const entries = (metadata["managedFields"] ?? []) as readonly Entry[];
  const told = entries.map(({ manager, operation, subresource, fieldsV1 }) => ({
    by: [manager, operation, subresource].filter(Boolean).join(" "),
    fieldsV1,
  }));
  return told.sort((left, right) => left.by.localeCompare(right.by));
}
