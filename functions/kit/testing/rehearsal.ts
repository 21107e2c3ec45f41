/**
 * Runs a bound function on one event after the other without NATS, by the code that does it in life: the filter, the steps, the incident, the
 * failures and their tries. Everything is in memory, and time is counted instead of waited for.
 */
import type { z } from "zod";
import { type Envelope, opOf, parseEnvelope } from "#contract";
import { createRecordingLogger } from "../../../bridge/fixture.ts";
import { deliveryLimits } from "../delivery/delivery-limits.ts";
import type { Settling } from "../delivery/judgement.ts";
import { type Settled, settle } from "../delivery/settle.ts";
import { createSlots } from "../delivery/slots.ts";
import type { Explanation } from "../filter/clause.ts";
import type { Matcher } from "../filter/match.ts";
import type { Incident } from "../incident/incident.ts";
import { createProcessIncidents } from "../incident/process-memory.ts";
import type { SilenceSetting } from "../silence/silence.ts";
import { createProcessMemory } from "../step/process-memory.ts";
import type { Binding } from "../subscription.ts";
import type { Member } from "../timer/queue.ts";
import { testSilences } from "./tested-silence.ts";
import { recordSteps, type TestedStep } from "./tested-step.ts";
import { createVirtualTiming, type Due, objectOf } from "./virtual-timing.ts";

/** What became of one event. */
export interface TestResult {
  /** `retry`: the try failed, and would be followed by another. `waiting`: its time has not come (`for`, `debounce`, `batch`, `throttle`). */
  readonly outcome: "done" | "skipped" | "silenced" | "waiting" | "retry" | "dead-letter";
  /** What the function returned. */
  readonly note: string | undefined;
  /** Why it was skipped: a sentence, and below it each part of the filter with what was found, as `cr-reactor explain` prints it. */
  readonly reason: string | undefined;
  /** Why it is tried again or given up: what the function threw last. */
  readonly error: Error | undefined;
  /** Tries; 0 when the function was not called. */
  readonly attempts: number;
  /** The waits between them, and the one that a `retry` would be followed by; as short as they can be, in life up to twice as long. */
  readonly waitsMs: readonly number[];
  /** The steps of all tries, in the order in which they ended. */
  readonly steps: readonly TestedStep[];
  /** What the function was told about the object's incident, with the receipts that it remembered; `undefined`: the subscription names no `resolve`. */
  readonly incident: Omit<Incident, "remember"> | undefined;
  /** What was logged: the fields, with `level` and `msg`. */
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  /** The event itself; with `batch` the first of its call. */
  readonly event: Envelope;
}

/** What is rehearsed. */
export interface RehearsalOptions {
  readonly binding: Binding;
  /** Whether failures are tried again as in life; else there is one try. */
  readonly retries: boolean;
  /** When it begins. */
  readonly now: Date;
  /** Whether events wait, and are left out, as the subscription says of time; else each is run at once. */
  readonly isTimed: boolean;
  /** What the function was told about the incident in the last run; default nothing. */
  readonly incidentTold?: () => Incident | undefined;
  /** In front of the function, as in a subscriptions file; default none. */
  readonly silences?: readonly z.input<typeof SilenceSetting>[] | undefined;
}

/** One history of events. */
export interface Rehearsal {
  /** Epoch milliseconds, by its own clock. */
  readonly nowMs: number;
  /** Runs an event, as its JSON. Sent a second time it is the same event, whose steps are remembered. Throws MalformedEventError. */
  run(payload: string): Promise<TestResult>;
  /** Takes an event for one of before, without running it. Throws MalformedEventError. */
  past(payload: string): void;
  /** Lets time pass; resolves to what came of the events that were due within it, in the order in which they were. */
  advance(ms: number): Promise<readonly TestResult[]>;
}

const NEVER = new AbortController().signal;
/** A function that ignores its signal ends a test soon. */
const GRACE_MS = 100;

