/**
 * JSON values as CEL sees them through their schema: integers are `int` (JSON knows doubles only), texts with a time format are
 * timestamps and durations, and fields have names that CEL can write (`__namespace__`, `a__dash__b`). What the schema does not
 * describe is not there.
 * Source: apiserver `pkg/cel/common/values.go`, `pkg/cel/escaping.go`; apiextensions-apiserver `pkg/apiserver/schema/cel/model`.
 */
import { evaluate } from "@marcbachmann/cel-js";
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import type { ValueSchema } from "./value-schema.ts";

const TEXT: ValueSchema = { type: "string" };
/** What rules see of a resource's type and metadata. */
const RESOURCE: Readonly<Record<string, ValueSchema>> = {
  apiVersion: TEXT,
  kind: TEXT,
  metadata: { type: "object", properties: { name: TEXT, generateName: TEXT } },
};
const RESERVED =
  /^(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$/;
const ESCAPES: Readonly<Record<string, string>> = {
  __: "__underscores__",
  ".": "__dot__",
  "-": "__dash__",
  "/": "__slash__",
};

/** The value for `self` and `oldSelf`. @param isResource whether `apiVersion`, `kind` and `metadata` belong to it */
export function toCel(schema: ValueSchema, value: Json, isResource = false): unknown {
  if (value === null) return null;
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? [] : (value as readonly Json[]).map((each) => toCel(items, each, isEmbedded(items)));
  }
  if (isObject(value)) return objectToCel(schema, value, isResource);
  if (typeof value === "number") return schema.type === "number" || !Number.isInteger(value) ? value : BigInt(value);
  return typeof value === "string" ? textToCel(schema, value) : value;
}

const isEmbedded = (schema: ValueSchema) => schema["x-kubernetes-embedded-resource"] === true;

function objectToCel(schema: ValueSchema, object: JsonObject, isResource: boolean): unknown {
  const { properties, additionalProperties } = schema;
  const known = isResource ? { ...properties, ...RESOURCE } : properties;
  const entries = Object.entries(object).flatMap(([field, value]): [string, unknown][] => {
    if (value === undefined) return [];
    const declared = known && Object.hasOwn(known, field) ? known[field] : undefined;
    if (declared !== undefined) {
      const name = value === null ? undefined : escapeName(field); // a null field is an absent one, an entry of a map is not
      return name === undefined ? [] : [[name, toCel(declared, value, isEmbedded(declared))]];
    }
    if (typeof additionalProperties !== "object") return [];
    return [[field, toCel(additionalProperties, value, isEmbedded(additionalProperties))]];
  });
  return Object.fromEntries(entries);
}

function textToCel({ format = "" }: ValueSchema, text: string): unknown {
  const variables = { text };
  switch (format) {
    case "byte":
      return new Uint8Array(Buffer.from(text, "base64"));
    case "duration":
      return orText("duration(text)", variables);
    case "date":
      return orText("timestamp(text + 'T00:00:00Z')", variables);
    case "date-time":
    case "datetime":
      return orText("timestamp(text)", variables);
    default:
      return text;
  }
}

function orText(expression: string, variables: { readonly text: string }): unknown {
  try {
    return evaluate(expression, variables);
  } catch {
    return variables.text; // of another form than CEL reads: compared as what it is
  }
}

/** A field's name as a CEL identifier, or undefined where it has none. */
function escapeName(field: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(field)) return undefined;
  return RESERVED.test(field) ? `__${field}__` : field.replace(/__|[-./]/g, (found) => ESCAPES[found] ?? found);
}
