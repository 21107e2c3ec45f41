/**
 * Lives: the ledger by object and uid, from creation to deletion, with only the writes that changed something; and whether each of
 * them is in the log, or is covered by an event that says so.
 */
import type { Judged } from "./event-check.ts";
import type { Blindness, Evidence, Violation } from "./evidence.ts";
import type { LedgerLine } from "./ledger.ts";

/** A write that changed something other than bookkeeping. */
interface VisibleWrite {
  readonly operation: LedgerLine["operation"];
  readonly resourceVersion: string;
  readonly digest: string;
  readonly timeMs: number;
}

/** One object from its creation on. */
export interface Life {
  readonly object: string;
  readonly uid: string;
  readonly bornMs: Blindness;
  readonly writes: readonly VisibleWrite[];
  /** The digest of the state at each version, those included that changed only bookkeeping. */
  readonly digests: ReadonlyMap<string, string>;
  /** When it was deleted. */
  readonly ended: { readonly timeMs: number } | undefined;
}

/** The lives of all objects, in the order of their creation. */
export function livesOf(ledger: readonly LedgerLine[]): readonly Life[] {
  return [...Map.groupBy(ledger, ({ uid }) => uid).values()].flatMap((lines) => {
    const [first] = lines;
    if (first === undefined) return [];
    const writes: VisibleWrite[] = [];
    const digests = new Map<string, string>();
    for (const { operation, resourceVersion, digest, timeMs } of lines) {
      if (resourceVersion === null || digest === null) continue;
      digests.set(resourceVersion, digest);
      if (writes.at(-1)?.digest !== digest) writes.push({ operation, resourceVersion, digest, timeMs });
    }
    const ended = lines.find(({ resourceVersion }) => resourceVersion === null);
    const { object, uid, fromMs, timeMs } = first;
    const bornMs = { fromMs, toMs: timeMs };
    return [{ object, uid, bornMs, writes, digests, ended: ended && { timeMs: ended.timeMs } }];
  });
}

/** What the log lacks of a life. `events` are those of its name, in the order of the stream. */
export function lossProblems(
  life: Life,
  events: readonly Judged[],
  { start, blind }: Evidence,
): { readonly violations: readonly Violation[]; readonly covered: number; readonly unseen: number } {
  const own = events.filter(({ uid }) => uid === life.uid);
  const all = life.writes.length + (life.ended === undefined ? 0 : 1);
  const wasUnseen = [{ fromMs: 0, toMs: start.toMs }, ...blind].some((each) => isWithin(life, each));
  if (own.length === 0 && wasUnseen) return { violations: [], covered: 0, unseen: all };

  const violations: Violation[] = [];
  let covered = 0;
  const lost = (resourceVersion: string, problem: string) =>
    violations.push({ kind: "lost", object: life.object, resourceVersion, sequence: undefined, problem });
  const seen = new Set(own.filter(({ op }) => op !== "deleted").map(({ resourceVersion }) => resourceVersion));
  for (const { resourceVersion, operation } of life.writes) {
    if (seen.has(resourceVersion)) continue;
    const next = own.find((event) => event.op === "deleted" || event.version > BigInt(resourceVersion));
    if (next?.gap || next?.op === "existing") covered++;
    else if (next === undefined)
      lost(resourceVersion, `the write (${operation}) has no event, nor has anything after it`);
    else {
      const where = `the next event (${next.op}, sequence ${next.sequence}) is not marked as a gap`;
      lost(resourceVersion, `the write (${operation}) has no event, and ${where}`);
    }
  }
  if (life.ended !== undefined && !own.some(({ op }) => op === "deleted"))
    lost(life.writes.at(-1)?.resourceVersion ?? "", `the deletion of uid ${life.uid} behind this version has no event`);
  return { violations, covered, unseen: 0 };
}

function isWithin({ bornMs, ended }: Life, { fromMs, toMs }: Blindness): boolean {
  return ended !== undefined && bornMs.fromMs >= fromMs && ended.timeMs <= toMs;
}
