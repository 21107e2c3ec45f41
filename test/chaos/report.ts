/** The result of a run as people read it: one table, then one line for each thing that is wrong. */
import type { ViolationKind } from "./evidence.ts";
import { violationLine } from "./evidence.ts";
import { FAULT_NAMES, FAULT_WIDTH } from "./fault.ts";
import type { RunResult } from "./run.ts";

/** More lines help nobody: the first ones are closest to the cause. */
const LINES_MAX = 40;

/** The table and the violations. */
export function report({ verdict, played, problems }: RunResult): string {
  const { counts, violations } = verdict;
  const wrong = (...kinds: readonly ViolationKind[]) => violations.filter(({ kind }) => kinds.includes(kind)).length;
  const rows: readonly (readonly [what: string, count: number, about: string])[] = [
    ["writes", counts.writes, `acknowledged and changing something (${counts.quiet} more changed nothing)`],
    ["events", counts.events, "in the log"],
    ["gaps", counts.gaps, "marked as a net change, where the API server had lost its history"],
    ["covered", counts.covered, "writes told by such a net change, or by the first sight of the object"],
    ["unseen", counts.unseen, "writes of objects that came and went before there was a history to read"],
    ["undone", counts.undone, "writes without an event that a restored etcd has undone"],
    ["forgotten", counts.forgotten, "events that a restored or wiped NATS no longer had"],
    ["lost", wrong("lost", "wrong final state"), ""],
    ["twice", wrong("twice"), ""],
    ["out of order", wrong("out of order"), ""],
    ["false", wrong("false event", "false gap"), ""],
    ["wrong", wrong("wrong patch", "wrong object", "wrong subject"), "patch, object or subject"],
    ["unread", wrong("unread"), "trimmed before the checker read them"],
    ["problems", problems.length, "outside the log"],
  ];
  const table = rows.map(([what, count, about]) =>
    `${what.padEnd(13)} ${String(count).padStart(8)}  ${about}`.trimEnd(),
  );
  const lines = [...problems, ...violations.slice(0, LINES_MAX).map(violationLine)];
  const more = violations.length > LINES_MAX ? [`… and ${violations.length - LINES_MAX} more`] : [];
  const parts = [table, recoveryTable(played), ...(lines.length > 0 ? [[...lines, ...more]] : [])];
  return `${parts.map((part) => part.join("\n")).join("\n\n")}\n`;
}

function recoveryTable(played: RunResult["played"]): string[] {
  const heading = `${"fault".padEnd(FAULT_WIDTH)} ${"times".padStart(5)} ${"p50 ms".padStart(8)} ${"max ms".padStart(8)}`;
  const rows = FAULT_NAMES.flatMap((name) => {
    const own = played.filter(({ fault }) => fault === name);
    if (own.length === 0) return [];
    const sorted = own.map(({ recoveryMs }) => recoveryMs ?? Number.POSITIVE_INFINITY).toSorted((a, b) => a - b);
    const p50 = sorted[Math.floor((sorted.length - 1) / 2)];
    return [
      `${name.padEnd(FAULT_WIDTH)} ${String(own.length).padStart(5)} ${String(p50).padStart(8)} ${String(sorted.at(-1)).padStart(8)}`,
    ];
  });
  return [heading, ...rows];
}
