/**
 * Hands the events that come over HTTP to one subscription's function: of one object one at a time, in the order in which they came;
 * others in parallel. Each request is one try, and how often to try is the sender's decision. What a sender did not wait for goes on,
 * and its outcome is kept for when the same event comes again, so that a timeout on the way does not run a function twice.
 */
import {
  type Logger,
  MalformedEventError,
  type SentEnvelope,
  type TraceContext,
  type Tracing,
  traceFields,
} from "#contract";
import { judgeSent } from "../delivery/judgement.ts";
import { type DeliveryCounts, newCounts } from "../delivery/report.ts";
import { tryOnce } from "../delivery/settle.ts";
import { createSlots } from "../delivery/slots.ts";
import { warnOnce } from "../delivery/warning.ts";
import type { IncidentMemory } from "../incident/incident-memory.ts";
import type { Outcome } from "../outcome.ts";
import type { StepMemory } from "../step/step-memory.ts";
import type { Binding } from "../subscription.ts";
import { beginTry, traceOf } from "../trace/try.ts";

/** What became of a request: an outcome, or nothing was begun because the sender or this process went away. */
export type Received = Outcome | { readonly type: "malformed"; readonly error: Error } | { readonly type: "not-begun" };

/** The events of one subscription. */
export interface Reception {
  readonly counts: Readonly<DeliveryCounts>;
  /** Never rejects. `gone` aborts when the sender no longer waits for the answer; `hop` is the trace of its request. */
  receive(sent: SentEnvelope, gone: AbortSignal, hop?: TraceContext): Promise<Received>;
  /** Nothing is begun any more. */
  close(): void;
  /** Ends the tries that run. */
  abort(reason: Error): void;
}

/** What a reception needs. */
export interface ReceptionOptions extends Pick<Parameters<typeof judgeSent>[1], "jetStream" | "stopping"> {
  readonly stepMemory: StepMemory;
  readonly incidentMemory: IncidentMemory;
  readonly log: Logger;
  readonly tracing?: Tracing | undefined;
  /** How long a function may take to end once its signal aborted. */
  readonly graceMs: number;
}

/** Events whose tries are counted, or whose outcome is kept: some hours of failures, in a megabyte. */
const REMEMBERED_MAX = 4_096;

/** Starts with nothing remembered. */
export function createReception(binding: Binding, parent: ReceptionOptions): Reception {
  const log = parent.log.child({ subscription: binding.subscription.name });
  const running = new Set<AbortController>();
  const counts = newCounts();
  const onUndecided = () => counts.undecided++;
  const options = { ...parent, log, binding, running, onUndecided, warned: new Set<string>() };
  const slots = createSlots(binding.subscription.concurrency)();
  const inOrder = createLanes();
  const tries = createMemory<number>();
  /** Of events that ended when nobody waited for the answer any more. */
  const unheard = createMemory<Outcome>();

  const run = async (sent: SentEnvelope, hop: TraceContext | undefined): Promise<Received> => {
    const judgement = await judgeSent(sent, options);
    if (judgement.type === "ended") {
      if (judgement.warning !== undefined) warnOnce(judgement.warning, options);
      const { outcome } = judgement;
      if (outcome.type === "dead-letter" && outcome.error instanceof MalformedEventError)
        return { type: "malformed", error: outcome.error };
      report(log, counts, { id: sent.id, subject: sent.subject, ...traceFields(traceOf(sent)) }, outcome);
      return outcome;
    }
    const number = (tries.get(sent.id) ?? 0) + 1;
    const tried = beginTry(judgement, number, {}, { ...options, hop });
    const outcome = await tryOnce(judgement, tried, options);
    tried.end(outcome);
    if (outcome.type === "retry") tries.set(sent.id, number);
    else tries.delete(sent.id);
    const fields = { id: sent.id, subject: sent.subject, attempt: number, ...traceFields(tried.trace.context) };
    report(log, counts, fields, outcome);
    return outcome;
  };
  const takeTurn = async (sent: SentEnvelope, gone: AbortSignal, hop?: TraceContext): Promise<Received> => {
    const known = unheard.get(sent.id);
    if (known !== undefined) return known;
    if (gone.aborted || !(await slots.take(1))) return { type: "not-begun" };
    try {
      if (gone.aborted) return { type: "not-begun" };
      const received = await run(sent, hop);
      const keep = () => received.type === "done" && unheard.set(sent.id, received);
      if (gone.aborted) keep();
      else gone.addEventListener("abort", keep, { once: true });
      return received;
    } finally {
      slots.give(1);
    }
  };
  return {
    counts,
    receive(sent, gone, hop) {
      const fields = { id: sent.id, subject: sent.subject, ...traceFields(traceOf(sent)) };
      log.debug(fields, "received");
      gone.addEventListener("abort", () => log.debug(fields, "the sender no longer waits: what runs goes on"));
      return inOrder(sent.partitionkey, () => takeTurn(sent, gone, hop));
    },
    close: () => slots.close(),
    abort(reason) {
      for (const controller of running) controller.abort(reason);
    },
  };
}

/** One line for each event that ended. */
function report(log: Logger, counts: DeliveryCounts, fields: object, outcome: Outcome): void {
  switch (outcome.type) {
    case "done":
      counts.done++;
      log.info({ ...fields, ...(outcome.note !== undefined && { note: outcome.note }) }, "done");
      break;
    case "skipped":
      counts.skipped++;
      log.debug({ ...fields, reason: outcome.reason }, "skipped");
      break;
    case "retry":
      counts.retried++;
      counts.lastError = outcome.error.message;
      log.warn({ ...fields, error: outcome.error.message }, "failed; the sender is asked to try again");
      break;
    case "dead-letter":
      counts.deadLetters++;
      counts.lastError = outcome.error.message;
      log.error(
        { ...fields, err: outcome.error },
        "refused for good: the sender keeps it as a dead letter, or drops it",
      );
      break;
    default:
      outcome satisfies never;
  }
}

/** Runs the work of one key one after the other. */
function createLanes(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const tails = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const mine = (tails.get(key) ?? Promise.resolve()).then(work, work);
    tails.set(key, mine);
    try {
      return await mine;
    } finally {
      if (tails.get(key) === mine) tails.delete(key);
    }
  };
}

/** A map that forgets its oldest entries. */
function createMemory<T>() {
  const entries = new Map<string, T>();
  return {
    get: (key: string) => entries.get(key),
    delete: (key: string) => entries.delete(key),
    set(key: string, value: T) {
      entries.delete(key);
      entries.set(key, value);
      const [oldest] = entries.keys();
      if (entries.size > REMEMBERED_MAX && oldest !== undefined) entries.delete(oldest);
    },
  };
}
