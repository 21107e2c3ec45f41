/**
 * What one can do with two states of an object once its schema says where the fields are: name all of them, tell which differ, merge
 * one state into another, and take fields away. Nothing is changed, new values share what is equal with the old ones.
 * Source: structured-merge-diff, `typed` (ToFieldSet, Compare, Merge, RemoveItems).
 */
import { isDeepStrictEqual } from "node:util";
import type { Json } from "../object/object.ts";
import { isObject } from "../object/object.ts";
import type { FieldPath, FieldSet } from "./field-set.ts";
import { fieldKey, isEmpty, setOfPaths } from "./field-set.ts";
import type { FieldType, ListType, Shape } from "./field-type.ts";
import { fieldIn, keyOf, shapeOf, typeBelow } from "./field-type.ts";

/** How one state differs from the one before; no field is in two of them. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

type Found = Readonly<Record<keyof Comparison, FieldPath[]>>;
type Value = Json | undefined;

/** What handles a value of a shape: an unknown one is taken for the first thing that it may be. */
function handlerOf(type: FieldType, shape: Shape): Exclude<Shape, "any"> {
  if (shape !== "any") return shape;
  return type.map ? "map" : type.scalar ? "scalar" : "list";
}

const itemsOf = (value: Value): readonly Json[] => (Array.isArray(value) ? value : []);
const entriesOf = (value: Value): readonly [string, Json][] =>
  isObject(value) ? Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined) : [];
const isBare = (value: Value): boolean => itemsOf(value).length === 0 && entriesOf(value).length === 0;

/** The elements of a list by their key, those of one key together; elements that have none are left out. */
function byKey(list: ListType, items: readonly Json[]): Map<string, readonly Json[]> {
  const found = new Map<string, readonly Json[]>();
  for (const item of items) {
    const key = keyOf(list, item);
    if (key !== undefined) found.set(key, [...(found.get(key) ?? []), item]);
  }
  return found;
}

/** All fields of a value: what an applier of it claims. Containers count only where they are empty, atomic or not in the schema. */
export function fieldsOf(type: FieldType, value: Json): FieldSet {
  const paths: FieldPath[] = [];
  collect(type, value, [], paths);
  return setOfPaths(paths);
}

function collect(type: FieldType, value: Json, path: FieldPath, paths: FieldPath[]): void {
  const { list, map } = type;
  const shape = handlerOf(type, shapeOf(type, value));
  if (shape === "scalar" || (shape === "list" && list?.kind === "atomic") || (shape === "map" && map?.atomic)) {
    paths.push(path);
  } else if (shape === "list" && list) {
    for (const [key, items] of byKey(list, itemsOf(value))) {
      const [item, duplicate] = items;
      if (item !== undefined && duplicate === undefined) collect(list.items, item, [...path, key], paths);
      paths.push([...path, key]);
    }
  } else if (map) {
    for (const [name, field] of entriesOf(value)) {
      const below = [...path, fieldKey(name)];
      collect(fieldIn(map, name), field, below, paths);
      if (field === null || (isObject(field) && isBare(field)) || !map.fields.has(name)) paths.push(below);
    }
  }
}

/** Which fields differ. A field that appears or goes is named together with all that is in it. */
export function compare(type: FieldType, before: Json, after: Json): Comparison {
  const found: Found = { added: [], modified: [], removed: [] };
  compareAt(type, before, after, [], found);
  return {
    added: setOfPaths(found.added),
    modified: setOfPaths(found.modified),
    removed: setOfPaths(found.removed),
  };
}

function compareAt(type: FieldType, before: Value, after: Value, path: FieldPath, found: Found): void {
  if (before === after) return;
  const [left, right] = [shapeOf(type, before), shapeOf(type, after)];
  if (before !== undefined && after !== undefined && left !== right) compareAs(left, type, before, after, path, found);
  const isLeaf = compareAs(after === undefined ? left : right, type, before, after, path, found);
  if (isLeaf) return;
  if (before === undefined) found.added.push(path);
  else if (after === undefined) found.removed.push(path);
}

/** Answers whether the value is one field, whatever is in it. */
function compareAs(shape: Shape, type: FieldType, before: Value, after: Value, path: FieldPath, found: Found): boolean {
  const { list, map } = type;
  const handler = handlerOf(type, shape);
  if (handler === "list" && list) {
    const [left, right] = [itemsOf(before), itemsOf(after)];
    if (list.kind !== "atomic" && left.length + right.length > 0) {
      compareItems(list, left, right, path, found);
      return false;
    }
  } else if (handler === "map" && map) {
    const [left, right] = [new Map(entriesOf(before)), new Map(entriesOf(after))];
    const names = new Set([...left.keys(), ...right.keys()]);
    if (!map.atomic && names.size > 0) {
      for (const name of names) {
        compareAt(fieldIn(map, name), left.get(name), right.get(name), [...path, fieldKey(name)], found);
      }
      return false;
    }
  }
  if (before === undefined) found.added.push(path);
  else if (after === undefined) found.removed.push(path);
  else if (!isDeepStrictEqual(before, after)) found.modified.push(path);
  return true;
}

