/**
 * A point in an object's history, or in the log, as people write it: a sequence of the log (`1042`, `#1042`), a time (RFC 3339, or a date), how
 * long ago (`2h`), the id of an event, or its place from the end (`-1` is the last).
 */

/** `ms`: epoch milliseconds. */
export type Point =
  | { readonly type: "sequence"; readonly sequence: number }
  | { readonly type: "time"; readonly ms: number }
  | { readonly type: "id"; readonly id: string }
  | { readonly type: "place"; readonly fromEnd: number };

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
/** With a zone, since a time without one would be another one elsewhere; a date alone is its beginning in UTC. */
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/;

/** `undefined` for what is none of them. */
export function pointIn(text: string, nowMs: number = Date.now()): Point | undefined {
  const sequence = /^#?(\d{1,15})$/.exec(text)?.[1];
  if (sequence !== undefined) return { type: "sequence", sequence: Number(sequence) };
  const fromEnd = /^-([1-9]\d{0,8})$/.exec(text)?.[1];
  if (fromEnd !== undefined) return { type: "place", fromEnd: Number(fromEnd) };
  const agoMs = durationIn(text);
  if (agoMs !== undefined) return { type: "time", ms: nowMs - agoMs };
  const ms = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return { type: "time", ms };
  return /^[\w-]+\.[\w.-]+$/.test(text) ? { type: "id", id: text } : undefined;
}

/** Milliseconds of `30s`, `10m`, `2h` or `7d`; `undefined` for anything else. */
export function durationIn(text: string): number | undefined {
  const [, number, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const seconds = SECONDS[unit ?? ""];
  return seconds === undefined ? undefined : Number(number) * seconds * 1_000;
}
