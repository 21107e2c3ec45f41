/**
 * How a built-in kind is written down: the pieces of its schema, and what most kinds have alike.
 * Source: Kubernetes API reference, v1.36.
 */
import type { ResourceKind, StoredForm } from "../object/kind.ts";
import { compileSchema } from "../schema/schema.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";

/** A text. */
export const text: OpenApiSchema = { type: "string" };
/** A moment; an absent one is shown as null. */
export const time: OpenApiSchema = { type: "string", format: "date-time", nullable: true };
/** A whole number. */
export const whole: OpenApiSchema = { type: "integer" };
/** True or false. */
export const flag: OpenApiSchema = { type: "boolean" };
/** Texts that are replaced as a whole. */
export const texts: OpenApiSchema = { type: "array", items: text, "x-kubernetes-list-type": "atomic" };
/** Texts by name; null is an empty one. */
export const textMap: OpenApiSchema = { type: "object", additionalProperties: { ...text, nullable: true } };
/** An object with whatever is in it. */
export const anything: OpenApiSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
/** An object with these fields. */
export const struct = (properties: Readonly<Record<string, OpenApiSchema>>): OpenApiSchema => ({
  type: "object",
  properties,
});
/** Fields that are texts. */
export const strings = (...names: readonly string[]): Readonly<Record<string, OpenApiSchema>> =>
  Object.fromEntries(names.map((name) => [name, text]));

/** What is told of a kind; without `group` it is of the core. */
interface BuiltIn {
  readonly group?: string;
  readonly version?: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly namespaced?: boolean;
  readonly properties: Readonly<Record<string, OpenApiSchema>>;
  readonly required?: readonly string[];
  readonly hasGeneration?: boolean;
  readonly hasStatus?: boolean;
  readonly selectableFields?: readonly string[];
  readonly createsOnUpdate?: boolean;
  readonly categories?: readonly string[];
  readonly stored?: StoredForm;
}

/** The kind. @default version v1, namespaced, without generation and status */
export function builtIn(given: BuiltIn): ResourceKind {
  const openApi: OpenApiSchema = {
    type: "object",
    properties: { apiVersion: text, kind: text, metadata: { type: "object" }, ...given.properties },
    ...(given.required && { required: given.required }),
  };
  return {
    group: given.group ?? "",
    version: given.version ?? "v1",
    kind: given.kind,
    listKind: `${given.kind}List`,
    plural: given.plural,
    singular: given.kind.toLowerCase(),
    shortNames: given.shortNames ?? [],
    categories: given.categories ?? [],
    namespaced: given.namespaced ?? true,
    custom: false,
    openApi,
    schema: compileSchema(openApi),
    hasGeneration: given.hasGeneration ?? false,
    hasStatus: given.hasStatus ?? false,
    columns: [],
    selectableFields: given.selectableFields ?? [],
    createsOnUpdate: given.createsOnUpdate ?? false,
    ...(given.stored && { stored: given.stored }),
  };
}
