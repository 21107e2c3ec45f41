/** How often an incident that goes on is told again, where each time is a message of its own: by what is remembered of it, not by a process. */
import { z } from "zod";
import type { Envelope, Incident } from "#kit";

/** For settings: while an incident goes on, at most one message in so many minutes; 0: one for each event. Default 60. */
export const UpdateEveryMinutes = z.number().min(0).max(100_000).default(60);

const RECEIPT = "told";
const Told = z.object({ at: z.string() });
const MINUTE_MS = 60_000;

/** Whether an update comes too soon after what was told last. Openings and recoveries never do. */
export function isTooSoon(incident: Incident | undefined, event: Envelope, everyMinutes: number): boolean {
  if (incident?.type !== "updated") return false;
  const told = Told.safeParse(incident.receipts[RECEIPT]);
  return told.success && isWithin(told.data.at, event, everyMinutes);
}

/** Whether an event comes within so many minutes of a time (RFC 3339); never within 0, though its own time may be earlier. */
export function isWithin(time: string, event: Envelope, minutes: number): boolean {
  return minutes > 0 && Date.parse(event.time) - Date.parse(time) < minutes * MINUTE_MS;
}

/** Remembers that the event was told. */
export async function rememberTold(incident: Incident | undefined, event: Envelope): Promise<void> {
  await incident?.remember(RECEIPT, { at: event.time } satisfies z.infer<typeof Told>);
}
