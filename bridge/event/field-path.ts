/**
 * Paths into Kubernetes objects as people write them: `spec.replicas`, `metadata.labels["app.kubernetes.io/name"]`,
 * `spec.containers[0].image`, or a JSON Pointer (RFC 6901) such as `/spec/replicas`. One parser for configuration, filters
 * and patches, so that a path means the same everywhere.
 */
import { z } from "zod";
import type { Json } from "../kube/kube-object.ts";

/** A path as a list of keys; list positions are decimal strings, as in JSON Pointer. */
export type Segments = readonly string[];

/** A path in either notation; the parsed form is `parseFieldPath(path)`. */
export const FieldPath = z.string().superRefine((text, context) => {
  try {
    parseFieldPath(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});

const DOTTED_STEP = /(?:^|\.)([^.[\]"']+)|\[(\d+)\]|\[(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')\]/y;

/** Splits a path into its keys. Throws an Error that says what was expected when it is neither notation. */
export function parseFieldPath(text: string): Segments {
  if (text.startsWith("/")) return parsePointer(text);
  const segments: string[] = [];
  let position = 0;
  while (position < text.length) {
    DOTTED_STEP.lastIndex = position;
    const match = DOTTED_STEP.exec(text);
    if (match === null) throw pathError(text, `cannot be read at "${text.slice(position)}"`);
    const [, plain, index, double, single] = match;
    segments.push(plain ?? index ?? (double ?? single ?? "").replace(/\\(.)/g, "$1"));
    position = DOTTED_STEP.lastIndex;
  }
  if (segments.length === 0) throw pathError(text, "is empty");
  return segments;
}

/** The JSON Pointer (RFC 6901) of a list of keys. */
export function toPointer(segments: Segments): string {
  let pointer = "";
  for (const segment of segments) pointer += `/${escapePointerToken(segment)}`;
  return pointer;
}

/** The path as people read it: `spec.replicas`, `metadata.labels["a.b/c"]`, `spec.containers[0]`. */
export function toDotted(segments: Segments): string {
  let path = "";
  for (const segment of segments) {
    if (/^\d+$/.test(segment) && path !== "") path += `[${segment}]`;
    else if (/[^A-Za-z0-9_$-]/.test(segment) || segment === "") path += `[${JSON.stringify(segment)}]`;
    else path += path === "" ? segment : `.${segment}`;
  }
  return path;
}

/** Escapes one key for a JSON Pointer: `~` is `~0`, `/` is `~1`. */
export function escapePointerToken(key: string): string {
  return key.includes("~") || key.includes("/") ? key.replaceAll("~", "~0").replaceAll("/", "~1") : key;
}

/** Splits a JSON Pointer into its keys; the empty pointer names the whole document. */
export function parsePointer(pointer: string): Segments {
  if (pointer === "") return [];
  if (!pointer.startsWith("/")) throw pathError(pointer, 'is no JSON Pointer: it must start with "/"');
  const tokens = pointer.slice(1).split("/");
  return pointer.includes("~") ? tokens.map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~")) : tokens;
}

/** The value at a path, or `undefined` when there is none. */
export function valueAt(document: unknown, segments: Segments): Json | undefined {
  let value = document;
  for (const segment of segments) {
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, segment)) return undefined;
    value = (value as Record<string, unknown>)[segment];
  }
  return value as Json | undefined;
}

function pathError(text: string, problem: string): Error {
  return new Error(
    `path "${text}" ${problem}; write it as spec.replicas, as metadata.labels["a.b/c"], or as a JSON Pointer /spec/replicas`,
  );
}
