/**
 * A patch as people read it: which field, from what, to what. The spec comes first and the status last; large values are
 * summarised, and two long texts are cut to where they differ. Knows no target: markup and limits of a message are its own.
 * Source: RFC 6902 operations as in bridge/event/change.ts.
 */
import {
  type Json,
  type PatchOperation,
  parseFieldPath,
  toPointer,
  type ValueOperation,
  valueOperations,
} from "#contract";

/** One field; `null` means that it is not there, not that its value is null. */
export interface ChangedField {
  /** As filters take it: `spec.replicas`, `metadata.labels["a.b/c"]`. */
  readonly path: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** What fits on a line beside its path. */
const VALUE_CHARS_MAX = 120;
/** How much of what two long texts share is shown before their difference. */
const SHARED_CHARS = 20;
/** More keys than this say nothing more. */
const KEYS_SHOWN = 5;

const PLAIN_KEY = /^[A-Za-z0-9_$-]+$/;
const LIST_POSITION = /^\d+$/;

/** The operations in reading order: spec and other parts, metadata, status. A part that comes or goes is opened into its fields. */
export function readingOrder(patch: readonly PatchOperation[]): ValueOperation[] {
  return valueOperations(patch)
    .flatMap(opened)
    .toSorted((a, b) => rank(a) - rank(b));
}

/** One operation as a line of the table. */
export function changedField(operation: ValueOperation): ChangedField {
  const path = dottedPath(segmentsOf(operation));
  switch (operation.op) {
    case "add":
      return { path, from: null, to: shownValue(operation.value) };
    case "remove":
      return { path, from: shownValue(operation.oldValue), to: null };
    case "replace":
      return { path, ...shownPair(operation.oldValue, operation.value) };
    default:
      return operation satisfies never;
  }
}

/** The keys of an operation's path. */
export function segmentsOf(operation: PatchOperation): readonly string[] {
  return operation.path === "" ? [] : parseFieldPath(operation.path);
}

/** A status that appears for the first time is one operation, but many facts. */
function opened(operation: ValueOperation): ValueOperation[] {
  const segments = segmentsOf(operation);
  if (operation.op === "replace" || segments.length !== 1) return [operation];
  const value = operation.op === "add" ? operation.value : operation.oldValue;
  if (!isMap(value)) return [operation];
  return Object.entries(value).map(([key, field]) => {
    const path = toPointer([...segments, key]);
    return operation.op === "add" ? { op: "add", path, value: field } : { op: "remove", path, oldValue: field };
  });
}

function rank(operation: PatchOperation): number {
  const part = segmentsOf(operation)[0];
  return part === "status" ? 2 : part === "metadata" ? 1 : 0;
}

function dottedPath(segments: readonly string[]): string {
  if (segments.length === 0) return "(everything)";
  let path = "";
  for (const key of segments) {
    if (LIST_POSITION.test(key)) path += `[${key}]`;
    else if (PLAIN_KEY.test(key)) path += path === "" ? key : `.${key}`;
    else path += `["${key.replace(/["\\]/g, "\\$&")}"]`;
  }
  return path;
}

function shownPair(before: Json, after: Json): { from: string; to: string } {
  if (typeof before === "string" && typeof after === "string") return textPair(before, after);
  const [from, to] = [shownValue(before), shownValue(after)];
  // 5 and "5" look alike, and so do two large lists of one length.
  if (from === to) return { from: clipped(JSON.stringify(before), 0), to: clipped(JSON.stringify(after), 0) };
  return { from, to };
}

/** Long texts often begin alike, such as two images of one repository or two configuration files. */
function textPair(before: string, after: string): { from: string; to: string } {
  if (Math.max(before.length, after.length) <= VALUE_CHARS_MAX)
    return { from: shownText(before), to: shownText(after) };
  let shared = 0;
  while (shared < before.length && before[shared] === after[shared]) shared++;
  const start = shared > VALUE_CHARS_MAX - SHARED_CHARS ? shared - SHARED_CHARS : 0;
  return { from: shownText(clipped(before, start)), to: shownText(clipped(after, start)) };
}

function shownValue(value: Json): string {
  if (typeof value === "string") return clipped(shownText(value), 0);
  if (value === null || typeof value !== "object") return String(value);
  const size = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (size <= KEYS_SHOWN) {
    const json = JSON.stringify(value);
    if (json.length <= VALUE_CHARS_MAX) return json;
  }
  if (Array.isArray(value)) return `[${size} ${size === 1 ? "item" : "items"}]`;
  const keys = Object.keys(value)
    .slice(0, KEYS_SHOWN)
    .map((key) => clipped(key, 0, 20));
  return `{${keys.join(", ")}${size > KEYS_SHOWN ? `, … ${size} fields` : ""}}`;
}

/** Quoted where the eye would miss it: empty, or white space at an end. */
function shownText(text: string): string {
  return text === "" || text !== text.trim() ? JSON.stringify(text) : text;
}

function clipped(text: string, start: number, charsMax = VALUE_CHARS_MAX): string {
  const end = start + charsMax;
  return `${start > 0 ? "…" : ""}${text.slice(start, end)}${text.length > end ? "…" : ""}`.toWellFormed();
}

function isMap(value: Json): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
