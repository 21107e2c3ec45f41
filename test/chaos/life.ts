/**
 * Lives: the ledger by object, uid and epoch, from creation, or from what a restored etcd had of it, to deletion, with only the writes
 * that changed something; and whether each of them is in the log, is covered by an event that says so, or was undone by a restore.
 */
import type { Judged } from "./event-check.ts";
import type { Blindness, Evidence, Losses, Violation } from "./evidence.ts";
import { type LedgerLine, versionOf } from "./ledger.ts";

/** A write that changed something other than bookkeeping. */
interface VisibleWrite extends Blindness {
  readonly operation: LedgerLine["operation"];
  readonly resourceVersion: string;
  readonly version: bigint;
  readonly digest: string;
  /** It was acknowledged after the copy was begun that etcd was restored from: it happened, or it did not. */
  readonly isUndone: boolean;
}

/** One object from its creation on, as long as etcd's history went on. */
export interface Life {
  readonly object: string;
  readonly uid: string;
  readonly epoch: number;
  readonly bornMs: Blindness;
  readonly writes: readonly VisibleWrite[];
  /** The digest of the state at each version, those included that changed only bookkeeping. */
  readonly digests: ReadonlyMap<string, string>;
  /** When it was deleted, or was not there any more after a restore. */
  readonly ended: (Blindness & Pick<VisibleWrite, "operation" | "isUndone">) | undefined;
}

/** What the log has of a life. */
interface Losing {
  readonly violations: readonly Violation[];
  readonly covered: number;
  readonly unseen: number;
  readonly undone: number;
}

/** The lives of all objects, in the order of their creation. */
export function livesOf(ledger: readonly LedgerLine[], { restores }: Pick<Losses, "restores">): readonly Life[] {
  return [...Map.groupBy(ledger, ({ uid, epoch }) => `${uid} ${epoch}`).values()].flatMap((lines) => {
    const [first] = lines;
    if (first === undefined) return [];
    const { object, uid, epoch } = first;
    const undoneFromMs = restores[epoch - 1]?.fromMs ?? Number.POSITIVE_INFINITY;
    const factsOf = ({ operation, fromMs, timeMs }: LedgerLine) => ({
      ...{ operation, fromMs, toMs: timeMs },
      isUndone: timeMs >= undoneFromMs,
    });
    const writes: VisibleWrite[] = [];
    const digests = new Map<string, string>();
    for (const line of lines) {
      const { resourceVersion, digest } = line;
      if (resourceVersion === null || digest === null) continue;
      digests.set(resourceVersion, digest);
      if (writes.at(-1)?.digest === digest) continue;
      writes.push({ ...factsOf(line), resourceVersion, version: versionOf(epoch, resourceVersion), digest });
    }
    const ended = lines.find(({ resourceVersion }) => resourceVersion === null);
    return [{ object, uid, epoch, bornMs: factsOf(first), writes, digests, ended: ended && factsOf(ended) }];
  });
}

/** What the log lacks of a life. `events` are those of its name, in the order of the stream. */
export function lossProblems(life: Life, events: readonly Judged[], evidence: Evidence): Losing {
  const { object, uid, epoch, writes, ended } = life;
  const own = events.filter((event) => event.uid === uid);
  const isTold = own.some((event) => event.epoch === epoch);
  const wasAlive = own.findLast((event) => event.epoch < epoch)?.op;
  const isUnknown = !isTold && (wasAlive === undefined || wasAlive === "deleted");
  const violations: Violation[] = [];
  if (isUnknown && isUnseen(life, evidence)) {
    const all = ended === undefined ? writes : [...writes, ended];
    const undoneCount = all.filter(({ isUndone }) => isUndone).length;
    return { violations, covered: 0, unseen: all.length - undoneCount, undone: undoneCount };
  }
  let [covered, undone] = [0, 0];
  const lost = (resourceVersion: string, problem: string) =>
    violations.push({ kind: "lost", object, resourceVersion, sequence: undefined, problem });
  const seen = new Set(own.filter(({ op }) => op !== "deleted").map(({ version }) => version));
  for (const write of writes) {
    const { version, resourceVersion, operation } = write;
    if (seen.has(version)) continue;
    const next = own.find((each) => (each.op === "deleted" && each.epoch === epoch) || each.version > version);
    if (write.isUndone) undone++;
    else if (next?.gap || next?.op === "existing" || isNetZero(write, life, own, next, evidence)) covered++;
    else if (next === undefined)
      lost(resourceVersion, `the write (${operation}) has no event, nor has anything after it`);
    else {
      const where = `the next event (${next.op}, sequence ${next.sequence}) is not marked as a gap`;
      lost(resourceVersion, `the write (${operation}) has no event, and ${where}`);
    }
  }
  const isDeathTold = own.some((event) => event.op === "deleted" && event.epoch >= epoch);
  if (ended?.isUndone && !isDeathTold) undone++;
  else if (ended !== undefined && !isDeathTold)
    lost(writes.at(-1)?.resourceVersion ?? "", `the deletion of uid ${uid} behind this version has no event`);
  return { violations, covered, unseen: 0, undone };
}

/** Whether it came and went while nobody could see, or before the log was emptied. */
function isUnseen({ bornMs, ended, epoch }: Life, { start, blind, restores, wipesMs }: Evidence): boolean {
  const endedMs = ended?.toMs ?? restores[epoch - 1]?.toMs;
  const forgotten = blind.filter(({ fromMs, toMs }) => wipesMs.some((wipeMs) => wipeMs >= fromMs && wipeMs <= toMs));
  const windows = [start, ...forgotten].map(({ toMs }) => ({ fromMs: 0, toMs }));
  return [...windows, ...blind].some(
    ({ fromMs, toMs }) => endedMs !== undefined && bornMs.fromMs >= fromMs && endedMs <= toMs,
  );
}

/** Whether the object was again as the log knew it before there was a history to read: then nothing is to be told. */
function isNetZero(
  write: VisibleWrite,
  { writes }: Life,
  own: readonly Judged[],
  next: Judged | undefined,
  { blind }: Evidence,
): boolean {
  const known = next === undefined ? own.at(-1) : own[own.indexOf(next) - 1];
  if (known === undefined || known.op === "deleted") return false;
  const window = blind.find(({ fromMs, toMs }) => write.fromMs >= fromMs && write.toMs <= toMs);
  return writes.some(
    ({ version, digest, fromMs }) =>
      version >= write.version &&
      (next === undefined || version < next.version) &&
      digest === known.digest &&
      window !== undefined &&
      fromMs <= window.toMs,
  );
}
