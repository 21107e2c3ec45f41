/**
 * The filter as data: one schema with two faces, YAML and the builders below, that give the same value. Several keys in one
 * filter must all hold. What a filter means is in `match.ts`, what of it NATS can decide is in `plan.ts`.
 */

import { z } from "zod";
import { FieldPath, type Json } from "#contract";

const text = z.string().min(1, "expected some text");
const oneOrMore = z.union([text, z.array(text).min(1, "name at least one value")]);
const json = z.json() as z.ZodType<Json, Json>;

/** `{}` is any transition; a list means any of these. */
const PhaseFilter = z.strictObject({ from: oneOrMore.optional(), to: oneOrMore.optional() });

/** With neither `from` nor `to`: the value at the path changed, or anything below it. */
const FieldFilter = z.strictObject({ path: FieldPath, from: json.optional(), to: json.optional() });

const fact = z.literal(true, { error: "expected true: for the opposite write not: { … }" });

const plainFilter = {
  phase: PhaseFilter.optional(),
  field: FieldFilter.optional(),
  created: fact.optional(),
  deleted: fact.optional(),
  /** Labels of the object after the change: key to value, or to a list of values of which any will do. */
  labels: z.record(text, z.union([z.string(), z.array(z.string()).min(1)])).optional(),
  /** Globs of namespaces of which any will do; `*` is any run of characters. */
  namespaces: z.array(text).min(1, "name at least one namespace").optional(),
};

/** A filter over events. */
export const Filter = z
  .strictObject({
    ...plainFilter,
    get all(): z.ZodOptional<z.ZodArray<z.ZodType<Filter, Filter>>> {
      return z.array(Filter).min(1, "name at least one filter").optional();
    },
    get any(): z.ZodOptional<z.ZodArray<z.ZodType<Filter, Filter>>> {
      return z.array(Filter).min(1, "name at least one filter").optional();
    },
    get not(): z.ZodOptional<z.ZodType<Filter, Filter>> {
      return Filter.optional();
    },
  })
  .refine((filter) => Object.values(filter).some((value) => value !== undefined), {
    error:
      "is empty: name a condition (phase, field, created, deleted, labels, namespaces, all, any, not), or leave it out",
    when: ({ issues }) => issues.length === 0,
  });
export interface Filter extends z.infer<z.ZodObject<typeof plainFilter>> {
  all?: Filter[] | undefined;
  any?: Filter[] | undefined;
  not?: Filter | undefined;
}

/** Which events a function gets: a kind of object, and what must have happened to it. */
export const Selection = z.strictObject({
  /** Group and version as in manifests: `demo.example.com/v1`. */
  apiVersion: text.regex(/^([a-z0-9.-]+\/)?[a-z0-9]+$/, "expected group/version, such as demo.example.com/v1"),
  kind: text.regex(/^[A-Za-z][A-Za-z0-9]*$/, "expected a kind, such as Database"),
  /** The name a bridge gives its cluster; left out: any. */
  cluster: z
    .string()
    .regex(/^[a-z0-9-]+$/, "expected the name of one cluster: a-z, 0-9 and -")
    .optional(),
  /** Left out: everything that happens to such an object. */
  when: Filter.optional(),
  /** Whether objects that were already there when the bridge first saw them count as born now; default false. */
  includeExisting: z.boolean().default(false),
});
export type Selection = z.input<typeof Selection>;

/** Enters one of the phases `to`, leaves one of the phases `from`; `phase()` is any transition. */
export function phase(transition: z.input<typeof PhaseFilter> = {}): Filter {
  return { phase: transition };
}

/** The value at the path became `to`, was `from`, or with neither: changed. */
export function field(change: z.input<typeof FieldFilter>): Filter {
  return { field: change };
}

/** The object was created. */
export function created(): Filter {
  return { created: true };
}

/** The object was deleted. */
export function deleted(): Filter {
  return { deleted: true };
}

/** The object has all these labels. */
export function labels(wanted: Readonly<Record<string, string | string[]>>): Filter {
  return { labels: { ...wanted } };
}

/** The object is in a namespace that one of the globs fits. */
export function namespaces(...globs: string[]): Filter {
  return { namespaces: globs };
}

/** Every one of the filters holds. */
export function all(...filters: Filter[]): Filter {
  return { all: filters };
}

/** At least one of the filters holds. */
export function any(...filters: Filter[]): Filter {
  return { any: filters };
}

/** The filter does not hold. */
export function not(filter: Filter): Filter {
  return { not: filter };
}