/** Begins with no event and nothing remembered. */
export function createRehearsal({
  binding,
  retries,
  now,
  isTimed,
  incidentTold,
  silences,
}: RehearsalOptions): Rehearsal {
  const memory = createProcessMemory();
  /** All events so far, which is the log here. */
  const log: Envelope[] = [];
  const cameAtMs = new Map<string, number>();
  const incidentMemory = {
    ...createProcessIncidents(),
    async *history({ id, data }: Envelope) {
      const earlier = log.slice(
        0,
        log.findIndex((event) => event.id === id),
      );
      yield* earlier.filter((event) => event.data.object.metadata.uid === data.object.metadata.uid);
    },
  };
  let clockMs = now.getTime();

  const timing = createVirtualTiming({
    ...{ plan: isTimed ? binding.matcher : {}, match: binding.matcher.match, now: () => clockMs, events: () => log },
    log: createRecordingLogger(() => undefined),
  });

  const { name } = binding.subscription;
  const gate =
    silences && binding.silenceable ? testSilences(name, silences, { log, nowMs: () => clockMs }) : undefined;

  const past = (payload: string) => {
    const event = parseEnvelope(payload);
    if (!log.some(({ id }) => id === event.id)) log.push(event);
    if (!cameAtMs.has(event.id)) cameAtMs.set(event.id, clockMs);
    return event;
  };
  const settleOne = async (event: Envelope, settling: Settling): Promise<TestResult> => {
    const logs: Record<string, unknown>[] = [];
    const errors: Error[] = [];
    const waitsMs: number[] = [];
    const steps: TestedStep[] = [];
    const settled = await settle(settling, 1, {
      ...{ jetStream: undefined, binding, timing, graceMs: GRACE_MS, random: () => 0, warned: new Set<string>() },
      ...{ slots: createSlots(1)(), running: new Set<AbortController>(), stopping: NEVER },
      ...{ stepMemory: recordSteps(memory, steps), incidentMemory, silences: gate },
      log: createRecordingLogger((line) => logs.push(JSON.parse(line) as Record<string, unknown>)),
      retry: deliveryLimits(binding.subscription.concurrency).retry,
      onRetry: (error) => errors.push(error),
      onUndecided: () => undefined,
      async wait(waitMs) {
        waitsMs.push(waitMs);
        if (retries) clockMs += waitMs;
        return retries;
      },
    });
    const incident = incidentTold?.();
    /** What was left out because of time has matched, so its filter explains nothing. */
    const unlessTimed = ({ droppedBy }: Extract<Settled, { type: "skipped" }>) =>
      droppedBy === undefined && settling.dueAtMs === undefined ? whyNot(binding.matcher, event) : [];
    return {
      outcome: settled === undefined ? "retry" : settled.type,
      note: settled?.type === "done" ? settled.note : undefined,
      reason: reasonOf(settled, unlessTimed),
      error: settled === undefined ? errors.at(-1) : settled.type === "dead-letter" ? settled.error : undefined,
      attempts: settled?.type === "waiting" || settled?.type === "silenced" ? 0 : (settled?.attempts ?? errors.length),
      ...{ waitsMs, steps, logs, event },
      incident: incident === undefined ? undefined : told(incident),
    };
  };
  const run = async (payload: string): Promise<TestResult> => {
    const event = past(payload);
    const message = { ...NO_MESSAGE, subject: `${objectOf(event)}.${opOf(event)}`, data: Buffer.from(payload) };
    const storedAtMs = cameAtMs.get(event.id) ?? clockMs;
    return await settleOne(event, { message, deliveryCount: 1, streamSequence: log.indexOf(event) + 1, storedAtMs });
  };
  /** What came of what is due. */
  const carryOut = async (due: Due): Promise<readonly TestResult[]> => {
    const settling = { deliveryCount: 1, dueAtMs: clockMs };
    const { delay } = timing;
    if (due.type === "entry") {
      const { event, ...logged } = due.entry;
      return [await settleOne(event, { ...logged, ...settling })];
    }
    if (delay?.type === "throttle") {
      const results: TestResult[] = [];
      const runOne = async (member: Member) => {
        results.push(await settleOne(parseEnvelope(member.message.data), { ...member, ...settling }));
        return true;
      };
      await delay.begin(due.group, runOne, NEVER);
      return results;
    }
    const batch = delay?.type === "batch" ? await delay.take(due.group, due.atMs, NEVER) : undefined;
    const [event] = batch?.events ?? [];
    const [first] = batch?.members ?? [];
    if (delay?.type !== "batch" || batch === undefined || event === undefined || first === undefined) return [];
    const result = await settleOne(event, { ...first, ...settling, batch });
    await delay.finish(batch, NEVER);
    return [result];
  };
  return {
    get nowMs() {
      return clockMs;
    },
    run,
    past,
    async advance(ms) {
      const untilMs = clockMs + ms;
      const results: TestResult[] = [];
      for (let due = timing.takeDue(untilMs); due !== undefined; due = timing.takeDue(untilMs)) {
        clockMs = Math.max(clockMs, due.atMs);
        results.push(...(await carryOut(due)));
      }
      clockMs = Math.max(clockMs, untilMs);
      return results;
    },
  };
}

type Skipped = Extract<Settled, { type: "skipped" }>;
function reasonOf(settled: Settled | undefined, explain: (skipped: Skipped) => readonly string[]): string | undefined {
  if (settled?.type === "silenced") return `the silence ${settled.silence} holds it back`;
  return settled?.type === "skipped" ? [settled.reason, ...explain(settled)].join("\n") : undefined;
}

function whyNot(matcher: Matcher, event: Envelope): readonly string[] {
  try {
    return explained(matcher.explain(event));
  } catch {
    return []; // it looks at more than matching does, and something there contradicts itself
  }
}

const MARKS = { true: "✔", false: "✖", undecided: "?" } as const;

/** A line for each part of the filter, with what was found where something was asked. */
function explained({ holds, wanted, found, parts }: Explanation): string[] {
  const below = parts.flatMap(explained).map((line) => `  ${line}`);
  return [`${MARKS[`${holds}`]} ${wanted}${found && `: ${found}`}`, ...below];
}

/** As it is when the event has ended. */
function told({ remember: _, ...incident }: Incident): Omit<Incident, "remember"> {
  return incident;
}

/** The parts of a NATS message that an event in a test has not. */
const NO_MESSAGE = { reply: undefined, status: 0, description: "", header: () => undefined };
