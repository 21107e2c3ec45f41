/** What the options of several commands have in common: how their values are read, and where NATS is. */
import { InvalidArgumentError } from "commander";
import { durationIn, type Point, pointIn } from "../point.ts";

/** A bridge that is further behind is not running. */
const WAIT_SECONDS_MAX = 600;
/** Events that `explain` shows: more is for `--event`. */
const SHOWN_MAX = 1_000;

/** For `option(...NATS_SERVER)`. */
export const NATS_SERVER = [
  "--server <url...>",
  "NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)",
] as const;

/** Which events: each for `option(…)` or `new Option(…)`. */
export const FILTER = [
  "--filter <filter>",
  "only what matches this filter, in the language of subscriptions: '{ phase: { to: Failed } }'",
] as const;
export const SUBSCRIPTION = [
  "--subscription <name>",
  "only what this subscription asks for, as its processes have recorded it in NATS",
] as const;
export const SUBSCRIPTIONS = ["-s, --subscriptions <file>", "with --subscription: as this file has it (YAML)"] as const;

export function parseLetter(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError("Expected a number of the list.");
  return Number(text);
}

export function parseLetters(text: string, before: readonly number[] = []): number[] {
  return [...before, parseLetter(text)];
}

export function parseDuration(text: string): number {
  const ms = durationIn(text);
  if (ms === undefined) throw new InvalidArgumentError("Expected a number and a unit: 30s, 10m, 2h or 7d.");
  return ms;
}

export function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= WAIT_SECONDS_MAX))
    throw new InvalidArgumentError(`Expected seconds: more than 0, at most ${WAIT_SECONDS_MAX}.`);
  return seconds;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("Expected a port: 1 to 65535.");
  return port;
}

export function parseShown(text: string): number {
  const count = parseCount(text);
  if (count > SHOWN_MAX) throw new InvalidArgumentError(`Expected at most ${SHOWN_MAX}.`);
  return count;
}

/** Events a second; a function's receivers take less. */
const RATE_MAX = 10_000;

export function parseRate(text: string): number {
  const rate = Number(text);
  if (!(rate > 0 && rate <= RATE_MAX))
    throw new InvalidArgumentError(`Expected events a second: more than 0, at most ${RATE_MAX}.`);
  return rate;
}

/** A place in the log. */
export function parsePlace(text: string): Point {
  const point = pointIn(text);
  if (point?.type === "time" || point?.type === "sequence") return point;
  throw new InvalidArgumentError("Expected a time (2026-11-20T08:00:00Z), how long ago (2h), or a sequence (1042).");
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("Expected a whole number of at least 1.");
  return count;
}
