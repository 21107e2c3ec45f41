/**
 * Times in settings as people write them: `90s`, `10m`, `1h30m`, `7d`.
 */
import { z } from "zod";

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const FORM = /^(?:\d{1,6}[smhd])+$/;
/** NATS keeps what waits; a month is as long as anything is remembered here. */
const MS_MAX = 30 * UNITS_MS.d;

/** From a second to thirty days. */
export const Duration = z
  .string({ error: "expected a time such as 30s, 10m, 1h30m or 7d" })
  .regex(FORM, "expected a time such as 30s, 10m, 1h30m or 7d")
  .refine((text) => !FORM.test(text) || (msOf(text) >= UNITS_MS.s && msOf(text) <= MS_MAX), {
    error: "expected a time from 1s to 30d",
  });
export type Duration = z.infer<typeof Duration>;

/** Milliseconds of what the schema has checked. */
export function msOf(duration: string): number {
  const parts = duration.matchAll(/(\d+)([smhd])/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS], 0);
}
