/**
 * A kind that is known to the compiler: its filters name only paths that it has, and functions get its objects with their types.
 * `cr-reactor types` writes such a kind from its definition. The types are what the API server promises; objects of events are not
 * checked again, which would cost more than filtering them: `schema.parse(object)` does, for whoever wants it.
 */
import { z } from "zod";
import { condition, field, phase } from "../filter/builder.ts";
import type { Filter } from "../filter/filter.ts";
import type { PathIn, ValueIn } from "./path-type.ts";

/** The metadata of every object. Source: Kubernetes API, ObjectMeta v1 meta; without managedFields, which no event has. */
export const ObjectMetadata = z.object({
  name: z.string(),
  generateName: z.string().optional(),
  /** Left out in cluster-scoped objects. */
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.number().optional(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
  deletionGracePeriodSeconds: z.number().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
  ownerReferences: z
    .array(
      z.object({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
        blockOwnerDeletion: z.boolean().optional(),
      }),
    )
    .optional(),
});
export type ObjectMetadata = z.infer<typeof ObjectMetadata>;

/** An object of a kind whose other parts are `Content`. */
export type ObjectOf<ApiVersion extends string, Name extends string, Content> = {
  readonly apiVersion: ApiVersion;
  readonly kind: Name;
  readonly metadata: ObjectMetadata;
} & Content;

type PlainField = NonNullable<Filter["field"]>;
type PlainCondition = NonNullable<Filter["condition"]>;

/** What has more and less: numbers, and quantities, which are text. */
type Amounts<Value> = [Extract<Value, number | string>] extends [never] ? "increased" | "decreased" : never;

/** A change of a field that the kind has. */
export type FieldChange<Resource, Path extends string> = Omit<
  PlainField,
  "path" | "from" | "to" | Amounts<ValueIn<Resource, Path>>
> & {
  readonly path: Path extends PathIn<Resource, Path> ? Path : PathIn<Resource, Path>;
  readonly from?: NoInfer<ValueIn<Resource, Path>>;
  readonly to?: NoInfer<ValueIn<Resource, Path>>;
};

/** The values of `status.phase` where the kind lists them; else any text. */
type PhaseOf<Resource> =
  "status.phase" extends PathIn<Resource, "status.phase">
    ? ValueIn<Resource, "status.phase"> extends string
      ? ValueIn<Resource, "status.phase">
      : string
    : string;

/** A transition between phases that the kind has. */
export interface PhaseChange<Resource> {
  readonly from?: PhaseOf<Resource> | PhaseOf<Resource>[];
  readonly to?: PhaseOf<Resource> | PhaseOf<Resource>[];
}

/** Whether the kind has conditions; else nothing can be said of them. */
type ConditionOf<Resource> = "status.conditions" extends PathIn<Resource, "status.conditions"> ? PlainCondition : never;

/** What a function needs to know of the kind that it is written for. */
export interface KindOf<Resource> {
  readonly apiVersion: string;
  readonly kind: string;
  /** Checks a whole object, and puts in what the definition has as defaults. */
  readonly schema: z.ZodType<Resource>;
}

/** A kind. */
export interface Kind<Resource = unknown> extends KindOf<Resource> {
  /** As the kit's `field`; a path that the kind does not have, and a value of another type, do not compile. */
  field<const Path extends string>(change: FieldChange<Resource, Path>): Filter;
  /** As the kit's `phase`, for kinds whose phase is `status.phase`. */
  phase(transition?: PhaseChange<Resource>): Filter;
  /** As the kit's `condition`, for kinds that have conditions. */
  condition(transition: ConditionOf<Resource>): Filter;
}

/** Defines a kind. `schema` is of everything but apiVersion, kind and metadata. */
export function defineKind<
  const ApiVersion extends string,
  const Name extends string,
  Schema extends z.ZodObject,
>(definition: {
  readonly apiVersion: ApiVersion;
  readonly kind: Name;
  readonly schema: Schema;
}): Kind<ObjectOf<ApiVersion, Name, z.output<Schema>>> {
  const { apiVersion, kind, schema } = definition;
  const identity = { apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata: ObjectMetadata };
  return {
    apiVersion,
    kind,
    schema: schema.extend(identity) as unknown as z.ZodType<ObjectOf<ApiVersion, Name, z.output<Schema>>>,
    field: (change) => field(change as PlainField),
    phase: (transition = {}) => phase(transition),
    condition: (transition) => condition(transition),
  };
}
