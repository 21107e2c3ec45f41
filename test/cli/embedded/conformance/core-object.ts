/** Requests about the core's own kinds in the namespace of a case. */
import { type Answer, accepted, type RawOptions, refusal } from "./raw.ts";
import type { Desk } from "./widget.ts";

/** The path of all namespaces. */
export const NAMESPACES = "/api/v1/namespaces";

type Parts = Readonly<Record<string, unknown>>;

/** The path of a namespaced core kind. */
export const path = (desk: Desk, plural: string, name?: string) =>
  [`${NAMESPACES}/${desk.namespace}/${plural}`, name].filter(Boolean).join("/");

/** The ConfigMap `one`. */
export const configMap = (parts: Parts = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "one" },
  ...parts,
});
/** The Secret `one`. */
export const secret = (parts: Parts = {}) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "one" },
  ...parts,
});

/** Sends a new object of the kind. */
export const post = (desk: Desk, plural: string, body: unknown, options: RawOptions = {}): Promise<Answer> =>
  desk.send("POST", path(desk, plural), { body, ...options });

/** The new object as it was answered. */
export const created = async (desk: Desk, plural: string, body: unknown) =>
  accepted(await post(desk, plural, body), 201);

/** Patches what is at this path. */
export const patch = (
  desk: Desk,
  target: string,
  body: unknown,
  contentType: string,
  query: Record<string, string> = {},
) => desk.send("PATCH", target, { body, contentType, query });

/** What a new object is refused with. */
export const refusedOf = (plural: string, body: unknown) => async (desk: Desk) =>
  refusal(await post(desk, plural, body));
