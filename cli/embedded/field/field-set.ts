/**
 * Sets of fields, as managedFields has them: a tree whose edges are FieldsV1 keys (`f:<field>`, `k:<keys of a list element>`,
 * `v:<element of a set>`). A field may belong to a set without what is below it, and the other way round. Sets are never changed,
 * and a key is one text however a client wrote it, so that equal fields are equal strings.
 * Source: KEP-555; structured-merge-diff, `fieldpath` (Set, PathElement, their JSON form and their order).
 */
import type { Json, JsonObject } from "../object/object.ts";
import { isObject } from "../object/object.ts";

/** Some fields of an object. */
export interface FieldSet {
  /** The keys of the fields that belong to it. */
  readonly members: ReadonlySet<string>;
  /** What belongs to it below a field, whether or not the field itself does. Never empty sets. */
  readonly children: ReadonlyMap<string, FieldSet>;
}

/** The way from the top of an object to one field. */
export type FieldPath = readonly string[];

/** No field. */
export const NO_FIELDS: FieldSet = { members: new Set(), children: new Map() };

/** The key of a field of an object. */
export const fieldKey = (name: string): string => `f:${name}`;
/** The key of an element of a set. */
export const valueKey = (value: Json): string => `v:${webSafeJson(value)}`;
/** The key of an element of a list that is a map; the order of the fields does not matter. */
export function elementKey(fields: JsonObject): string {
  const sorted = Object.entries(fields).sort(([a], [b]) => order(a, b));
  return `k:{${sorted.map(([name, value]) => `${JSON.stringify(name)}:${webSafeJson(value ?? null)}`).join(",")}}`;
}

/** JSON as Go's encoder writes it: fit to stand in a web page. */
export function webSafeJson(value: Json): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escaped);
}

/** The set of exactly these fields; the object as a whole is no field. */
export function setOfPaths(paths: Iterable<FieldPath>): FieldSet {
  const members = new Set<string>();
  const below = new Map<string, FieldPath[]>();
  for (const [key, ...rest] of paths) {
    if (key === undefined) continue;
    if (rest.length === 0) members.add(key);
    else below.set(key, [...(below.get(key) ?? []), rest]);
  }
  return { members, children: new Map([...below].map(([key, rests]) => [key, setOfPaths(rests)])) };
}

/** Every field of the set: what belongs to a level before what lies below it, each in the order of the keys. */
export function pathsOf(set: FieldSet, prefix: FieldPath = []): readonly FieldPath[] {
  const here = [...set.members].sort(compareKeys).map((key) => [...prefix, key]);
  const below = [...set.children].sort(([a], [b]) => compareKeys(a, b));
  return [...here, ...below.flatMap(([key, child]) => pathsOf(child, [...prefix, key]))];
}

/** Whether no field belongs to it. */
export const isEmpty = ({ members, children }: FieldSet): boolean => members.size === 0 && children.size === 0;

/** Whether this very field belongs to it. */
export function hasPath(set: FieldSet, [key, ...rest]: FieldPath): boolean {
  if (key === undefined) return false;
  return rest.length === 0 ? set.members.has(key) : hasPath(set.children.get(key) ?? NO_FIELDS, rest);
}

/** The fields of both. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map(a.children);
  for (const [key, child] of b.children) children.set(key, union(children.get(key) ?? NO_FIELDS, child));
  return { members: new Set([...a.members, ...b.members]), children };
}

/** The fields that belong to both. */
export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return {
    members: filtered(a.members, (key) => b.members.has(key)),
    children: mapped(a.children, (child, key) => intersection(child, b.children.get(key) ?? NO_FIELDS)),
  };
}

