/**
 * Judges a run: a pure function from what was written, what the log said and what is there at the end to a list of everything that
 * is wrong. It trusts neither the bridge nor the log; of the bridge it uses the envelope's schema and the undoing of a patch, as a
 * consumer would. Each thing wrong is told once, by the kind that names it best, and further ones that follow from it.
 */
import { chainProblems, eventProblems, type Judged, judged } from "./event-check.ts";
import {
  type Counts,
  type EarlierLog,
  type Evidence,
  type SeenEvent,
  type Verdict,
  type Violation,
  violationLine,
} from "./evidence.ts";
import { type LedgerLine, stateDigest } from "./ledger.ts";
import { type Life, livesOf, lossProblems } from "./life.ts";

/** The events and the lives of one name. */
interface Name {
  readonly object: string;
  readonly events: readonly Judged[];
  readonly lives: readonly Life[];
}

/** Judges the run. */
export function check(evidence: Evidence): Verdict {
  const events = evidence.events.map(judged);
  const lives = livesOf(evidence.ledger, evidence);
  const names = namesOf(events, lives);
  const { violations, ...covering } = logProblems(evidence, events, lives, lives);
  const final = names.flatMap((name) => finalProblems(name, evidence));
  const earlier = evidence.earlier.flatMap((log) => earlierProblems(log, evidence, lives));
  const all = [...earlier, ...violations, ...final];
  const told = new Map(all.map((violation) => [violationLine(violation), violation]));
  const counts = { ...countsOf(events, lives, evidence.ledger), ...covering, forgotten: forgottenOf(evidence) };
  return { violations: [...told.values()], counts };
}

/** Everything that a log says; `due` are the lives that have to be in it, of `lives`, which may be. */
function logProblems(
  evidence: Evidence,
  events: readonly Judged[],
  lives: readonly Life[],
  due: readonly Life[],
): Omit<Verdict, "counts"> & Pick<Counts, "covered" | "unseen" | "undone"> {
  const names = namesOf(events, lives);
  const dueByName = Map.groupBy(due, ({ object }) => object);
  const losses = names.flatMap(({ object, events: own }) =>
    (dueByName.get(object) ?? []).map((life) => lossProblems(life, own, evidence)),
  );
  const sum = (what: "covered" | "unseen" | "undone") => losses.reduce((total, loss) => total + loss[what], 0);
  const violations = [
    ...unreadProblems(events),
    ...twiceProblems(events),
    ...events.flatMap(eventProblems),
    ...names.flatMap(({ events: own }) => chainProblems(own)),
    ...names.flatMap((name) => name.events.flatMap((event) => falseProblems(event, name, evidence))),
    ...losses.flatMap((loss) => loss.violations),
  ];
  return { violations, covered: sum("covered"), unseen: sum("unseen"), undone: sum("undone") };
}

/** What was wrong in a log that was lost later: by the fault that lost it, everything that was known before was in it. */
function earlierProblems({ events, atMs }: EarlierLog, evidence: Evidence, lives: readonly Life[]): Violation[] {
  const knownMs = evidence.blind.find(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs)?.fromMs ?? 0;
  const ledger = evidence.ledger.filter(({ timeMs }) => timeMs <= knownMs);
  const then = { ...evidence, wipesMs: evidence.wipesMs.filter((wipeMs) => wipeMs < knownMs) };
  return [...logProblems(then, events.map(judged), lives, livesOf(ledger, then)).violations];
}

function namesOf(events: readonly Judged[], lives: readonly Life[]): readonly Name[] {
  const eventsByName = Map.groupBy(events, ({ object }) => object);
  const livesByName = Map.groupBy(lives, ({ object }) => object);
  return [...new Set([...eventsByName.keys(), ...livesByName.keys()])].map((object) => ({
    object,
    events: eventsByName.get(object) ?? [],
    lives: livesByName.get(object) ?? [],
  }));
}

/** Events that a log had and the one after it had not. */
function forgottenOf({ earlier, events }: Evidence): number {
  const logs = [...earlier.map((log) => log.events), events];
  return earlier.reduce((sum, log, index) => {
    const next = new Set(logs[index + 1]);
    return sum + log.events.filter((event) => !next.has(event)).length;
  }, 0);
}

