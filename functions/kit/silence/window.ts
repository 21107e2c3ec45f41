/**
 * Maintenance windows: when they begin is a cron pattern on the clock of a time zone, how long they last is real time. Where clocks go
 * forward, a beginning that does not exist is at the end of the gap; where they go back, one that comes twice begins the first time.
 * Source: crontab(5); croner, whose zones are those of Intl.
 */
import { Cron } from "croner";
import { z } from "zod";
import { Duration, msOf } from "../duration.ts";

/** One time of a window, epoch milliseconds; at `endsMs` it is over. */
export interface WindowTime {
  readonly beginsMs: number;
  readonly endsMs: number;
}

/** A window that is compiled. */
export interface WindowClock {
  /** The time of the window that this moment is in; `undefined`: it is in none. */
  at(nowMs: number): WindowTime | undefined;
  /** The next one that begins later; `undefined`: none in sight. */
  next(nowMs: number): WindowTime | undefined;
}

/** Times of a window that are compared with the ones after them, to find windows that run into each other. */
const COMPARED = 100;

/** A window in settings. */
export const MaintenanceWindow = z
  .strictObject({
    /** When it begins: minute, hour, day of the month, month, day of the week, such as `0 2 * * sun`. */
    cron: z.string().min(1).max(200),
    /** Whose clock that is: a name of the IANA database, such as `Europe/Berlin`. */
    zone: z.string().refine(isZone, "expected a time zone of the IANA database, such as Europe/Berlin or UTC"),
    /** How long it lasts, in real time. */
    for: Duration,
  })
  .superRefine(({ cron, zone, for: length }, context) => {
    if (!isZone(zone) || !Duration.safeParse(length).success) return;
    const problem = problemOf(cron, zone, msOf(length));
    if (problem !== undefined) context.addIssue({ code: "custom", path: ["cron"], message: problem });
  });
export type MaintenanceWindow = z.infer<typeof MaintenanceWindow>;

/** Compiles a window that the schema has checked. */
export function windowClock({ cron, zone, for: length }: MaintenanceWindow): WindowClock {
  const pattern = compile(cron, zone);
  const lengthMs = msOf(length);
  const from = (begin: Date | null | undefined): WindowTime | undefined =>
    begin ? { beginsMs: begin.getTime(), endsMs: begin.getTime() + lengthMs } : undefined;
  /** The last that has begun, and until when it is that. */
  let known: { readonly fromMs: number; readonly untilMs: number; readonly last: WindowTime | undefined } | undefined;
  return {
    at(nowMs) {
      if (known === undefined || nowMs < known.fromMs || nowMs >= known.untilMs) {
        // The one before is before, strictly.
        const last = from(pattern.previousRuns(1, new Date(nowMs + 1))[0]);
        const untilMs = pattern.nextRun(new Date(nowMs))?.getTime() ?? Number.POSITIVE_INFINITY;
        known = { fromMs: last?.beginsMs ?? nowMs, untilMs, last };
      }
      return known.last !== undefined && nowMs < known.last.endsMs ? known.last : undefined;
    },
    next: (nowMs) => from(pattern.nextRun(new Date(nowMs))),
  };
}

function compile(cron: string, zone: string): Cron {
  return new Cron(cron, { timezone: zone, mode: "5-part", paused: true });
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}

function problemOf(cron: string, zone: string, lengthMs: number): string | undefined {
  const form = "expected minute, hour, day of the month, month and day of the week, such as 0 2 * * sun";
  if (cron.trim().split(/\s+/).length !== 5) return form;
  try {
    const begins = compile(cron, zone).nextRuns(COMPARED, new Date(0));
    if (begins.length === 0) return "there is no such day, so it never begins";
    const gapMs = Math.min(...begins.slice(1).map((begin, index) => begin.getTime() - (begins[index]?.getTime() ?? 0)));
    return gapMs < lengthMs
      ? "its windows run into each other: let it begin less often, or make for shorter"
      : undefined;
  } catch (error) {
    return `${form}: ${(error as Error).message.replace(/^CronPattern: /, "")}`;
  }
}
