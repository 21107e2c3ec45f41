/**
 * Judges a run: a pure function from what was written, what the log said and what is there at the end to a list of everything that
 * is wrong. It trusts neither the bridge nor the log; of the bridge it uses the envelope's schema and the undoing of a patch, as a
 * consumer would. Each thing wrong is told once, by the kind that names it best, and further ones that follow from it.
 */
import { chainProblems, eventProblems, type Judged, judged } from "./event-check.ts";
import type { Counts, Evidence, SeenEvent, Verdict, Violation } from "./evidence.ts";
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
  const lives = livesOf(evidence.ledger);
  const eventsByName = Map.groupBy(events, ({ object }) => object);
  const livesByName = Map.groupBy(lives, ({ object }) => object);
  const names = [...new Set([...eventsByName.keys(), ...livesByName.keys()])].map(
    (object): Name => ({ object, events: eventsByName.get(object) ?? [], lives: livesByName.get(object) ?? [] }),
  );
  const covering = { covered: 0, unseen: 0 };
  const violations = [
    ...unreadProblems(evidence.events),
    ...twiceProblems(events),
    ...events.flatMap(eventProblems),
    ...names.flatMap(({ events: own }) => chainProblems(own)),
    ...names.flatMap(({ events: own, lives: known }) => own.flatMap((event) => falseProblems(event, known, evidence))),
    ...names.flatMap(({ events: own, lives: known }) =>
      known.flatMap((life) => {
        const { violations: lost, covered, unseen } = lossProblems(life, own, evidence);
        covering.covered += covered;
        covering.unseen += unseen;
        return lost;
      }),
    ),
    ...names.flatMap((name) => finalProblems(name, evidence)),
  ];
  return { violations, counts: { ...countsOf(events, lives, evidence.ledger), ...covering } };
}

function countsOf(
  events: readonly Judged[],
  lives: readonly Life[],
  ledger: readonly LedgerLine[],
): Omit<Counts, "covered" | "unseen"> {
  const writes = lives.reduce((sum, { writes: own, ended }) => sum + own.length + (ended === undefined ? 0 : 1), 0);
  return {
    writes,
    quiet: ledger.length - writes,
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
function falseProblems(event: Judged, lives: readonly Life[], { start, blind }: Evidence): Violation[] {
  const { op, uid, resourceVersion, gap } = event;
  const life = lives.find((each) => each.uid === uid);
  if (life === undefined) return [event.violation("false event", `nobody created an object with uid ${uid}`)];
  const problems: Violation[] = [];
  const written = life.digests.get(resourceVersion);
  if (op === "deleted") {
    if (life.ended === undefined) problems.push(event.violation("false event", "nobody deleted this object"));
  } else if (written === undefined) {
    problems.push(event.violation("false event", "nobody wrote this version of the object"));
  } else if (written !== event.digest) {
    problems.push(event.violation("wrong object", "the object is not the one that was written"));
  }
  const recordedMs = Date.parse(event.envelope.recordedtime);
  const isBlind = blind.some(({ fromMs, toMs }) => recordedMs >= fromMs && recordedMs <= toMs);
  if (gap && !isBlind) problems.push(event.violation("false gap", "the API server's history reaches back to here"));
  if (op === "created" && life.bornMs.toMs < start.fromMs)
    problems.push(event.violation("false event", "the object was there before the bridge was started"));
  if (op === "existing" && life.bornMs.fromMs > start.toMs && !gap)
    problems.push(
      event.violation("false event", "the object was created after the bridge had compared its first list"),
    );
  return problems;
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