function countsOf(
  events: readonly Judged[],
  lives: readonly Life[],
  ledger: readonly LedgerLine[],
): Pick<Counts, "writes" | "quiet" | "events" | "gaps"> {
  const isWrite = ({ operation }: Pick<LedgerLine, "operation">) => operation !== "found";
  const visible = lives.flatMap(({ writes: own, ended }) => [...own, ...(ended === undefined ? [] : [ended])]);
  const writes = visible.filter(isWrite).length;
  return {
    writes,
    quiet: ledger.filter(isWrite).length - writes,
    events: events.length,
    gaps: events.filter(({ gap }) => gap).length,
  };
}

/** A hole in the sequences: the log forgot an event before it was read, so nothing can be said about it. */
function unreadProblems(events: readonly SeenEvent[]): Violation[] {
  return events.flatMap(({ sequence }, index) => {
    const expected = (events[index - 1]?.sequence ?? 0) + 1;
    if (sequence === expected) return [];
    const problem = `the events from ${expected} on were read out of turn or trimmed before they were read`;
    return [{ kind: "unread", object: "the stream", resourceVersion: "", sequence, problem } as const];
  });
}

function twiceProblems(events: readonly Judged[]): Violation[] {
  const first = new Map<string, number>();
  return events.flatMap((event) => {
    const earlier = first.get(event.id);
    if (earlier === undefined) first.set(event.id, event.sequence);
    return earlier === undefined ? [] : [event.violation("twice", `${event.id} is already at sequence ${earlier}`)];
  });
}

/** Events of what nobody did, or of another state than the one that was written. */
function falseProblems(event: Judged, { events, lives }: Name, { start, blind, wipesMs }: Evidence): Violation[] {
  const { op, uid, epoch, gap } = event;
  const known = lives.filter((each) => each.uid === uid && each.epoch <= epoch);
  const [first] = known;
  const life = known.find((each) => each.epoch === epoch);
  if (first === undefined)
    return [event.violation("false event", `nobody created an object with uid ${uid} by epoch ${epoch}`)];
  const problems = op === "deleted" ? deathProblems(event, life) : stateProblems(event, life);
  const recordedMs = Date.parse(event.envelope.recordedtime);
  const isBlind = blind.some(({ fromMs, toMs }) => recordedMs >= fromMs && recordedMs <= toMs);
  if (gap && !isBlind) problems.push(event.violation("false gap", "the API server's history reaches back to here"));
  const bornMs = (life ?? first).bornMs;
  if (op === "created" && bornMs.toMs < start.fromMs)
    problems.push(event.violation("false event", "the object was there before the bridge was started"));
  const isFirst = events.find((each) => each.uid === uid) === event;
  if (op === "created" && isFirst && wipesMs.some((wipeMs) => first.bornMs.toMs < wipeMs))
    problems.push(event.violation("false event", "the object was there before the log was wiped"));
  if (op === "existing" && bornMs.fromMs > start.toMs && !gap)
    problems.push(
      event.violation("false event", "the object was created after the bridge had compared its first list"),
    );
  return problems;
}

function deathProblems(event: Judged, life: Life | undefined): Violation[] {
  // It was not there any more when etcd was restored: nobody saw it go.
  const isUndone = life === undefined || life.ended?.operation === "found";
  if (isUndone && !event.gap)
    return [event.violation("false event", "a restore undid this object, and its deletion is not marked as a gap")];
  return life === undefined || life.ended ? [] : [event.violation("false event", "nobody deleted this object")];
}

function stateProblems(event: Judged, life: Life | undefined): Violation[] {
  const written = life?.digests.get(event.resourceVersion);
  if (written === undefined) return [event.violation("false event", "nobody wrote this version of the object")];
  return written === event.digest
    ? []
    : [event.violation("wrong object", "the object is not the one that was written")];
}

function finalProblems({ object, events, lives }: Name, { final }: Evidence): Violation[] {
  const last = events.at(-1);
  const current = final.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === object);
  if (current === undefined) {
    if (last === undefined || last.op === "deleted") return [];
    return [last.violation("wrong final state", "its last event shows it alive, and the API server does not have it")];
  }
  const { uid, resourceVersion } = current.metadata;
  if (last === undefined) {
    const problem = `the API server has it and the log has no event of it (${lives.length} lives are in the ledger)`;
    return [{ kind: "wrong final state", object, resourceVersion, sequence: undefined, problem }];
  }
  if (last.op === "deleted")
    return [last.violation("wrong final state", `its last event is a deletion, and the API server has it`)];
  if (last.uid !== uid)
    return [last.violation("wrong final state", `its last event is of uid ${last.uid}, the API server has ${uid}`)];
  if (last.digest !== stateDigest(current))
    return [last.violation("wrong final state", `the API server has another state, at ${resourceVersion}`)];
  return [];
}
