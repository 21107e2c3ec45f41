/**
 * What is wrong with the parts of a CustomResourceDefinition that say how its objects are seen: the columns of `kubectl get`, the
 * fields that a field selector may name, and where the scale subresource looks.
 * Source: apiextensions-apiserver `pkg/apis/apiextensions/validation/validation.go`.
 */
import { isObject, type Json, type JsonObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { causeOf, invalidValue, requiredValue } from "../schema/schema-cause.ts";
import { schemaOfField, type ValueSchema } from "../schema/value-schema.ts";

const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const SELECTABLE_TYPES = ["string", "boolean", "integer"];
const SELECTABLE_MAX = 8; // the API server's limit: each costs with every watch
const NO_PATH = "must be a simple json path starting with .";

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const listOf = (value: Json | undefined): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** What is wrong with the scale subresource of a version; `at` is the path of its subresources. */
export function scaleProblems({ subresources }: JsonObject, at: string): readonly StatusCause[] {
  const scale = isObject(subresources) ? subresources["scale"] : undefined;
  if (!isObject(scale)) return [];
  const check = (field: string, places: readonly string[], isOptional = false) => {
    const path = textOf(scale[field]);
    const where = `${at}.scale.${field}`;
    if (path === "") return isOptional ? [] : [requiredValue(where)];
    if (!path.startsWith(".")) return [invalidValue(where, path, NO_PATH)];
    if (places.some((place) => path.startsWith(`${place}.`))) return [];
    const listed = places.length === 1 ? places[0] : `either ${places.join(" or ")}`;
    return [invalidValue(where, path, `should be a json path under ${listed}`)];
  };
  return [
    ...check("specReplicasPath", [".spec"]),
    ...check("statusReplicasPath", [".status"]),
    ...check("labelSelectorPath", [".spec", ".status"], true),
  ];
}

/** What is wrong with printer columns. */
export function columnProblems(columns: Json | undefined, at: string): readonly StatusCause[] {
  return listOf(columns).flatMap((column, index) => {
    const [name, type] = [textOf(column["name"]), textOf(column["type"])];
    const [format, path] = [textOf(column["format"]), textOf(column["jsonPath"])];
    const place = `${at}[${index}]`;
    const types = `must be one of ${COLUMN_TYPES.join(",")}`;
    const formats = `must be one of ${COLUMN_FORMATS.join(",")}`;
    return [
      ...(name ? [] : [requiredValue(`${place}.name`)]),
      ...(type ? [] : [requiredValue(`${place}.type`, types)]),
      ...(type && !COLUMN_TYPES.includes(type) ? [invalidValue(`${place}.type`, type, types)] : []),
      ...(format && !COLUMN_FORMATS.includes(format) ? [invalidValue(`${place}.format`, format, formats)] : []),
      ...(path ? [] : [requiredValue(`${place}.JSONPath`)]),
      ...(path && !path.startsWith(".") ? [invalidValue(`${place}.JSONPath`, path, NO_PATH)] : []),
    ];
  });
}

/** What is wrong with the selectable fields of a version. */
export function selectableProblems({ selectableFields, schema }: JsonObject, at: string): readonly StatusCause[] {
  const openApi = isObject(schema) ? schema["openAPIV3Schema"] : undefined;
  const fields = listOf(selectableFields).map(({ jsonPath }) => textOf(jsonPath));
  if (fields.length === 0 || !isObject(openApi)) return [];
  const many = `must have at most ${SELECTABLE_MAX} items`;
  const isMany = new Set(fields).size > SELECTABLE_MAX;
  return [
    ...fields.flatMap((path, index) => {
      const where = `${at}[${index}].jsonPath`;
      const isTwice = fields.indexOf(path) < index;
      return [
        ...pathProblems(path, openApi, where),
        ...(isTwice ? [causeOf("FieldValueDuplicate", where, path, "")] : []),
      ];
    }),
    ...(isMany ? [causeOf("FieldValueTooMany", at, new Set(fields).size, many)] : []),
  ];
}

function pathProblems(path: string, root: ValueSchema, where: string): readonly StatusCause[] {
  if (path === "") return [requiredValue(where)];
  const names = path.replace(/^\./, "").split(".");
  const found = names.reduce<ValueSchema | undefined>((at, name) => at && schemaOfField(at, name), root);
  if (names[0] === "metadata") return [invalidValue(where, path, "must not point to fields in metadata")];
  if (found === undefined) return [invalidValue(where, path, "is an invalid path: does not refer to a valid field")];
  if (SELECTABLE_TYPES.includes(found.type ?? "")) return [];
  const why =
    "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
  return [invalidValue(where, path, why)];
}
