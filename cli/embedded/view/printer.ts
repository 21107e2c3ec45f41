/**
 * The columns of each kind in a Table, and what their cells hold. Custom kinds have the columns of their definition, or the age if
 * it names none; built-in kinds have those that the API server has written down for them.
 * Source: apiextensions-apiserver `pkg/registry/customresource/tableconvertor`; Kubernetes `pkg/printers/internalversion`.
 */
import type { PrinterColumn, ResourceKind } from "../object/kind.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import { ageOf } from "./human-duration.ts";
import { compileJsonPath, JsonPathError } from "./json-path.ts";

/** A column with the function that fills its cells. */
export interface Column {
  /** A TableColumnDefinition. */
  readonly definition: JsonObject;
  cell(object: KubeObject, nowMs: number): Json;
}

const NAME = column("Name", "The name, unique among the objects of its kind in a namespace.", nameOf, {
  format: "name",
});
const AGE = column("Age", "The time since the object was created.", createdAgo);
/** Unlike the others it is of the type `date` on the wire, although its cells are ages too. */
const CUSTOM_AGE = column("Age", "The time since the object was created.", createdAgo, { type: "date" });

const BUILT_IN: Readonly<Record<string, readonly Column[]>> = {
  "/Namespace": [
    NAME,
    column("Status", "The phase of the namespace.", (object) => textAt(object, "status", "phase")),
    AGE,
  ],
  "/ConfigMap": [
    NAME,
    column("Data", "The number of entries.", (object) => countOf(object["data"]) + countOf(object["binaryData"])),
    AGE,
  ],
  "/Secret": [
    NAME,
    column("Type", "What the secret is for.", (object) => textAt(object, "type")),
    column("Data", "The number of entries.", (object) => countOf(object["data"])),
    AGE,
  ],
  "/Event": [
    column("Last Seen", "The time since it last happened.", (event, nowMs) => seenAgo(event, nowMs).last),
    column("Type", "Normal or Warning.", (event) => textAt(event, "type")),
    column("Reason", "The short reason, for machines.", (event) => textAt(event, "reason")),
    column("Object", "What it is about.", subjectOf),
    column("Subobject", "The part that it is about.", (event) => textAt(event, "involvedObject", "fieldPath"), {
      priority: 1,
    }),
    column("Source", "Who reported it.", sourceOf, { priority: 1 }),
    column("Message", "What happened, for people.", (event) => textAt(event, "message").trim()),
    column("First Seen", "The time since it first happened.", (event, nowMs) => seenAgo(event, nowMs).first, {
      priority: 1,
    }),
    column("Count", "How often it happened.", timesOf, { priority: 1 }),
    column("Name", "The name of the event.", nameOf, { format: "name", priority: 1 }),
  ],
  "coordination.k8s.io/Lease": [
    NAME,
    column("Holder", "Who holds it.", (lease) => textAt(lease, "spec", "holderIdentity")),
    AGE,
  ],
  "apiextensions.k8s.io/CustomResourceDefinition": [
    NAME,
    column("Created At", "When the object was created.", ({ metadata }) => metadata.creationTimestamp ?? null, {
      type: "date",
    }),
  ],
};

const made = new WeakMap<ResourceKind, readonly Column[]>(); // paths are read once for a kind, not for each request

/** The columns of a kind, in their order. */
export function columnsOf(kind: ResourceKind): readonly Column[] {
  const known = made.get(kind) ?? (kind.custom ? customColumns(kind.columns) : BUILT_IN[`${kind.group}/${kind.kind}`]);
  const columns = known ?? [NAME, AGE];
  made.set(kind, columns);
  return columns;
}

/** Where a path cannot be read, that column and those behind it are missing, as in the API server. */
function customColumns(given: readonly PrinterColumn[]): readonly Column[] {
  if (given.length === 0) return [NAME, CUSTOM_AGE];
  const columns: Column[] = [NAME];
  try {
    for (const each of given) columns.push(customColumn(each));
  } catch (error) {
    if (!(error instanceof JsonPathError)) throw error;
  }
  return columns;
}

function customColumn({ name, type, jsonPath, description, format, priority }: PrinterColumn): Column {
  const find = compileJsonPath(jsonPath);
  const described = description || `Custom resource definition column (in JSONPath format): ${jsonPath}`;
  const cell = (object: KubeObject, nowMs: number) => cellOf(type, find(object)[0], nowMs);
  return column(name, described, cell, { type, format: format ?? "", priority: priority ?? 0 });
}

/** The first value that a path finds, as its column's type; `null` when it is of another one. */
function cellOf(type: string, value: Json | undefined, nowMs: number): Json {
  if (value === undefined) return null;
  switch (type) {
    case "string":
      return value === null ? "<no value>" : printed(value);
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date":
      return typeof value === "string" ? ageOf(value, nowMs) : null;
    default:
      return null;
  }
}

/** As Go writes it: keys in order, `<`, `>` and `&` escaped within JSON, small numbers with an exponent. */
function printed(value: Json): string {
  if (typeof value === "object")
    return JSON.stringify(inOrder(value)).replaceAll(/[<>&]/g, (found) => `\\u00${found.charCodeAt(0).toString(16)}`);
  const isSmall = typeof value === "number" && value !== 0 && Math.abs(value) < 1e-4;
  return (isSmall ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, "e$10$2");
}

function inOrder(value: Json): Json {
  if (Array.isArray(value)) return value.map(inOrder);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, child]) => [name, inOrder(child ?? null)]));
}

function column(
  name: string,
  description: string,
  cell: Column["cell"],
  { type = "string", format = "", priority = 0 } = {},
): Column {
  return { definition: { name, type, format, description, priority }, cell };
}

/** A bookmark has no name. */
function nameOf({ metadata }: KubeObject): string {
  return metadata.name ?? "";
}

function createdAgo({ metadata }: KubeObject, nowMs: number): string {
  return ageOf(metadata.creationTimestamp, nowMs);
}

/** An event counts in its own fields, in a series, or it happened once at its time. */
function seenAgo(event: KubeObject, nowMs: number): { readonly first: string; readonly last: string } {
  const first = ageOf(textAt(event, "firstTimestamp") || textAt(event, "eventTime"), nowMs);
  const last = textAt(event, "lastTimestamp");
  if (isObject(event["series"])) return { first, last: ageOf(textAt(event, "series", "lastObservedTime"), nowMs) };
  return { first, last: last === "" ? first : ageOf(last, nowMs) };
}

function timesOf(event: KubeObject): Json {
  const { series, count } = event;
  return isObject(series) ? (series["count"] ?? 0) : count || 1;
}

function subjectOf(event: KubeObject): string {
  const [kind, name] = ["kind", "name"].map((field) => textAt(event, "involvedObject", field));
  return [kind?.toLowerCase(), name].filter((part, index) => index === 0 || part !== "").join("/");
}

function sourceOf(event: KubeObject): string {
  const component = textAt(event, "source", "component") || textAt(event, "reportingComponent");
  const instance = textAt(event, "source", "host") || textAt(event, "reportingInstance");
  return instance === "" ? component : `${component}, ${instance}`;
}

function countOf(value: Json | undefined): number {
  return isObject(value) ? Object.keys(value).length : 0;
}

/** Empty where there is no text. */
function textAt(object: JsonObject, ...path: readonly string[]): string {
  let value: Json | undefined = object;
  for (const field of path) value = isObject(value) ? value[field] : undefined;
  return typeof value === "string" ? value : "";
}