/** The fields of `a` that do not belong to `b`; taking a field away leaves what is below it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return {
    members: filtered(a.members, (key) => !b.members.has(key)),
    children: mapped(a.children, (child, key) => difference(child, b.children.get(key) ?? NO_FIELDS)),
  };
}

/** The fields of `a` that neither belong to `b` nor are below one that does. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  const without = (child: FieldSet, key: string) =>
    b.members.has(key) ? NO_FIELDS : recursiveDifference(child, b.children.get(key) ?? NO_FIELDS);
  return { members: filtered(a.members, (key) => !b.members.has(key)), children: mapped(a.children, without) };
}

function filtered(keys: ReadonlySet<string>, keep: (key: string) => boolean): ReadonlySet<string> {
  return new Set([...keys].filter(keep));
}

function mapped(
  children: FieldSet["children"],
  change: (child: FieldSet, key: string) => FieldSet,
): FieldSet["children"] {
  const changed = [...children].map(([key, child]) => [key, change(child, key)] as const);
  return new Map(changed.filter(([, child]) => !isEmpty(child)));
}

/** `fieldsV1`, with its keys in the real server's order. */
export function formatFieldSet({ members, children }: FieldSet): JsonObject {
  const keys = [...new Set([...members, ...children.keys()])].sort(compareKeys);
  const entries = keys.map((key) => {
    const below = formatFieldSet(children.get(key) ?? NO_FIELDS);
    return [key, members.has(key) && children.has(key) ? { ".": {}, ...below } : below] as const;
  });
  return Object.fromEntries(entries);
}

/** The set that a client or the storage wrote down as `fieldsV1`; undefined when it is none. Kinds of keys yet to come are left out. */
export function parseFieldSet(fields: Json | undefined): FieldSet | undefined {
  if (fields === null) return NO_FIELDS;
  if (!isObject(fields)) return undefined;
  const members = new Set<string>();
  const children = new Map<string, FieldSet>();
  for (const [text, value] of Object.entries(fields)) {
    if (text === "." || /^[^fkvi]:/.test(text)) continue;
    const key = parseKey(text);
    const child = parseFieldSet(value);
    if (key === undefined || child === undefined) return undefined;
    const isMember = isEmpty(child) || (isObject(value) && "." in value);
    if (isMember) members.add(key);
    if (!isEmpty(child)) children.set(key, child);
  }
  return { members, children };
}

function parseKey(text: string): string | undefined {
  const rest = text.slice(2);
  if (text.startsWith("f:")) return text;
  if (text.startsWith("i:")) return /^[+-]?\d+$/.test(rest) ? text : undefined;
  const value = parseJson(rest);
  if (text.startsWith("v:")) return value === undefined ? undefined : valueKey(value);
  return text.startsWith("k:") && isObject(value) ? elementKey(value) : undefined;
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

const KINDS = "fkvi"; // fields come first, and then the elements of lists

function compareKeys(a: string, b: string): number {
  const kind = a.charAt(0);
  if (kind !== b.charAt(0)) return KINDS.indexOf(kind) - KINDS.indexOf(b.charAt(0));
  if (kind === "f") return order(a, b);
  return compareJson(JSON.parse(a.slice(2)), JSON.parse(b.slice(2)));
}

/** Numbers before texts before booleans; keys of an element field by field. */
function compareJson(a: Json, b: Json): number {
  const rank = (value: Json) => ["number", "string", "boolean", "object"].indexOf(typeof value);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (!isObject(a) || !isObject(b)) return typeof a === "object" ? 0 : order(a, b as typeof a);
  const [left, right] = [Object.entries(a), Object.entries(b)];
  for (const [index, [name, value]] of left.entries()) {
    const [otherName, otherValue] = right[index] ?? [];
    if (otherName === undefined) return 1;
    const ordered = order(name, otherName) || compareJson(value ?? null, otherValue ?? null);
    if (ordered !== 0) return ordered;
  }
  return left.length - right.length;
}

function order<T extends string | number | boolean>(a: T, b: T): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** As the messages of a conflict name a field: `.status.conditions[type="Ready"].status`. */
export function formatPath(path: FieldPath): string {
  return path.map(formatKey).join("");
}

/** One step of `formatPath`. */
export function formatKey(key: string): string {
  const rest = key.slice(2);
  if (key.startsWith("f:")) return `.${rest}`;
  if (key.startsWith("v:")) return `[=${JSON.stringify(JSON.parse(rest))}]`;
  if (!key.startsWith("k:")) return `[${rest}]`;
  const fields = Object.entries(JSON.parse(rest) as JsonObject);
  return `[${fields.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
}
