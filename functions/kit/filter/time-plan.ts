/**
 * What a subscription says of time, made ready. Pure: what is remembered between events is in `timer/`.
 */
import { hash } from "node:crypto";
import type { z } from "zod";
import type { Envelope } from "#contract";
import { msOf } from "../duration.ts";
import type { Filter } from "./filter.ts";
import { compileGrouping, type Grouping, type GroupOf } from "./grouping.ts";
import { type HeldState, heldStateOf } from "./held-state.ts";
import { Times } from "./time.ts";

/** How long an event that matched waits before it is run; without a state until nothing more has matched. */
export interface Window {
  readonly ms: number;
  readonly state: HeldState | undefined;
}

/** So many events of a group within a time: each `number`-th is run, or at most `number` are. */
export interface Rate {
  readonly type: "count" | "rateLimit" | "oncePer" | "throttle";
  readonly number: number;
  readonly withinMs: number;
  readonly groupOf: GroupOf;
}

/** How long what matches is collected, and how many are one call. */
export interface BatchPlan {
  readonly ms: number;
  readonly max: number;
  readonly groupOf: GroupOf;
}

/** At most one of them is there. */
export interface TimePlan {
  /** With `for` or `debounce`. */
  readonly window?: Window | undefined;
  /** With `count`, `rateLimit`, `oncePer` or `throttle`. */
  readonly rate?: Rate | undefined;
  /** With `sample`: whether the event is among the share. The same event gets the same answer everywhere. */
  readonly sample?: ((event: Envelope) => boolean) | undefined;
  readonly batch?: BatchPlan | undefined;
}

/** Compiles it once. Throws ExpressionError, StatelessFilterError. */
export function planTimes(selection: Times & { readonly when?: Filter | undefined }): TimePlan {
  const times = Times.parse(selection);
  const { sample, batch } = times;
  return {
    window: windowOf(times, selection.when),
    rate: rateOf(times),
    sample: sample && sampleOf(sample),
    batch: batch && { ms: msOf(batch.window), max: batch.max, groupOf: compileGrouping(batch.by) },
  };
}

function windowOf({ for: held, debounce }: Times, when: Filter | undefined): Window | undefined {
  if (held !== undefined) return { ms: msOf(held), state: heldStateOf(when) };
  return debounce === undefined ? undefined : { ms: msOf(debounce), state: undefined };
}

function rateOf({ count, rateLimit, oncePer, throttle }: z.output<typeof Times>): Rate | undefined {
  const rate = (type: Rate["type"], number: number, within: string, by: Grouping): Rate => ({
    type,
    number,
    withinMs: msOf(within),
    groupOf: compileGrouping(by),
  });
  if (count !== undefined) return rate("count", count.min, count.within, count.by);
  if (rateLimit !== undefined) return rate("rateLimit", rateLimit.max, rateLimit.per, rateLimit.by);
  if (oncePer !== undefined) return rate("oncePer", 1, oncePer.within, oncePer.key);
  return throttle && rate("throttle", throttle.max, throttle.per, throttle.by);
}

/** By what the event's id, or its group, gives as a number from 0 to 1. */
function sampleOf({ percent, by }: NonNullable<Times["sample"]>): (event: Envelope) => boolean {
  const groupOf = by === undefined ? ({ id }: Envelope) => id : compileGrouping(by);
  return (event) => shareOf(groupOf(event) ?? "") * 100 < percent;
}

function shareOf(text: string): number {
  return Number.parseInt(hash("sha256", text, "hex").slice(0, 12), 16) / 16 ** 12;
}
