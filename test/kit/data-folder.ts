/**
 * A temporary folder for one server's data. Its name carries the id of the process that made it, so that a later run can tell
 * which folders were left behind by a process that was SIGKILLed, and remove them.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onExit } from "./exit-cleanup.ts";

/** A folder that is there until `remove` is called or the process exits. */
export interface DataFolder {
  readonly path: string;
  remove(): void;
}

const PREFIX = "cr-reactor-test-";

/** Younger folders are left alone even when their process is unknown here: it may live in another container. */
const STALE_AGE_MS = 60 * 60 * 1000;

/** Makes an empty folder, readable by this user only. `name` appears in its path, for whoever looks around in the temporary folder. */
export function createDataFolder(name: string): DataFolder {
  const path = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-${name}-`));
  // A server that was killed this very moment may still be creating a file.
  const removeFolder = () => rmSync(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  const forget = onExit(removeFolder);
  return {
    path,
    remove() {
      forget();
      removeFolder();
    },
  };
}

/** Removes the folders of processes that are gone and could not clean up. */
export function sweepDataFolders(now: number = Date.now()): void {
  for (const entry of readdirSync(tmpdir())) {
    const pid = entry.startsWith(PREFIX) ? Number.parseInt(entry.slice(PREFIX.length), 10) : Number.NaN;
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    const path = join(tmpdir(), entry);
    const age = now - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now);
    if (age > STALE_AGE_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Whether a process with this id runs on this machine, whoever owns it. One that has ended and was not yet waited for does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return !isZombie(pid);
}

/** Known on Linux only, where a container's first process may take its time to wait for orphans. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
