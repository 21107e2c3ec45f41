/**
 * What a subscription says of time, in a test of its function: the code of life over a memory in the process and the test's clock. What is due is
 * asked for, and nothing comes by itself.
 */
import { type Envelope, groupOf, type Logger, objectSubject, parseEnvelope } from "#contract";
import type { Matcher } from "../filter/match.ts";
import type { TimePlan } from "../filter/time-plan.ts";
import { isOlder } from "../incident/incident-record.ts";
import { createBatches } from "../timer/batches.ts";
import { dueAtMsOf, judgeHeld } from "../timer/held.ts";
import type { Call, Entry, Member, Queue } from "../timer/queue.ts";
import { createRates, type FoundRate, type RateMemory } from "../timer/rate.ts";
import { createThrottle } from "../timer/throttle.ts";
import type { Timers } from "../timer/timers.ts";
import type { Timing } from "../timer/timing.ts";

/** What is due next, and when (epoch milliseconds). */
export type Due =
  | { readonly type: "entry"; readonly atMs: number; readonly entry: Entry }
  | { readonly type: "group"; readonly atMs: number; readonly group: string };

/** The timing of a test. */
export interface VirtualTiming extends Timing {
  /** Takes what is due first, if it is until then. */
  takeDue(untilMs: number): Due | undefined;
}

/** What it needs of the test. */
interface VirtualOptions {
  readonly plan: TimePlan;
  readonly match: Matcher["match"];
  readonly now: () => number;
  /** All events of the test so far. */
  readonly events: () => readonly Envelope[];
  readonly log: Logger;
}

/** Nothing waits. */
export function createVirtualTiming({ plan, match, now, events, log }: VirtualOptions): VirtualTiming {
  const { window, rate, batch } = plan;
  const waiting = new Map<string, Entry>();
  const wakes = new Map<string, number>();
  const takeDue = (untilMs: number): Due | undefined => {
    const entries = [...waiting].map(([key, entry]) => ({ key, atMs: window ? dueAtMsOf(window, entry) : 0, entry }));
    const groups = [...wakes].map(([key, atMs]) => ({ key, atMs, entry: undefined }));
    const [first] = [...entries, ...groups].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
    if (first === undefined) return undefined;
    const { key, atMs, entry } = first;
    if (entry === undefined) wakes.delete(key);
    else waiting.delete(key);
    return entry === undefined ? { type: "group", atMs, group: key } : { type: "entry", atMs, entry };
  };
  if (window !== undefined) {
    const delay: Timers = {
      type: "window",
      dueAtMs: (entry) => dueAtMsOf(window, entry),
      async wait(entry) {
        const key = objectOf(entry.event);
        const known = waiting.get(key);
        if (known === undefined || isOlder(known.event.sequence, entry.event.sequence)) waiting.set(key, entry);
      },
      judge(entry, nowMs) {
        const ofObject = events().filter((each) => objectOf(each) === objectOf(entry.event));
        return judgeHeld(entry, iterated(ofObject), { window, match, nowMs });
      },
    };
    return { delay, takeDue };
  }
  const queue = createProcessQueue(now, wakes);
  const open = async (data: Uint8Array) => parseEnvelope(data);
  if (batch !== undefined) return { delay: createBatches(batch, { queue, open, log }), takeDue };
  if (rate === undefined) return { takeDue };
  const rates = createRates(rate, createProcessRates(), log);
  return rate.type === "throttle" ? { delay: createThrottle(queue, rates, rate), takeDue } : { rates, takeDue };
}

function createProcessRates(): RateMemory {
  const records = new Map<string, FoundRate>();
  return {
    read: async (group) => records.get(group) ?? { record: undefined, revision: 0 },
    async write(group, record, revision) {
      if ((records.get(group)?.revision ?? 0) !== revision) return false;
      records.set(group, { record, revision: revision + 1 });
      return true;
    },
    hasRoom: async () => true,
  };
}

/** A queue in the process; `wakes` are its groups' times. */
export function createProcessQueue(now: () => number, wakes: Map<string, number>): Queue {
  const members = new Map<string, Member>();
  const done = new Set<string>();
  const calls = new Map<string, Call>();
  const of = (group: string) => [...members.values()].filter((member) => member.group === group);
  return {
    now,
    async enter({ event, ...logged }, group) {
      const { id } = event;
      if (done.has(id)) return "done";
      if (members.has(id)) return "there";
      members.set(id, { ...logged, id, group, object: objectOf(event), sinceMs: now() });
      return "stored";
    },
    hasRoom: async () => true,
    groupOf: async (object) => [...members.values()].find((member) => member.object === object)?.group,
    count: async (group) => of(group).length,
    first: async (group, max, _, ids) =>
      of(group)
        .filter(({ id }) => ids?.includes(id) !== false)
        .slice(0, ids?.length ?? max),
    async leave({ id }) {
      done.add(id);
      members.delete(id);
    },
    async wake(group, atMs, _, isSooner = false) {
      if (isSooner || !wakes.has(group)) wakes.set(group, atMs);
    },
    call: async (group) => calls.get(group),
    async keepCall(group, call) {
      if (call === undefined) calls.delete(group);
      else calls.set(group, call);
    },
  };
}

/** What the event's subject in the log begins with. */
export function objectOf({ cluster, apiversion, kind, namespace = "", name }: Envelope): string {
  return objectSubject({ cluster, group: groupOf(apiversion), kind, namespace, name });
}

async function* iterated<T>(items: readonly T[]): AsyncGenerator<T, void, void> {
  yield* items;
}
