/**
 * Named places in the work of a function's process at which it can be killed exactly, armed from outside by a file in the folder in which
 * it runs. The kit knows nothing of them: `kill-point-preload.ts` puts them around it, in this journey alone.
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where it can be hit; behind a colon stands the step that it is about. */
export type KillPoint =
  /** The function is about to be called. */
  | "before-run"
  /** The step's claim is stored, and its function not called. */
  | `claimed:${string}`
  /** The request is about to be sent. */
  | `before-send:${string}`
  /** The receiver has answered; the step's function has not seen it. */
  | `answered:${string}`
  /** The step's function has ended, and nothing is recorded. */
  | `before-record:${string}`
  /** The result is stored, and the function has not gone on. */
  | `recorded:${string}`
  /** What the event does to its object's incident, or a receipt of it, is about to be stored. */
  | "before-incident"
  /** It is stored, and nobody knows of it. */
  | "incident-stored"
  /** That a silence holds the event back is about to be stored. */
  | "before-held"
  /** It is stored, and the event not acknowledged. */
  | "held-stored"
  /** The summary has told of an event, and nobody knows of it. */
  | "before-told"
  /** That it was told is stored. */
  | "told-stored"
  /** The function has ended. */
  | "after-run"
  /** The event is about to be acknowledged. */
  | "before-ack"
  /** A dead letter is about to be stored. */
  | "before-letter"
  /** The dead letter is stored, and its event not acknowledged. */
  | "letter-stored";

const FILE = "kill-point.json";

/** Arms the process that runs in the folder, or will be started there, at this passing of the point. */
export function armKill(folder: string, point: KillPoint, passes: number): void {
  const file = join(folder, FILE);
  writeFileSync(`${file}.new`, JSON.stringify({ point, passes }));
  renameSync(`${file}.new`, file);
}

const PATIENT_FILE = "patient";

/** Has the process that will be started in the folder wait for those that are silent as long as in life: NATS may be away for seconds. */
export function bePatient(folder: string): void {
  writeFileSync(join(folder, PATIENT_FILE), "");
}

/** Called in the process. */
export const isPatient = (): boolean => existsSync(PATIENT_FILE);

/** Called in the process: it is at the point. It is hit once. */
export function passed(point: KillPoint): void {
  if (!existsSync(FILE)) return;
  const armed = JSON.parse(readFileSync(FILE, "utf8")) as { readonly point: KillPoint; readonly passes: number };
  if (armed.point !== point) return;
  if (armed.passes > 1) {
    armKill(".", point, armed.passes - 1);
    return;
  }
  rmSync(FILE);
  process.kill(process.pid, "SIGKILL");
}
