/**
 * Makes kinds of CustomResourceDefinitions. The versions of a kind share their objects, which are kept as the version that is marked
 * for storage; conversion is `None` only, as there is no webhook to call here: another version shows the fields that it knows.
 * Source: Kubernetes "Extend the API with CustomResourceDefinitions", "Versions in CustomResourceDefinitions".
 */
import { z } from "zod";
import { apiVersionOf, isOf, type ResourceKind, type StoredForm, storageKeyOf } from "../object/kind.ts";
import { isObject, type JsonObject, type KubeObject } from "../object/object.ts";
import { compileSchema, type ResourceSchema } from "../schema/schema.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import { CUSTOM_RESOURCE_DEFINITION } from "./built-in.ts";

const Names = z.object({
  plural: z.string(),
  kind: z.string(),
  singular: z.string().optional(),
  listKind: z.string().optional(),
  shortNames: z.array(z.string()).optional(),
  categories: z.array(z.string()).optional(),
});

const Column = z.object({
  name: z.string(),
  type: z.string(),
  jsonPath: z.string(),
  format: z.string().optional(),
  description: z.string().optional(),
  priority: z.number().optional(),
});

const Version = z.object({
  name: z.string(),
  served: z.boolean().default(false),
  storage: z.boolean().default(false),
  schema: z.object({ openAPIV3Schema: z.custom<OpenApiSchema>().optional() }).optional(),
  subresources: z
    .object({
      status: z.unknown().optional(),
      scale: z
        .object({
          specReplicasPath: z.string(),
          statusReplicasPath: z.string(),
          labelSelectorPath: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  selectableFields: z.array(z.object({ jsonPath: z.string() })).optional(),
  additionalPrinterColumns: z.array(Column).optional(),
});

/** The part of a definition that the server acts upon; `crd-rule.ts` has checked it. */
export const CrdSpec = z.object({ group: z.string(), scope: z.string(), names: Names, versions: z.array(Version) });
export type CrdSpec = z.infer<typeof CrdSpec>;

/** The kinds that a definition serves: one for each served version. Throws ZodError for a definition that was never accepted. */
export function kindsOf(crd: KubeObject): readonly ResourceKind[] {
  const spec = CrdSpec.parse(crd["spec"]);
  const { group, scope, names, versions } = spec;
  const schemas = new Map(versions.map((each) => [each.name, compileSchema(openApiOf(each))]));
  return versions
    .filter(({ served }) => served)
    .map((version) => {
      const { status, scale } = version.subresources ?? {};
      return {
        group,
        version: version.name,
        kind: names.kind,
        listKind: names.listKind ?? `${names.kind}List`,
        plural: names.plural,
        singular: names.singular ?? names.kind.toLowerCase(),
        shortNames: names.shortNames ?? [],
        categories: names.categories ?? [],
        namespaced: scope === "Namespaced",
        custom: true,
        openApi: openApiOf(version),
        schema: schemas.get(version.name) ?? compileSchema(openApiOf(version)),
        hasGeneration: true,
        hasStatus: status !== undefined,
        ...(scale && { scale: withoutUndefined(scale) }),
        columns: (version.additionalPrinterColumns ?? []).map(withoutUndefined),
        selectableFields: (version.selectableFields ?? []).map(({ jsonPath }) => jsonPath.replace(/^\./, "")),
        createsOnUpdate: false,
        stored: storedForm(spec, version.name, schemas),
      };
    });
}

const openApiOf = ({ schema }: CrdSpec["versions"][number]): OpenApiSchema => schema?.openAPIV3Schema ?? {};

/**
 * What is read is pruned and defaulted by the version that it was stored as, and pruned, but not defaulted, by the one that is asked
 * for; what is written is pruned by the stored one.
 */
function storedForm(
  { group, names, versions }: CrdSpec,
  version: string,
  schemas: ReadonlyMap<string, ResourceSchema>,
): StoredForm {
  const storage = versions.find((each) => each.storage)?.name ?? version;
  const as = (target: string, object: KubeObject): KubeObject => {
    const apiVersion = apiVersionOf({ group, version: target });
    if (object.apiVersion === apiVersion) return object;
    return pruned({ ...object, apiVersion }, schemas.get(target));
  };
  return {
    resource: storageKeyOf({ group, plural: names.plural }),
    toStored: (object) => as(storage, object),
    fromStored(object) {
      const own = schemas.get(object.apiVersion.slice(group.length + 1));
      const known = pruned(object, own);
      return as(version, withParts(known, own?.withDefaults(known) ?? known));
    },
  };
}

function pruned(object: KubeObject, schema: ResourceSchema | undefined): KubeObject {
  return schema === undefined ? object : withParts(object, schema.prune(object).object);
}

/** The same object when nothing changed. */
function withParts(object: KubeObject, parts: JsonObject): KubeObject {
  const { apiVersion, kind, metadata } = object;
  return parts === object ? object : { apiVersion, kind, metadata, ...parts };
}

/** `exactOptionalPropertyTypes`: what zod says may be undefined is never there as such. */
export function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return value as { [K in keyof T]: Exclude<T[K], undefined> };
}

/** The definition with what the server fills in. */
export function withCrdDefaults(crd: KubeObject): KubeObject {
  const { spec } = crd;
  if (!isObject(spec)) return crd;
  const given = isObject(spec["names"]) ? spec["names"] : {};
  const { kind } = given;
  const isNamed = typeof kind === "string" && kind !== "";
  const names = { ...(isNamed && { singular: kind.toLowerCase(), listKind: `${kind}List` }), ...given };
  return { ...crd, spec: { conversion: { strategy: "None" }, ...spec, names } };
}

/** Whether a kind is that of the definitions themselves. */
export function isCrd(kind: ResourceKind): boolean {
  return isOf(kind, CUSTOM_RESOURCE_DEFINITION);
}
