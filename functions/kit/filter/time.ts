/**
 * What a subscription says of time, as data: keys beside `when`, one of which may stand there. `count`, `rateLimit`, `oncePer` and `sample` decide
 * about an event at once, and what they leave out is skipped; `for`, `debounce`, `batch` and `throttle` let it wait. What each means is in
 * functions/README.md.
 */
import { z } from "zod";
import { Duration } from "../duration.ts";
import { Grouping, shownGrouping } from "./grouping.ts";

/** Each of them is remembered in one record. */
const number = (least: number) => z.int().min(least).max(100);
/** What is one call, or begins at once, is held in memory. */
const CALLS_MAX = 500;

export const timeShape = {
  /** The function is called only when what `when` says became so has been so for this long (`10m`), and once for each time; default at once. */
  for: Duration.optional(),
  /** The function is called only when nothing more of the object has matched for this long, with the last event that did; default at once. */
  debounce: Duration.optional(),
  /** The function is called only with the event that makes it so many of the group within this time, and then counts anew. */
  count: z.strictObject({ min: number(2), within: Duration, by: Grouping.default("object") }).optional(),
  /** The function is called for at most so many events of the group within this time; the others are skipped. */
  rateLimit: z.strictObject({ max: number(1), per: Duration, by: Grouping.default("object") }).optional(),
  /** The function is called once for each value of the key within this time; an event without a value is called for. */
  oncePer: z.strictObject({ key: Grouping, within: Duration.default("30d") }).optional(),
  /** The function is called for this share of the events; with `by`, for all events of this share of the groups. */
  sample: z
    .strictObject({
      percent: z.number({ error: "expected more than 0 and less than 100" }).gt(0).lt(100),
      by: Grouping.optional(),
    })
    .optional(),
  /** The function is called for at most so many events of the group within this time; the others wait. */
  throttle: z
    .strictObject({ max: z.int().min(1).max(CALLS_MAX), per: Duration, by: Grouping.default("all") })
    .optional(),
  /** Events of a group that match within a window, which the first one opens, are one call; so many at once. Of functions that say `batches`. */
  batch: z
    .strictObject({
      window: Duration,
      max: z.int().min(2).max(CALLS_MAX).default(100),
      by: Grouping.default("all"),
    })
    .optional(),
};
/** The keys, of which a subscription may name one. */
export const Times = z.object(timeShape);
export type Times = z.input<typeof Times>;
export const TIME_KEYS = Object.keys(timeShape) as readonly (keyof Times)[];

/** Those that a selection names. */
export function timesIn(selection: Times): readonly (keyof Times)[] {
  return TIME_KEYS.filter((key) => selection[key] !== undefined);
}

/** The groupings that a selection names, and where they stand. */
export function groupingsIn({
  count,
  rateLimit,
  oncePer,
  sample,
  throttle,
  batch,
}: Times): readonly (readonly [string, Grouping])[] {
  const by = Object.entries({ count, rateLimit, sample, throttle, batch }).map(
    ([key, time]) => [`${key}.by`, time?.by] as const,
  );
  const all = [...by, ["oncePer.key", oncePer?.key] as const];
  return all.flatMap(([place, grouping]) => (grouping === undefined ? [] : [[place, grouping] as const]));
}

/** When the function is called for what matches, in a sentence; `undefined`: at once. */
export function shownTimes(selection: Times): string | undefined {
  const { debounce, count, rateLimit, oncePer, sample, throttle, batch } = Times.parse(selection);
  const held = selection.for;
  if (held !== undefined) return `when it has been so for ${held}; until then it waits in NATS`;
  if (debounce !== undefined) return `with the last event of an object, when no other has matched for ${debounce}`;
  if (count !== undefined)
    return `with the event that makes it ${count.min} within ${count.within} by ${shownGrouping(count.by)}; the others are skipped`;
  if (rateLimit !== undefined)
    return `for at most ${rateLimit.max} within ${rateLimit.per} by ${shownGrouping(rateLimit.by)}; the others are skipped`;
  if (oncePer !== undefined)
    return `once for each value of ${shownGrouping(oncePer.key)} within ${oncePer.within}; the others are skipped`;
  if (sample !== undefined)
    return `for ${sample.percent} % of ${sample.by === undefined ? "the events" : `the groups by ${shownGrouping(sample.by)}`}; the others are skipped`;
  if (throttle !== undefined)
    return `for at most ${throttle.max} within ${throttle.per} by ${shownGrouping(throttle.by)}; the others wait in NATS`;
  if (batch !== undefined)
    return `once for what matches within ${batch.window} by ${shownGrouping(batch.by)}, or for each ${batch.max} at once`;
  return undefined;
}
