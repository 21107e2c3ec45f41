/** What the options of several commands have in common: how their values are read, and where NATS is. */
import { InvalidArgumentError } from "commander";

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
  const match = /^(\d+)([smhd])$/.exec(text);
  const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 }[match?.[2] ?? ""];
  if (seconds === undefined) throw new InvalidArgumentError("Expected a number and a unit: 30s, 10m, 2h or 7d.");
  return Number(match?.[1]) * seconds * 1_000;
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

export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("Expected a whole number of at least 1.");
  return count;
}