/** Elements that share a key are one field together. */
function compareItems(
  list: ListType,
  before: readonly Json[],
  after: readonly Json[],
  path: FieldPath,
  found: Found,
): void {
  const [lefts, rights] = [byKey(list, before), byKey(list, after)];
  for (const key of new Set([...lefts.keys(), ...rights.keys()])) {
    const [left, right] = [lefts.get(key) ?? [], rights.get(key) ?? []];
    const below = [...path, key];
    if (left.length < 2 && right.length < 2) compareAt(list.items, left[0], right[0], below, found);
    else if (left.length > 1 && right.length > 1) {
      if (!isDeepStrictEqual(left, right)) found.modified.push(below);
    } else if (left.length > 1) {
      if (right.length > 0) compareAt(list.items, undefined, right[0], below, found);
      found.removed.push(below);
    } else {
      if (left.length > 0) compareAt(list.items, left[0], undefined, below, found);
      found.added.push(below);
    }
  }
}

/** A value without some of its fields. A container that loses all that is in it becomes `null`, as in the real server. */
export function withoutFields(type: FieldType, value: Json, fields: FieldSet): Json {
  const { list, map } = type;
  const shape = handlerOf(type, shapeOf(type, value));
  if (shape === "scalar") return value;
  if (shape === "list") {
    if (list === undefined || list.kind === "atomic") return null;
    const kept = itemsOf(value).flatMap((item) => {
      const key = keyOf(list, item) ?? "";
      return fields.members.has(key) ? [] : [withoutBelow(list.items, item, fields.children.get(key))];
    });
    return kept.length === 0 ? null : kept;
  }
  if (map === undefined || map.atomic) return null;
  const kept = entriesOf(value)
    .filter(([name]) => !fields.members.has(fieldKey(name)))
    .map(([name, field]) => {
      return [name, withoutBelow(fieldIn(map, name), field, fields.children.get(fieldKey(name)))] as const;
    });
  return kept.length === 0 ? null : Object.fromEntries(kept);
}

function withoutBelow(type: FieldType, value: Json, fields: FieldSet | undefined): Json {
  return fields === undefined || isEmpty(fields) ? value : withoutFields(type, value, fields);
}

/** The set, and every field of the schema that has something of the set below it. */
export function withNamedFields(type: FieldType | undefined, set: FieldSet): FieldSet {
  const members = new Set(set.members);
  const children = new Map<string, FieldSet>();
  for (const [key, child] of set.children) {
    if (key.startsWith("f:") && type?.map?.fields.has(key.slice(2))) members.add(key);
    children.set(key, withNamedFields(typeBelow(type, key), child));
  }
  return { members, children };
}

/** The value with another merged into it: nothing goes, and where both have a field the other's wins. */
export function merge(type: FieldType, value: Json, other: Json): Json {
  const { list, map } = type;
  const shape = handlerOf(type, shapeOf(type, other));
  if (shape === "scalar" || (isBare(value) && isBare(other))) return other;
  if (shape === "list") {
    return list === undefined || list.kind === "atomic" ? other : mergeItems(list, itemsOf(value), itemsOf(other));
  }
  if (map === undefined || map.atomic) return other;
  const merged = new Map(entriesOf(value));
  for (const [name, field] of entriesOf(other)) {
    const before = merged.get(name);
    merged.set(name, before === undefined ? field : merge(fieldIn(map, name), before, field));
  }
  return Object.fromEntries(merged);
}

/** In the order of the other list; what only this one has stays where it was between their common elements. */
function mergeItems(list: ListType, items: readonly Json[], others: readonly Json[]): readonly Json[] {
  const [lefts, rights] = [byKey(list, items), byKey(list, others)];
  const left = items.map((item) => ({ item, key: keyOf(list, item) ?? "" }));
  const right = [...rights.keys()];
  const common = right.filter((key) => lefts.has(key)); // that are still to come
  const merged: Json[] = [];
  const placed = new Set<string>();
  const place = (key: string) => {
    const [theirs = null] = rights.get(key) ?? [];
    const [mine, duplicate] = lefts.get(key) ?? [];
    merged.push(mine === undefined || duplicate !== undefined ? theirs : merge(list.items, mine, theirs));
    placed.add(key);
    if (common[0] === key) common.shift();
  };
  for (let l = 0, r = 0; l < left.length || r < right.length; ) {
    const [mine, theirs] = [left[l], right[r]];
    const isOurs = mine !== undefined && !rights.has(mine.key);
    const isOutOfOrder = theirs !== undefined && mine?.key !== theirs && common.length > 0 && common[0] !== mine?.key;
    if (isOurs) merged.push(mine.item);
    if (isOurs || (mine !== undefined && isOutOfOrder)) {
      l++;
      continue;
    }
    if (mine !== undefined && (placed.has(mine.key) || mine.key === theirs)) l++;
    if (theirs === undefined) continue;
    place(theirs);
    r++;
  }
  return merged;
}
