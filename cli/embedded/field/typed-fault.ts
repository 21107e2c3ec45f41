/**
 * What keeps an applied object from being taken apart into fields: fields that its schema does not have, values of another type,
 * elements of keyed lists without a key or with the same one. In the words of the real server, which says them in Go's notation.
 * Source: structured-merge-diff, `typed` (validatingObjectWalker).
 */
import type { Json } from "../object/object.ts";
import { isObject } from "../object/object.ts";
import { formatKey } from "./field-set.ts";
import type { FieldType, ListType, MapType } from "./field-type.ts";
import { keyOf, shapeOf } from "./field-type.ts";

/** One line each: `.spec.replicas: expected numeric (int or float), got string`. */
export function faultsOf(type: FieldType, value: Json, path = ""): readonly string[] {
  const fault = (why: string) => [path === "" ? why : `${path}: ${why}`];
  if (value === null) return [];
  const shape = shapeOf(type, value);
  const is = shape === "any" ? (type.map ? "map" : type.scalar ? "scalar" : "list") : shape;
  if (is === "map" && type.map) {
    return isObject(value) ? faultsInMap(type.map, value, path) : fault(`expected map, got &{${goValue(value)}}`);
  }
  if (is === "list" && type.list) {
    return Array.isArray(value)
      ? faultsInList(type.list, value, path)
      : fault(`expected list, got &{${goValue(value)}}`);
  }
  const why = scalarFault(type.scalar, value);
  return why === undefined ? [] : fault(why);
}

function faultsInMap(map: MapType, value: Readonly<Record<string, Json | undefined>>, path: string): readonly string[] {
  const faults: string[] = [];
  for (const [name, field] of Object.entries(value)) {
    const type = map.fields.get(name) ?? map.rest;
    if (type === undefined) return [...faults, `${path}.${name}: field not declared in schema`];
    if (field !== undefined) faults.push(...faultsOf(type, field, `${path}.${name}`));
  }
  return faults;
}

function faultsInList(list: ListType, items: readonly Json[], path: string): readonly string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const [index, item] of items.entries()) {
    const key = list.kind === "atomic" ? `i:${index}` : keyOf(list, item);
    if (key === undefined) return [...faults, `${path}: element ${index}: ${keyFault(list, item)}`];
    if (seen.has(key)) faults.push(`${path}: duplicate entries for key ${formatKey(key)}`);
    seen.add(key);
    faults.push(...faultsOf(list.items, item, `${path}${formatKey(key)}`));
  }
  return faults;
}

function keyFault({ kind, keys }: ListType, item: Json): string {
  if (kind === "set") {
    if (item === null) return "associative list without keys has an element that's an explicit null";
    if (isObject(item)) return "associative list without keys has an element that's a map type";
    return "not supported: associative list with lists as elements";
  }
  if (item === null) return "associative list with keys may not have a null element";
  if (!isObject(item)) return "associative list with keys may not have non-map elements";
  const names = [...keys.keys()].map((name) => JSON.stringify(name)).join(" ");
  return `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`;
}

function scalarFault(scalar: FieldType["scalar"], value: Json): string | undefined {
  switch (scalar) {
    case undefined:
      return undefined;
    case "numeric":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`;
    case "string":
      return typeof value === "string"
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got &{${goValue(value)}}`;
    case "untyped":
      return typeof value === "object" ? `expected any scalar, got &{${goValue(value)}}` : undefined;
    default:
      return scalar satisfies never;
  }
}

/** `%T` */
function goType(value: Json): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (typeof value === "object") return "map[string]interface {}";
  return typeof value === "boolean" ? "bool" : typeof value === "number" ? "float64" : "string";
}

/** `%v` */
function goValue(value: Json | undefined): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goValue).join(" ")}]`;
  if (!isObject(value)) return String(value);
  const names = Object.keys(value).sort();
  return `map[${names.map((name) => `${name}:${goValue(value[name])}`).join(" ")}]`;
}

/** `%#v` */
function goSyntax(value: Json | undefined): string {
  if (value === null || value === undefined) return "interface {}(nil)";
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(", ")}}`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `map[string]interface {}{${names.map((name) => `${JSON.stringify(name)}:${goSyntax(value[name])}`).join(", ")}}`;
}
