/**
 * Named places in the work of a bridge at which it can be killed or paused exactly, armed from outside by a file in the folder in which it
 * runs. The bridge's code knows nothing of them: `fault-point-preload.ts` puts them around it, in the chaos runs alone.
 */
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

/** Where it can be hit. */
export const FaultPoint = z.enum([
  /** An event is sealed, and nothing of it is sent. */
  "before-publish",
  /** NATS has stored an event; the bridge has not seen the answer. */
  "published-unacknowledged",
  /** Events are acknowledged; the checkpoint that covers them is not written. */
  "acknowledged-unsaved",
  /** The checkpoint is stored; the bridge does not know yet. */
  "checkpoint-written",
  /** In the middle of a list. */
  "in-a-list",
  /** A list is read to its end; what is missing in it has not been looked at. */
  "list-read",
]);
export type FaultPoint = z.infer<typeof FaultPoint>;

const Armed = z.object({
  point: FaultPoint,
  /** At which passing it happens; 1 is the next one. */
  passes: z.int().positive(),
  signal: z.enum(["SIGKILL", "SIGSTOP"]),
});
/** What is to happen, and when. */
export type Armed = z.infer<typeof Armed>;

const FILE = "fault-point.json";

/** Arms the bridge that runs in the folder, or will be started there. */
export function arm(folder: string, armed: Armed): void {
  const file = join(folder, FILE);
  writeFileSync(`${file}.new`, JSON.stringify(armed));
  renameSync(`${file}.new`, file);
}

/** Whether it is still to come. */
export function isArmed(folder: string): boolean {
  return existsSync(join(folder, FILE));
}

/** Takes it back. */
export function disarm(folder: string): void {
  rmSync(join(folder, FILE), { force: true });
}

/** Called in the bridge: this process is at the point. It is hit once. */
export function reached(point: FaultPoint): void {
  if (statSync(FILE, { throwIfNoEntry: false }) === undefined) return;
  const armed = Armed.parse(JSON.parse(readFileSync(FILE, "utf8")));
  if (armed.point !== point) return;
  if (armed.passes > 1) {
    arm(".", { ...armed, passes: armed.passes - 1 });
    return;
  }
  disarm(".");
  process.kill(process.pid, armed.signal);
}
