/**
 * Keeps one subscription going until it is told to stop, together with the other processes that run it: each works on its share of the
 * partitions, and one without any stands by. Which events it asks for, and since when, is in the subscription's record; it waits for a
 * log that no bridge has made yet, and takes everything in it then; a log that was replaced by a new one is read from its beginning.
 */
import { createBackoff, EVENTS_STREAM, type JetStream, type Logger, RequestLostError, type Tracing } from "#contract";
import { createNatsIncidents } from "../incident/nats-memory.ts";
import { createHoldings, type Taken } from "../ownership/holdings.ts";
import type { Membership } from "../ownership/membership.ts";
import { consumerName, partitionSubjects, partitionTokens } from "../ownership/partition.ts";
import { createRecordKeeper } from "../ownership/record-keeper.ts";
import { newestOf, type SubscriptionRecord, verdictOn } from "../ownership/subscription-record.ts";
import type { SilenceWatch } from "../silence/silence-watch.ts";
import { createSubscriptionSilences } from "../silence/subscription-silences.ts";
import { createNatsMemory } from "../step/nats-memory.ts";
import type { Binding } from "../subscription.ts";
import { dueSubjects } from "../timer/timer.ts";
import { createNatsTiming } from "../timer/timing.ts";
import { aborted, within } from "../waiting.ts";
import { createAcknowledgements } from "./acknowledgement.ts";
import { type EventsLog, findConsumer, findEventsLog } from "./consumer.ts";
import { retrySubjects } from "./dead-letter-box.ts";
import { type DeliveryLimits, deliveryLimits } from "./delivery-limits.ts";
import type { OverrunCounts } from "./overrun.ts";
import { type DeliveryCounts, newCounts } from "./report.ts";
import { createSlots } from "./slots.ts";
import { startWorker, type Worker } from "./worker.ts";

/**
 * `waiting`: for the log; `standby`: other processes do the work, or have a newer configuration; `failing`: it is tried again, and
 * `lastError` says what is wrong.
 */
export type SubscriptionState = "starting" | "waiting" | "standby" | "running" | "failing" | "draining" | "stopped";

/** How a subscription is doing in this process. */
export interface SubscriptionStatus extends Readonly<DeliveryCounts>, OverrunCounts {
  readonly name: string;
  readonly function: string;
  readonly state: SubscriptionState;
  /** Those that this process works on, of how many. */
  readonly partitions: { readonly held: readonly number[]; readonly count: number };
  /** Processes that share the work. */
  readonly members: number;
  /** Silences that are on: ids, and names of those of the file. Those that an annotation or a label asks for are not known without an event. */
  readonly silences: readonly string[];
  /** One that is not in force yet. */
  readonly edit?: { readonly generation: number; readonly afterSequence?: number; readonly waitsFor: string };
}

/** A subscription that runs. */
export interface RunningSubscription {
  /** Resolves when it has drained after `signal` aborted. Never rejects. */
  readonly done: Promise<void>;
  status(): SubscriptionStatus;
}

/** What a subscription needs besides NATS and its binding. */
export interface SubscribeOptions {
  readonly log: Logger;
  /** Left out: nothing is told as spans. */
  readonly tracing?: Tracing | undefined;
  /** Aborts to stop. */
  readonly signal: AbortSignal;
  /** This process among the others: one for all its subscriptions. */
  readonly membership: Membership;
  /** The silences of this process; left out: there are none. */
  readonly silences?: SilenceWatch;
  /** For tests. */
  readonly limits?: Partial<DeliveryLimits>;
}

/** Between two tries to get going: soon at first, because a bridge or a server that starts is there in seconds. */
const START_BACKOFF = { firstMs: 250, maxMs: 5_000, resetAfterMs: 120_000 };
/** While an edit is pending. */
const EDIT_LOOK_MS = 500;
/** A partition has room for at least so many events. */
const HELD_MIN = 16;

