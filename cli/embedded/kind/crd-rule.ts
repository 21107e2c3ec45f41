/**
 * What is wrong with a CustomResourceDefinition, in the words and in the order of kube-apiserver: its names, its versions, its schemas.
 * What all versions have alike (their schema, their subresources, their columns) the server reads as one of the whole definition, and
 * names it so: `spec.validation` rather than `spec.versions[0].schema`.
 * Source: apiextensions-apiserver `pkg/apis/apiextensions/validation/validation.go`, `pkg/apis/apiextensions/v1/conversion.go`.
 */
import { isDeepStrictEqual } from "node:util";
import { SUBDOMAIN, SUBDOMAIN_RULE } from "../object/label-syntax.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { forbiddenValue, invalidValue, requiredValue, unsupportedValue } from "../schema/schema-cause.ts";
import type { ValueSchema } from "../schema/value-schema.ts";
import { columnProblems, scaleProblems, selectableProblems } from "./crd-view-rule.ts";
import { defaultProblems, hidesStructure, openApiProblems } from "./openapi-schema-rule.ts";
import { structuralProblems } from "./structural-schema.ts";

const LABEL = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_CHARACTERS_MAX = 63;
const LABEL_RULE =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
/** The keywords that a root schema may have when its status is written on its own. */
const ROOT_WITH_STATUS = [
  ...["description", "type", "format", "title", "maximum", "exclusiveMaximum", "minimum", "exclusiveMinimum"],
  ...["maxLength", "minLength", "pattern", "maxItems", "minItems", "uniqueItems", "multipleOf", "required", "items"],
  ...["properties", "externalDocs", "example", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"],
];
/** As the server names them: `XPreserveUnknownFields`. */
const SHOWN_AT_ROOT = ROOT_WITH_STATUS.map((keyword) =>
  keyword.replace("x-kubernetes", "-x").replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
);

const partOf = (object: Json | undefined, part: string): JsonObject => {
  const value = isObject(object) ? object[part] : undefined;
  return isObject(value) ? value : {};
};
const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

/** What is wrong with a definition whose types are right; `before` is what it replaces. */
export function crdProblems(crd: KubeObject, before?: KubeObject): readonly StatusCause[] {
  const spec = partOf(crd, "spec");
  const names = partOf(spec, "names");
  const { name } = crd.metadata;
  const isNamed = before !== undefined || name === `${textOf(names["plural"])}.${textOf(spec["group"])}`;
  const versions = listOf(spec["versions"]).filter(isObject);
  return [
    ...(isNamed ? [] : [invalidValue("metadata.name", name, `must be spec.names.plural+"."+spec.group`)]),
    ...groupProblems(textOf(spec["group"])),
    ...scopeProblems(textOf(spec["scope"])),
    ...versionsProblems(versions, spec["versions"] ?? null),
    ...nameProblems(names),
    ...sharedProblems(versions),
    ...(versions.some(({ storage }) => storage === true)
      ? []
      : [invalidValue("status.storedVersions", null, "must have at least one stored version")]),
    ...(before === undefined ? [] : changeProblems(spec, versions, before)),
  ];
}

function groupProblems(group: string): readonly StatusCause[] {
  if (group === "") return [requiredValue("spec.group")];
  if (!SUBDOMAIN.test(group)) return [invalidValue("spec.group", group, SUBDOMAIN_RULE)];
  return group.includes(".") ? [] : [invalidValue("spec.group", group, "should be a domain with at least one dot")];
}

function scopeProblems(scope: string): readonly StatusCause[] {
  if (scope === "") return [requiredValue("spec.scope")];
  if (scope === "Namespaced" || scope === "Cluster") return [];
  return [unsupportedValue("spec.scope", scope, ["Cluster", "Namespaced"])];
}

const schemaOf = (version: JsonObject) => partOf(version, "schema")["openAPIV3Schema"];
const hasStatus = (version: JsonObject) => partOf(version, "subresources")["status"] !== undefined;

/** Whether all versions have a part alike, so that it is read as one of the definition. */
function isShared(versions: readonly JsonObject[], part: string): boolean {
  return versions.every((version) => isDeepStrictEqual(version[part], versions[0]?.[part]));
}

function versionsProblems(versions: readonly JsonObject[], shown: Json): readonly StatusCause[] {
  const names = versions.map(({ name }) => textOf(name));
  const stored = versions.filter(({ storage }) => storage === true).length;
  return [
    ...versions.flatMap((version, index) =>
      isObject(schemaOf(version)) ? [] : [requiredValue(`spec.versions[${index}].schema.openAPIV3Schema`)],
    ),
    ...versions.flatMap((version, index) => versionProblems(version, versions, `spec.versions[${index}]`)),
    ...(new Set(names).size === names.length
      ? []
      : [invalidValue("spec.versions", shown, "must contain unique version names")]),
    ...(stored === 1
      ? []
      : [invalidValue("spec.versions", shown, "must have exactly one version marked as storage version")]),
  ];
}

function versionProblems(version: JsonObject, all: readonly JsonObject[], at: string): readonly StatusCause[] {
  const { name, deprecated, deprecationWarning, additionalPrinterColumns } = version;
  const isWarning = typeof deprecationWarning === "string" && deprecated !== true;
  const schema = schemaOf(version);
  return [
    ...labelProblems(textOf(name), `${at}.name`),
    ...(isWarning
      ? [invalidValue(`${at}.deprecationWarning`, deprecationWarning, "can only be set for deprecated versions")]
      : []),
    ...(isObject(schema) && !isShared(all, "schema")
      ? schemaProblems(schema, hasStatus(version), `${at}.schema.openAPIV3Schema`)
      : []),
    ...(isShared(all, "subresources") ? [] : scaleProblems(version, `${at}.subresources`)),
    ...(isShared(all, "additionalPrinterColumns")
      ? []
      : columnProblems(additionalPrinterColumns, `${at}.additionalPrinterColumns`)),
    ...(isShared(all, "selectableFields") ? [] : selectableProblems(version, `${at}.selectableFields`)),
  ];
}

/** What is wrong with the parts that all versions have alike. */
function sharedProblems(versions: readonly JsonObject[]): readonly StatusCause[] {
  const [first] = versions;
  if (first === undefined) return [];
  const schema = schemaOf(first);
  return [
    ...(isObject(schema) && isShared(versions, "schema")
      ? schemaProblems(schema, versions.some(hasStatus), "spec.validation.openAPIV3Schema")
      : []),
    ...(isShared(versions, "subresources") ? scaleProblems(first, "spec.subresources") : []),
    ...(isShared(versions, "additionalPrinterColumns")
      ? columnProblems(first["additionalPrinterColumns"], "spec.additionalPrinterColumns")
      : []),
    ...(isShared(versions, "selectableFields") ? selectableProblems(first, "spec.selectableFields") : []),
  ];
}

function schemaProblems(schema: ValueSchema, withStatus: boolean, at: string): readonly StatusCause[] {
  const other = Object.keys(schema).some((keyword) => !ROOT_WITH_STATUS.includes(keyword));
  const only = `only [${SHOWN_AT_ROOT.join(" ")}] fields are allowed at the root of the schema if the status subresource is enabled`;
  const openApi = openApiProblems(schema, at);
  const structural = hidesStructure(openApi) ? [] : structuralProblems(schema, at);
  return [
    ...(withStatus && other ? [invalidValue(at, schema, only)] : []),
    ...(schema.nullable ? [forbiddenValue(`${at}.nullable`, "nullable cannot be true at the root")] : []),
    ...(structural.length > 0 || hidesStructure(openApi) ? structural : defaultProblems(schema, at)),
    ...openApi,
  ];
}

function nameProblems(names: JsonObject): readonly StatusCause[] {
  const at = "spec.names";
  const missing = ["plural", "singular", "kind", "listKind"].filter((field) => textOf(names[field]) === "");
  const [kind, listKind] = [textOf(names["kind"]), textOf(names["listKind"])];
  const mixed = "may have mixed case, but should otherwise match: ";
  return [
    ...missing.map((field) => requiredValue(`${at}.${field}`)),
    ...["plural", "singular"].flatMap((field) => labelProblems(textOf(names[field]), `${at}.${field}`, true)),
    ...["kind", "listKind"].flatMap((field) => {
      const name = textOf(names[field]);
      const where = `${at}.${field}`;
      return labelProblems(name.toLowerCase(), where, true).map(() =>
        invalidValue(where, name, `${mixed}${LABEL_RULE}`),
      );
    }),
    ...listOf(names["shortNames"]).flatMap((each, index) => labelProblems(textOf(each), `${at}.shortNames[${index}]`)),
    ...(kind !== "" && kind === listKind
      ? [invalidValue(`${at}.listKind`, listKind, "kind and listKind may not be the same")]
      : []),
    ...listOf(names["categories"]).flatMap((each, index) => labelProblems(textOf(each), `${at}.categories[${index}]`)),
  ];
}

function labelProblems(label: string, field: string, mayBeEmpty = false): readonly StatusCause[] {
  if (mayBeEmpty && label === "") return [];
  if (label.length > LABEL_CHARACTERS_MAX)
    return [invalidValue(field, label, `must be no more than ${LABEL_CHARACTERS_MAX} characters`)];
  return LABEL.test(label) ? [] : [invalidValue(field, label, LABEL_RULE)];
}

/** What the storage depends on stays as it was, and a version that objects may be stored in stays in the definition. */
function changeProblems(spec: JsonObject, versions: readonly JsonObject[], before: KubeObject): readonly StatusCause[] {
  const earlier = partOf(before, "spec");
  const fixed: readonly (readonly [string, Json | undefined, Json | undefined])[] = [
    ["spec.scope", spec["scope"], earlier["scope"]],
    ["spec.names.kind", partOf(spec, "names")["kind"], partOf(earlier, "names")["kind"]],
    ["spec.group", spec["group"], earlier["group"]],
    ["spec.names.plural", partOf(spec, "names")["plural"], partOf(earlier, "names")["plural"]],
  ];
  const known = versions.map(({ name }) => name);
  return [
    ...fixed
      .filter(([, now, then]) => now !== then)
      .map(([field, now]) => invalidValue(field, now ?? "", "field is immutable")),
    ...listOf(partOf(before, "status")["storedVersions"]).flatMap((name, index) => {
      if (known.includes(name)) return [];
      const why = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
      return [invalidValue(`status.storedVersions[${index}]`, name, why)];
    }),
  ];
}
