/**
 * What the server knows about a kind in one of its versions: its names, its schema, and which rules apply. Built-in kinds are
 * written down in `built-in.ts`, custom ones are made from their CustomResourceDefinition in `crd.ts`; everything else treats
 * them alike.
 */
import type { ResourceSchema } from "../schema/schema.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import type { JsonObject, KubeObject } from "./object.ts";

/** A column of `kubectl get`. */
export interface PrinterColumn extends JsonObject {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  /** Columns above 0 are shown with `-o wide` only. */
  readonly priority?: number;
  readonly jsonPath: string;
}

/** Where a kind keeps what its scale subresource shows; JSON paths such as `.spec.replicas`. */
export interface ScalePaths extends JsonObject {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

/** How the objects of a kind are kept, where that is not as the kind shows them: as another version, or as a kind of another group. */
export interface StoredForm {
  /** Where they are kept: `<group>/<plural>`. */
  readonly resource: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

/** One kind in one served version. */
export interface ResourceKind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly listKind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Made from a CustomResourceDefinition: no strategic merge patch, columns of its own. */
  readonly custom: boolean;
  /** The schema of the whole object; `metadata` is the server's own matter. */
  readonly openApi: OpenApiSchema;
  readonly schema: ResourceSchema;
  /** Whether `metadata.generation` counts the changes of what is wanted. */
  readonly hasGeneration: boolean;
  readonly hasStatus: boolean;
  readonly scale?: ScalePaths;
  readonly columns: readonly PrinterColumn[];
  /** JSON paths beyond `metadata.name` and `metadata.namespace` that a field selector may name, without the leading dot. */
  readonly selectableFields: readonly string[];
  /** Whether a PUT may create the object. */
  readonly createsOnUpdate: boolean;
  /** Objects are kept as they are shown without it. */
  readonly stored?: StoredForm;
  /** The definition of the kind is going: its objects may go as well, and none comes. */
  readonly isTerminating?: boolean;
}

/** Whether it is this kind, in whatever version. */
export function isOf(kind: Pick<ResourceKind, "group" | "kind">, of: Pick<ResourceKind, "group" | "kind">): boolean {
  return kind.group === of.group && kind.kind === of.kind;
}

/** `v1`, `apps/v1`. */
export function apiVersionOf({ group, version }: Pick<ResourceKind, "group" | "version">): string {
  return group === "" ? version : `${group}/${version}`;
}

/** Where the objects of a kind are kept, whatever the version: `<group>/<plural>`. */
export function storageKeyOf({ group, plural, stored }: Pick<ResourceKind, "group" | "plural" | "stored">): string {
  return stored?.resource ?? `${group}/${plural}`;
}
