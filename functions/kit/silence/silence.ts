/**
 * What a silence is: which events of which subscriptions call no function, and when. One that a person made (`cr-reactor silence`) stands in
 * the bucket CR_SILENCES; one of the subscriptions file has a maintenance window, or is asked for by an annotation or label.
 */
import { z } from "zod";
import { didYouMean } from "#contract";
import { FILTER_KEYS, Filter } from "../filter/filter.ts";
import { MaintenanceWindow } from "./window.ts";

const text = z.string().min(1, "expected some text").max(500, "expected at most 500 characters");
const name = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "expected lower-case words with - between them, such as weekly-backup")
  .max(64, "expected at most 64 characters");
const globs = z.union([text, z.array(text).min(1, "name at least one").max(100, "name at most 100")], {
  error: "expected a text or a list of texts",
});
const key = z
  .string()
  .regex(
    /^([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
    "expected a key, such as example.com/quiet",
  );

/** Which events: all parts must hold, and what is left out is any. */
const scope = {
  /** Names of subscriptions, or globs of them. */
  subscriptions: globs.optional(),
  apiVersion: text.optional(),
  kind: text.optional(),
  cluster: text.optional(),
  /** In the subscriptions' own language. */
  when: Filter.optional(),
};
export type SilenceScope = z.infer<z.ZodObject<typeof scope>>;

const { when: _, ...beside } = scope;
/** Which events, as people write it on one line: a filter with kind, apiVersion, cluster and subscriptions beside its keys. */
export const SilenceWish = z
  .looseObject({})
  .superRefine((wish, context) => {
    const known = [...Object.keys(beside), ...FILTER_KEYS];
    for (const name of Object.keys(wish).filter((each) => !known.includes(each)))
      context.addIssue({ code: "custom", path: [name], message: `unknown key${didYouMean(name, known)}` });
  })
  .transform((wish, context): SilenceScope => {
    const given = Object.entries(wish);
    const filter = given.filter(([name]) => !(name in beside));
    const own = z.object(beside).safeParse(wish);
    const when = filter.length === 0 ? undefined : Filter.safeParse(Object.fromEntries(filter));
    for (const { path, message } of [...(own.error?.issues ?? []), ...(when?.error?.issues ?? [])])
      context.addIssue({ code: "custom", path: [...path], message });
    return { ...own.data, ...(when?.data && { when: when.data }) };
  });

/** A silence that somebody made, as the bucket has it; times are RFC 3339. */
export const Silence = z.object({
  version: z.literal(1),
  ...scope,
  reason: text,
  by: text,
  begins: z.iso.datetime(),
  ends: z.iso.datetime(),
  /** Whether what was held back is told afterwards. */
  summary: z.boolean(),
  /** Who ended it early. */
  endedBy: text.optional(),
});
export type Silence = z.infer<typeof Silence>;

/** A silence of the subscriptions file. */
export const SilenceSetting = z
  .strictObject({
    /** Unique in the file. */
    name,
    reason: text.optional(),
    ...scope,
    /** When: again and again. */
    window: MaintenanceWindow.optional(),
    /** When: as long as the object has this annotation with `"true"`, or with a time (RFC 3339) that is not over. */
    annotation: key.optional(),
    /** When: as long as the object has this label with `"true"`. */
    label: key.optional(),
    /** Whose annotation or label; default the object's. A namespace's is known where a bridge captures Namespaces. */
    of: z.enum(["object", "namespace"]).default("object"),
    /** Whether what was held back is told afterwards; default false. */
    summary: z.boolean().default(false),
  })
  .superRefine(({ window, annotation, label, of }, context) => {
    const times = [window, annotation, label].filter((each) => each !== undefined);
    if (times.length !== 1)
      context.addIssue({ code: "custom", message: "name one of window, annotation and label: it says when" });
    if (window !== undefined && of === "namespace")
      context.addIssue({
        code: "custom",
        path: ["of"],
        message: "a window needs no namespace: filter with when: { namespaces: … }",
      });
  });
export type SilenceSetting = z.infer<typeof SilenceSetting>;

/** Those of one file. More are no settings any more, and each event is compared with all of them. */
export const SilenceSettings = z
  .array(SilenceSetting)
  .max(100, "name at most 100 silences")
  .superRefine((silences, context) => {
    for (const [index, { name: own }] of silences.entries())
      if (silences.findIndex((each) => each.name === own) < index)
        context.addIssue({ code: "custom", path: [index, "name"], message: `"${own}" is the name of another one too` });
  });

/** A silence at one time of it, as it holds an event back. */
export interface Holding {
  /** Unique among all silences and their times. */
  readonly id: string;
  readonly reason: string | undefined;
  /** Epoch milliseconds; `undefined`: nobody knows, because an annotation or a label says only that it is so. */
  readonly endsMs: number | undefined;
  /** What was held back is told when it ends. */
  readonly summary: boolean;
}

/** How long one is known after its end: for a process that comes back to events of then, and for people who look. */
export const REMEMBERED_DAYS = 7;
