/**
 * Ages as `kubectl get` shows them: short, and the more exact the younger.
 * Source: apimachinery `pkg/util/duration` (HumanDuration), `pkg/api/meta/table` (ConvertToHumanReadableDateType).
 */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** RFC 3339, the only form that the API server reads; the fraction of a second may be of any length. */
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** How long ago a time was: `<unknown>` when there is none, `<invalid>` when it is no time or more than two seconds ahead. */
export function ageOf(time: string | undefined, nowMs: number): string {
  if (time === undefined || time === "" || time === "null") return "<unknown>";
  const epochMs = RFC_3339.test(time) ? Date.parse(time) : Number.NaN;
  return Number.isNaN(epochMs) ? "<invalid>" : humanDuration(nowMs - epochMs);
}

/** A duration in milliseconds: `42s`, `5m10s`, `3h`, `2d4h`, `324d`, `3y12d`. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 2 * MINUTE) return `${Math.max(0, seconds)}s`;
  if (seconds < 10 * MINUTE) return inTwo(seconds, MINUTE, "m", 1, "s");
  if (seconds < 3 * HOUR) return inOne(seconds, MINUTE, "m");
  if (seconds < 8 * HOUR) return inTwo(seconds, HOUR, "h", MINUTE, "m");
  if (seconds < 2 * DAY) return inOne(seconds, HOUR, "h");
  if (seconds < 8 * DAY) return inTwo(seconds, DAY, "d", HOUR, "h");
  if (seconds < 2 * YEAR) return inOne(seconds, DAY, "d");
  if (seconds < 8 * YEAR) return inTwo(seconds, YEAR, "y", DAY, "d");
  return inOne(seconds, YEAR, "y");
}

function inOne(seconds: number, unit: number, letter: string): string {
  return `${Math.floor(seconds / unit)}${letter}`;
}

function inTwo(seconds: number, unit: number, letter: string, part: number, partLetter: string): string {
  const rest = Math.floor((seconds % unit) / part);
  return `${inOne(seconds, unit, letter)}${rest === 0 ? "" : `${rest}${partLetter}`}`;
}
