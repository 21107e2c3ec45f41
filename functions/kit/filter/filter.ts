/**
 * The filter as data: one schema with two faces, YAML and the builders of `builder.ts`, that give the same value. Several keys in one
 * filter must all hold. What each of them means is in `clause/`, what of it NATS can decide is in `plan.ts`.
 */
import { z } from "zod";
import { didYouMean, Envelope, FieldPath, type Json, Op } from "#contract";
import { compileCel } from "../expression/cel.ts";
import { compileCesql } from "../expression/cesql.ts";
import { ExpressionError } from "../expression/expression-error.ts";
import { FIELD_CHANGES } from "./clause/field.ts";
import { filterTooLarge } from "./filter-size.ts";
import { timeShape } from "./time.ts";

const text = z.string().min(1, "expected some text");
const oneOrMore = z.union([text, z.array(text).min(1, "name at least one value")], {
  error: "expected a text or a list of texts; a number, true or false belongs in quotes",
});
const values = z.union([z.string(), z.array(z.string()).min(1)], {
  error: "expected a text or a list of texts; a number, true or false belongs in quotes",
});
const json = z.json() as z.ZodType<Json, Json>;
const fact = z.literal(true, { error: "expected true: for the opposite write not: { … }" });

/** `{}` is any transition; a list means any of these. */
const PhaseFilter = z.strictObject({ from: oneOrMore.optional(), to: oneOrMore.optional() });

/** With the path alone: the value there changed, or anything below it. */
const FieldFilter = z
  .strictObject({
    path: FieldPath,
    from: json.optional(),
    to: json.optional(),
    /** Changed by an update; what is left out when nothing else is said. */
    changed: fact.optional(),
    /** A number or quantity (500m, 1Gi) that is more than before. */
    increased: fact.optional(),
    decreased: fact.optional(),
    /** Came into being, with the object too. */
    present: fact.optional(),
    /** Went away, while the object stays. */
    absent: fact.optional(),
  })
  .superRefine(refuseContradictions);

const status = z.union([text, z.boolean()]);
const oneOrMoreStatuses = z.union([status, z.array(status).min(1)], {
  error: "expected True, False or Unknown, or a list of them",
});

/** With the type alone: any transition of its status. */
const ConditionFilter = z.strictObject({
  type: text,
  from: oneOrMoreStatuses.optional(),
  to: oneOrMoreStatuses.optional(),
  /** The reason that it has afterwards; one reason for another is a transition too. */
  reason: oneOrMore.optional(),
});

/** The paths of what is asked for, and of what there is. */
const DivergenceFilter = z.strictObject({ spec: FieldPath, status: FieldPath });

const OwnerFilter = z.strictObject({ apiVersion: text.optional(), kind: text, name: oneOrMore.optional() });

const attributes = z
  .record(
    z.string(),
    z.string({ error: "expected a text; a number, true or false belongs in quotes" }).min(1, "expected some text"),
  )
  .superRefine(refuseUnknownAttributes);

const labelsOrAnnotations = z
  .record(z.string(), values)
  .refine((wish) => Object.keys(wish).length > 0, "name at least one");

const plainFilter = {
  op: z.union([Op, z.array(Op).min(1, "name at least one")], { error: ({ input }) => expectedOps(input) }).optional(),
  created: fact.optional(),
  deleted: fact.optional(),
  terminating: fact.optional(),
  phase: PhaseFilter.optional(),
  condition: ConditionFilter.optional(),
  field: FieldFilter.optional(),
  diverged: DivergenceFilter.optional(),
  /** Globs: `*` is any run of characters; any of them will do. */
  names: oneOrMore.optional(),
  namespaces: oneOrMore.optional(),
  manager: oneOrMore.optional(),
  /** Key to glob or globs, all keys; `"*"` asks only that it is there. */
  labels: labelsOrAnnotations.optional(),
  annotations: labelsOrAnnotations.optional(),
  ownedBy: OwnerFilter.optional(),
  /** CloudEvents Subscriptions API: attributes of the event. */
  exact: attributes.optional(),
  prefix: attributes.optional(),
  suffix: attributes.optional(),
  sql: expression(compileCesql).optional(),
  /** Knative's name for `sql`. */
  cesql: expression(compileCesql).optional(),
  /** Over object, before, patch, transitions and event. */
  cel: expression(compileCel).optional(),
};
/** What a filter may say. */
export const FILTER_KEYS: readonly string[] = [...Object.keys(plainFilter), "all", "any", "not"];