/** Starts a subscription. */
export function subscribe(
  jetStream: JetStream,
  binding: Binding,
  { log: parentLog, tracing, signal, membership, silences: watch, limits: overrides }: SubscribeOptions,
): RunningSubscription {
  const { name, concurrency } = binding.subscription;
  const log = parentLog.child({ subscription: name });
  const limits = { ...deliveryLimits(concurrency), ...overrides };
  const keeper = createRecordKeeper({ jetStream, binding, log, membership });
  const counts = newCounts();
  const acknowledgements = createAcknowledgements(jetStream, log);
  const shareSlots = createSlots(concurrency);
  const stepMemory = createNatsMemory(jetStream);
  const incidentMemory = createNatsIncidents(jetStream, log);
  const timing = createNatsTiming(jetStream, name, binding.matcher, log);
  const heldBack =
    binding.silenceable && watch ? createSubscriptionSilences(jetStream, binding, watch, timing, log) : undefined;
  let state: SubscriptionState = "starting";
  /** What made the last look fail. */
  let trouble: string | undefined;
  let logCreatedAt: string | undefined;
  let logIsNew = false;
  let changed = Promise.withResolvers<void>();
  const poke = () => changed.resolve();

  const members = (record: SubscriptionRecord) =>
    [...membership.runners(name)].filter(([, { digest }]) => digest === newestOf(record).digest).map(([id]) => id);
  /** Of each partition the newest worker; what those before counted is in `past`. */
  const workers = new Map<number, Worker>();
  const past = { overrunObjects: 0, overrunEventsMax: 0, eventsAtRisk: 0 };
  const addUp = (counted: Iterable<Worker>): OverrunCounts =>
    [...counted].reduce((sum, worker) => {
      const { overrunObjects, overrunEventsMax, eventsAtRisk } = worker.overrun();
      return {
        eventsAtRisk: sum.eventsAtRisk + eventsAtRisk,
        overrunObjects: sum.overrunObjects + overrunObjects,
        overrunEventsMax: sum.overrunEventsMax + overrunEventsMax,
      };
    }, past);
  const start = ({ index, generation, lease, isHeld, left }: Taken): Worker => {
    const record = keeper.record as SubscriptionRecord;
    const { current } = record;
    const partition = { index, count: current.partitions };
    if (index === 0) keeper.retire().catch((error: unknown) => log.warn({ err: error }, "old consumers are left over"));
    const heldMax = Math.max(HELD_MIN, Math.ceil(limits.heldMax / current.partitions));
    const worker = startWorker({
      ...{ jetStream, log, tracing, counts, acknowledgements, stepMemory, incidentMemory, timing, heldBack },
      silences: heldBack?.gate,
      binding: {
        ...binding,
        run: (call) => {
          if (!isHeld()) return Promise.reject(new Error("this process holds the partition no more"));
          counts.runs++;
          if (call.attempt === 1) counts.matched++;
          return binding.run(call);
        },
      },
      limits: current.partitions === 1 ? limits : { ...limits, heldMax },
      slots: shareSlots(),
      verdict: (event) => (keeper.record === undefined ? "hold" : verdictOn(keeper.record, generation, event)),
      isWanted: (event) => keeper.isWanted(event),
      excused: lease.excused,
      consumer: {
        name: consumerName(name, partition),
        subscription: name,
        functionName: binding.functionName,
        generation,
        digest: current.digest,
        subjects: partitionSubjects(current.subjects, partition),
      },
      orders: retrySubjects(name, partitionTokens(partition)),
      due: dueSubjects(name, partitionTokens(partition)),
      logCreatedAt: record.logCreatedAt,
      afterSequence: current.from.upToSequence,
      from: [current.from, lease.finished, left?.finished].filter((place) => place !== undefined),
      onNews: poke,
      requestExpiresMs: limits.requestExpiresMs,
    });
    const before = workers.get(index);
    if (before !== undefined) Object.assign(past, addUp([before]), { eventsAtRisk: 0 });
    workers.set(index, worker);
    return worker;
  };
  const holdings = createHoldings({
    ...{ subscription: name, membership, log, drainMs: limits.drainMs, start },
    async hasConsumer(index) {
      const { generation, partitions: count = 1 } = keeper.record?.current ?? {};
      const found = await findConsumer(jetStream, consumerName(name, { index, count }));
      return found !== undefined && (found.generation === undefined || found.generation === generation);
    },
  });

  const noticeLog = (eventsLog: EventsLog | undefined) => {
    if (eventsLog === undefined) {
      if (state !== "waiting") log.info(`there is no stream ${EVENTS_STREAM} yet: waiting for a bridge to start`);
      state = "waiting";
      logIsNew = true;
      return;
    }
    if (state === "waiting") state = "starting";
    if (logCreatedAt !== undefined && logCreatedAt !== eventsLog.createdAt) logIsNew = true;
    logCreatedAt = eventsLog.createdAt;
  };
  const workerStates = () => [...holdings.workers().values()].map((worker) => worker.state());
  const workerTrouble = () => workerStates().find(({ trouble: found }) => found !== undefined)?.trouble;
  const stateOf = (record: SubscriptionRecord | undefined): SubscriptionState => {
    const states = workerStates();
    trouble = undefined; // it was looked at without one
    if (workerTrouble() !== undefined) return "failing";
    if (states.some(({ type }) => type === "running")) return "running";
    const { tenure } = membership;
    if (states.length > 0 || record === undefined || tenure === undefined) return "starting";
    return keeper.isMember && !members(record).includes(tenure.id) ? "starting" : "standby";
  };
  const look = async () => {
    const eventsLog = await findEventsLog(jetStream);
    noticeLog(eventsLog);
    if (eventsLog === undefined) return;
    membership.open(eventsLog.replicas);
    const { bucket, tenure } = membership;
    if (bucket?.syncBegunMs === undefined || tenure === undefined) return;
    await keeper.look(bucket, { eventsLog, isNew: logIsNew });
    for (const worker of holdings.workers().values()) worker.reconsider();
    const { record } = keeper;
    if (record !== undefined) {
      const { generation, partitions } = record.current;
      await holdings.approach({ bucket, tenure, generation, partitions, members: members(record) });
    }
    tellState(stateOf(record));
  };
  const tellState = (next: SubscriptionState) => {
    if (next === "standby" && state !== "standby" && keeper.isMember)
      log.info("standing by: other processes do the work");
    state = next;
  };
  /** What a look would see; most changes of the bucket are other subscriptions' business. */
  const outlook = () => {
    const { bucket, tenure } = membership;
    const entries = [...(bucket?.entries ?? [])].filter(
      ([key]) => key === `subscription.${name}` || key.startsWith(`lease.${name}.`),
    );
    const revisions = entries.map(([key, { revision }]) => `${key}=${revision}`);
    const runners = [...membership.runners(name)].map(([id, { digest, seen }]) => `${id}=${digest}/${seen}`);
    return [tenure?.id, bucket?.syncBegunMs, ...revisions, ...runners.sort()].join(" ");
  };
  const run = async () => {
    const backoff = createBackoff(START_BACKOFF);
    const stops = [
      membership.onChange(() => {
        if (outlook() !== seen) poke();
      }),
      jetStream.onConnection(({ type }) => {
        if (type === "connected") poke();
      }),
    ];
    let seen = "";
    signal.addEventListener("abort", poke, { once: true });
    while (!signal.aborted) {
      changed = Promise.withResolvers<void>();
      seen = outlook();
      try {
        await look();
        if (state === "waiting") await backoff.wait(signal).catch(() => undefined);
        else await within(keeper.record?.next === undefined ? limits.reconcileMs : EDIT_LOOK_MS, changed.promise);
      } catch (error) {
        if (signal.aborted) break;
        trouble = error instanceof Error ? error.message : String(error);
        state = "failing";
        if (jetStream.connected) log.error({ err: error }, "the subscription cannot run; trying again");
        if (error instanceof RequestLostError) await jetStream.whenConnected(signal).catch(() => undefined);
        await backoff.wait(signal).catch(() => undefined);
      }
    }
    for (const stop of stops) stop();
  };
  const follow = async () => {
    const draining = aborted(signal).then(async () => {
      state = "draining";
      await holdings.releaseAll(membership.bucket);
    });
    await run();
    await draining;
    // What was taken in the last moment.
    await holdings.releaseAll(membership.bucket);
    membership.announce(name, undefined);
    state = "stopped";
    log.info("stopped");
  };
  return {
    done: follow(),
    status: () => {
      const { record } = keeper;
      return {
        ...counts,
        ...addUp(workers.values()),
        lastError: trouble ?? workerTrouble() ?? counts.lastError,
        name,
        function: binding.functionName,
        state,
        partitions: {
          held: [...holdings.workers().keys()].sort((a, b) => a - b),
          count: record?.current.partitions ?? binding.subscription.partitions,
        },
        members: record === undefined ? 0 : members(record).length,
        silences: heldBack?.gate.on() ?? [],
        ...(record?.next && { edit: editOf(record.next, keeper.waitsFor) }),
      };
    },
  };
}

function editOf({ generation, from }: NonNullable<SubscriptionRecord["next"]>, waitsFor: string) {
  return { generation, ...(from && { afterSequence: from.upToSequence }), waitsFor };
}
