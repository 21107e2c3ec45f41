/** What a process has used, as Linux counts it, from outside: processor time, memory now, and the most there was. */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Linux counts processor time in hundredths of a second for whoever asks, on every architecture (`USER_HZ`). */
const US_PER_TICK = 10_000;

/** User and system time of all its threads, in microseconds; source: proc_pid_stat(5), fields 14 and 15. */
export function cpuUsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" "); // begins with field 3; the name may have spaces
  return (Number(fields[11]) + Number(fields[12])) * US_PER_TICK;
}

/** Resident memory now (`VmRSS`), or the most since the start or `forgetPeak` (`VmHWM`), in bytes; source: proc_pid_status(5). */
export function residentBytes(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}

/** The peak counts from here; source: proc_pid_clear_refs(5). */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The size of all files below a folder. */
export function bytesBelow(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