const filters = (): z.ZodOptional<z.ZodArray<z.ZodType<Filter, Filter>>> =>
  z.array(AnyFilter).min(1, "name at least one filter").optional();

/** A filter over events, however large. */
const AnyFilter = z
  .strictObject({
    ...plainFilter,
    get all() {
      return filters();
    },
    get any() {
      return filters();
    },
    get not(): z.ZodOptional<z.ZodType<Filter, Filter>> {
      return AnyFilter.optional();
    },
  })
  .refine((filter) => Object.values(filter).some((value) => value !== undefined), {
    error: `is empty: name a condition (${FILTER_KEYS.join(", ")}), or leave it out`,
    when: ({ issues }) => issues.length === 0,
  });

/** A filter over events: at most 32 deep, and 256 filters in all. */
export const Filter = z.preprocess((value, context) => {
  const problem = filterTooLarge(value);
  if (problem === undefined) return value;
  context.addIssue({ code: "custom", message: problem, input: undefined });
  return z.NEVER;
}, AnyFilter) as unknown as z.ZodType<Filter, Filter>;
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
  ...timeShape,
  /** The opposite of `when`: named, the function is told about incidents, which `when` opens and this resolves. A deletion resolves too. */
  resolve: Filter.optional(),
  /** Whether objects that were already there when the bridge first saw them count as born now; default false. */
  includeExisting: z.boolean().default(false),
});
export type Selection = z.input<typeof Selection>;

/** The selection in a subscription: its keys and no others, those that say nothing left out. */
export function selectionIn(subscription: Selection): Selection {
  const keys = Object.keys(Selection.shape) as (keyof Selection)[];
  const said = keys.filter((key) => subscription[key] !== undefined);
  return Object.fromEntries(said.map((key) => [key, subscription[key]])) as unknown as Selection;
}

function refuseContradictions(wish: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void {
  const changes = FIELD_CHANGES.filter((change) => wish[change] !== undefined);
  const refuse = (message: string) => context.addIssue({ code: "custom", message });
  if (changes.length > 1) refuse(`${changes.join(" and ")} exclude each other: keep one, or write any: [ … ]`);
  if (wish["present"] && wish["from"] !== undefined)
    refuse("present means that there was no value before: leave out from");
  if (wish["absent"] && wish["to"] !== undefined) refuse("absent means that there is no value any more: leave out to");
}

function expectedOps(given: unknown): string {
  const wrong = [given].flat().find((op) => !Op.safeParse(op).success);
  const help = typeof wrong === "string" ? didYouMean(wrong, Op.options) : "";
  return `expected ${Op.options.join(", ")}, or a list of them${help}`;
}

/** An attribute that no event has would never match, and nobody would know. */
function refuseUnknownAttributes(wish: Readonly<Record<string, string>>, context: z.RefinementCtx): void {
  const known = Object.keys(Envelope.shape).filter((name) => name !== "data");
  if (Object.keys(wish).length === 0) context.addIssue({ code: "custom", message: "name at least one attribute" });
  for (const name of Object.keys(wish)) {
    if (known.includes(name)) continue;
    const help = didYouMean(name, known) || `: known are ${known.join(", ")}`;
    context.addIssue({ code: "custom", path: [name], message: `no attribute of our events${help}` });
  }
}

/** Compiled here only to tell what is wrong with it. */
function expression(compile: (source: string) => unknown): z.ZodString {
  return z.string().superRefine((source, context) => {
    try {
      compile(source);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      context.addIssue({ code: "custom", message: error.message });
    }
  });
}
