/**
 * Objects without what is secret in them: each redacted value is replaced before anything else sees the object, by a mark that is another
 * one when the value is another one. So a change is told — which field, by whom — and the value never is: it is not kept in memory, not
 * published and not logged. The marks are HMACs under a key of the bridge: nobody without it can try out values, and with the same key
 * they stay the same over restarts. With the keys before it, a new key tells no change and misses none; a mark of an unknown key cannot
 * be compared with anything, and counts as equal.
 * Source: RFC 2104 (HMAC); Kubernetes API, core/v1 Secret (`data`, and `stringData` that is never read back).
 */
import { createHmac } from "node:crypto";
import type { Json, KubeObject } from "../kube/kube-object.ts";
import { NO_PATHS, pathSet, replaceAt } from "./path-set.ts";

/** What the objects of one resource go through. */
export interface Redaction {
  /** For people and for hashes: what is redacted. */
  readonly paths: readonly string[];
  /** An object as it came from the API server, without its secrets. */
  redact(object: KubeObject): KubeObject;
  /** An object as the log has it, by today's paths: marks stay, what was told before it was secret is told no more. */
  project(object: KubeObject): KubeObject;
  /** Whether two values that are not equal may be the same one: one of them is a mark of the other, or of an unknown key. */
  isSame(before: Json, after: Json): boolean;
}

/** Everything in a Secret but names, labels, type and finalizers: tools keep whole manifests in annotations. */
export const SECRET_PATHS = ["/data/*", "/stringData/*", "/metadata/annotations/*"] as const;
/** Whole manifests, secret fields included: kubectl's and kapp's. */
const MANIFEST_COPIES = [
  "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration",
  "/metadata/annotations/kapp.k14s.io~1original",
] as const;

/** Enough that two values of one field have one mark with a chance of 1 in 10^19, and far from enough to find a value. */
const MARK_DIGITS = 16;
const KEY_ID_DIGITS = 4;
/** Far more marks than all objects under way can have. */
const ALIASES_MAX = 100_000;
const MARK = /^\(redacted ([0-9a-f]{4}):[0-9a-f]{16}\)$/;

/** The keys of the marks. */
export interface RedactionKeys {
  readonly current: string | Uint8Array;
  /** Those that the log may have marks of. */
  readonly previous?: readonly string[];
}

/** What a resource's objects go through. Without paths they are left as they are. */
export function createRedaction(paths: readonly string[], { current, previous = [] }: RedactionKeys): Redaction {
  const { keyId, mark: markNow } = createMarker(current);
  const earlier = previous.map(createMarker);
  /** What a mark would be under the earlier keys; between an object's arrival and its comparison. */
  const aliases = new Map<Json, ReadonlySet<Json>>();
  const mark = (value: Json): Json => {
    const marked = markNow(value);
    if (earlier.length === 0) return marked;
    aliases.set(marked, new Set(earlier.map((each) => each.mark(value))));
    for (const oldest of aliases.keys()) {
      if (aliases.size <= ALIASES_MAX) break;
      aliases.delete(oldest);
    }
    return marked;
  };
  const all = paths.length === 0 ? [] : [...paths, ...MANIFEST_COPIES];
  const set = paths.length === 0 ? NO_PATHS : pathSet(all);
  return {
    paths,
    redact: (object) => replaceAt(set, object as Json, mark) as KubeObject,
    project: (object) =>
      replaceAt(set, object as Json, (value) => (keyIdOf(value) === undefined ? mark(value) : value)) as KubeObject,
    isSame(before, after) {
      const [beforeId, afterId] = [keyIdOf(before), keyIdOf(after)];
      if (beforeId === undefined) return afterId === keyId && mark(before) === after;
      if (afterId !== undefined) {
        if (beforeId === afterId) return false;
        const isKnown = earlier.some((each) => each.keyId === beforeId);
        return !isKnown || (aliases.get(after)?.has(before) ?? true);
      }
      const marker = beforeId === keyId ? { mark } : earlier.find((each) => each.keyId === beforeId);
      return marker === undefined || marker.mark(after) === before;
    },
  };
}

function createMarker(key: string | Uint8Array) {
  const digest = (text: string, digits: number) =>
    createHmac("sha256", key).update(text).digest("hex").slice(0, digits);
  const keyId = digest("key id", KEY_ID_DIGITS);
  return { keyId, mark: (value: Json): Json => `(redacted ${keyId}:${digest(JSON.stringify(value), MARK_DIGITS)})` };
}

/** Whether a value is a mark, in place of one that was secret. */
export function isRedacted(value: Json): boolean {
  return keyIdOf(value) !== undefined;
}

/** Of which key a value is a mark; `undefined`: it is none. */
function keyIdOf(value: Json): string | undefined {
  return typeof value === "string" ? MARK.exec(value)?.[1] : undefined;
}
