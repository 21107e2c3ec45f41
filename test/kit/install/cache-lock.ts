/**
 * One process at a time installs a server into the cache; the others wait, say for what, and then find it there.
 * The lock is a file that only one process can create. Its owner touches it while it lives; a lock whose owner is dead (killed, or
 * from before a reboot) is taken over. Should two processes ever hold it at once, both do the same work: what protects
 * the cache from half-done files is the rename into place, not this lock.
 */
import { randomUUID } from "node:crypto";
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { isAlive } from "../data-folder.ts";
import { onExit } from "../exit-cleanup.ts";
import { type Report, withHeartbeat } from "./progress.ts";

const Owner = z.object({ pid: z.int(), host: z.string(), token: z.string() });
type Owner = z.infer<typeof Owner>;

const POLL_MS = 200;
const TOUCH_MS = 5_000;

/** An owner that has not touched its lock for so long is gone, whatever runs under its id now. */
const STALE_MS = 60_000;

/** Longer than any installation may take (see command.ts). */
const WAIT_MS_MAX = 45 * 60 * 1000;

/** Runs `work` while holding the lock file at `path`, whose folder must exist. `what` names the work to those who wait. */
export async function withCacheLock<T>(path: string, what: string, report: Report, work: () => Promise<T>): Promise<T> {
  const mine: Owner = { pid: process.pid, host: hostname(), token: randomUUID() };
  if (!acquire(path, mine)) {
    const owner = readOwner(path);
    report(`waiting for process ${owner?.pid ?? "unknown"}, which is installing ${what} (${path})`);
    await withHeartbeat(report, `waiting for ${what}`, () => untilAcquired(path, mine));
  }
  const release = (): void => {
    if (readOwner(path)?.token === mine.token) rmSync(path, { force: true });
  };
  const forget = onExit(release);
  const touching = setInterval(() => touch(path), TOUCH_MS);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    forget();
    release();
  }
}

async function untilAcquired(path: string, mine: Owner): Promise<void> {
  const deadline = performance.now() + WAIT_MS_MAX;
  while (!acquire(path, mine)) {
    if (performance.now() > deadline)
      throw new Error(`${path} was not released; remove it if no process is installing`);
    await delay(POLL_MS);
  }
}

/** Tries once, after taking a stale lock out of the way. The lock appears with its owner in it: a link is all or nothing. */
function acquire(path: string, mine: Owner): boolean {
  removeStale(path);
  const whole = `${path}.${mine.token}`;
  writeFileSync(whole, JSON.stringify(mine));
  try {
    linkSync(whole, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(whole, { force: true });
  }
}

/** Renames before removing: of several processes that see the same stale lock, one gets it, and sees if it got a newer one. */
function removeStale(path: string): void {
  const stale = readOwner(path);
  if (!isStale(path, stale)) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
    if (readOwner(aside)?.token !== stale?.token) linkSync(aside, path);
  } catch {
    // Somebody else was faster; the next look tells what is there now.
  }
  rmSync(aside, { force: true });
}

function isStale(path: string, owner: Owner | undefined): boolean {
  const touchedAt = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  if (touchedAt === undefined) return false;
  if (Date.now() - touchedAt > STALE_MS) return true;
  return owner !== undefined && owner.host === hostname() && !isAlive(owner.pid);
}

/** Undefined when there is no lock, or its owner has created but not yet written it. */
function readOwner(path: string): Owner | undefined {
  try {
    return Owner.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

function touch(path: string): void {
  try {
    utimesSync(path, new Date(), new Date());
  } catch {
    // Taken over, for example after this machine slept: the rename into place keeps that harmless.
  }
}
