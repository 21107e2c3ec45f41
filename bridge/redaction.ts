/**
 * Secrets without what is secret in them: every value of `data` is replaced before anything else sees the object, by a mark that is
 * another one when the value is another one. So a change is told — which key, by whom — and the value never is, nor is it kept in
 * memory. Annotations are treated alike, because tools keep the whole applied manifest in them (kubectl's last-applied-configuration,
 * kapp's original); names, labels, type and finalizers stay.
 * Source: Kubernetes API, core/v1 Secret (`data`, and `stringData` that is never read back).
 */
import { createHmac, randomBytes } from "node:crypto";
import type { KubeObject } from "./kube-object.ts";
import type { WatchedResource } from "./resource.ts";

/** Gives the object as it may be shown. */
export type Redaction = (object: KubeObject) => KubeObject;

/** Enough to tell two values of one key apart (one chance in four billion), not a digest that could be looked up. */
const MARK_DIGITS = 8;

/** What the objects of a resource go through: Secrets are redacted, all others are left as they are. */
export function redactionFor({ group, plural }: Pick<WatchedResource, "group" | "plural">): Redaction {
  return group === "" && plural === "secrets" ? secretRedaction() : (object) => object;
}

/** The key of the marks is random and stays in this function, so that nobody can try out values against a mark. */
function secretRedaction(): Redaction {
  const key = randomBytes(32);
  const mark = (value: unknown): string =>
    `(redacted ${createHmac("sha256", key).update(JSON.stringify(value)).digest("hex").slice(0, MARK_DIGITS)})`;
  const marked = (map: unknown): Record<string, string> =>
    Object.fromEntries(Object.entries(map ?? {}).map(([name, value]) => [name, mark(value)]));
  return (object) => {
    const { data, stringData, metadata, ...rest } = object;
    const { annotations } = metadata;
    return {
      ...rest,
      metadata: annotations ? { ...metadata, annotations: marked(annotations) } : metadata,
      ...(data !== undefined && { data: marked(data) }),
      ...(stringData !== undefined && { stringData: marked(stringData) }),
    } as KubeObject;
  };
}
