/**
 * Writes Kubernetes Events about this process's own Pod. Recording never waits and never throws: what is to be written is written one after
 * the other in the background, tried again while the API server is away, and given up when it refuses, which is told once until it works again.
 * Source: Kubernetes API reference, events.k8s.io/v1 Event; client-go `tools/events` (12 tries, 10 s between them).
 */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import { createEventSeries, type KubeEvent, type Series } from "./event-series.ts";
import { microTime } from "./micro-time.ts";
import type { OwnPod } from "./own-pod.ts";

export type { KubeEvent } from "./event-series.ts";

/** What became of something that was recorded; what was only counted is none of it. */
export const EVENT_OUTCOMES = ["written", "limited", "failed"] as const;
export type EventOutcome = (typeof EVENT_OUTCOMES)[number];

/** The recorder. */
export interface EventRecorder {
  record(event: KubeEvent): void;
}

/** What it writes with, about which Pod, and whom it tells. */
export interface EventRecorderOptions {
  readonly apiServer: Pick<ApiServer, "json">;
  readonly pod: OwnPod;
  /** Why an Event could not be written, once until one is. */
  readonly onProblem: (problem: string) => void;
  readonly onOutcome: (outcome: EventOutcome) => void;
  /** Ends it; what is not written yet is dropped. */
  readonly signal: AbortSignal;
  /** The time of day, and waiting: for tests. */
  readonly nowMs?: () => number;
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Who reports, as `kubectl get events --field-selector reportingComponent=…` asks. */
const CONTROLLER = "cr-reactor.dev/bridge";
const TRIES_MAX = 12;
const RETRY_MS = 10_000;
/** Until the next look at what has ended or lasted. */
const LOOK_MS = 60_000;
const REQUEST_MS_MAX = 10_000;
/** Limits of the API server, in characters. */
const NOTE_CHARS_MAX = 1_024;
const INSTANCE_CHARS_MAX = 128;
const NAME_CHARS_MAX = 236;

interface Written {
  readonly name: string;
  /** As often as the API server knows it to have happened. */
  count: number;
}

/** Starts it; nothing is asked before the first record. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { signal, onOutcome, nowMs = Date.now } = options;
  const wait =
    options.wait ?? ((ms: number, until: AbortSignal) => sleep(ms, undefined, { signal: until, ref: false }));
  const all = createEventSeries(nowMs);
  const write = createWriter(options, nowMs);
  const queue = new Set<Series>();
  let isTold = false;
  let isWorking = false;
  const settle = (series: Series, problem?: string) => {
    onOutcome(problem === undefined ? "written" : "failed");
    if (problem !== undefined) {
      all.forget(series);
      if (!isTold) options.onProblem(problem);
    }
    isTold = problem !== undefined;
  };
  /** Holds all others while the API server is away: they would not fare better. */
  const writeOne = async (series: Series) => {
    for (let attempt = 1; ; attempt++) {
      try {
        await write(series);
        return settle(series);
      } catch (error) {
        if (signal.aborted) return;
        const { message, isFinal, retryAfterMs } = failureOf(error);
        if (isFinal || attempt >= TRIES_MAX) return settle(series, message);
        await wait(Math.max(RETRY_MS, retryAfterMs), signal);
      }
    }
  };
  const work = async () => {
    if (isWorking) return;
    isWorking = true;
    try {
      for (const series of queue) {
        queue.delete(series);
        await writeOne(series);
      }
    } finally {
      isWorking = false;
    }
  };
  const enqueue = (series: Series) => {
    queue.add(series);
    work().catch(ignoreAbort(signal));
  };
  const look = async () => {
    for (;;) {
      await wait(LOOK_MS, signal);
      for (const series of all.due()) enqueue(series);
    }
  };
  look().catch(ignoreAbort(signal));
  return {
    record(event) {
      if (signal.aborted) return;
      const observed = all.observe(event);
      if (observed.type === "write") enqueue(observed.series);
      if (observed.type === "limited") onOutcome("limited");
    },
  };
}

function ignoreAbort(signal: AbortSignal) {
  return (error: unknown) => {
    if (!signal.aborted) throw error;
  };
}

/** Creates the Event, or says how often it has happened by now. */
function createWriter({ apiServer, pod, signal }: EventRecorderOptions, nowMs: () => number) {
  const known = new WeakMap<Series, Written>();
  const collection = `/apis/events.k8s.io/v1/namespaces/${encodeURIComponent(pod.namespace)}/events`;
  const ask = (path: string, method: "POST" | "PATCH", body: object, contentType = "application/json") =>
    apiServer.json(path, {
      ...{ method, body, contentType },
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS_MAX)]),
    });
  const patch = (name: string, series: Series) =>
    ask(`${collection}/${name}`, "PATCH", { series: countOf(series) }, "application/merge-patch+json");
  const create = (name: string, series: Series) => ask(collection, "POST", bodyOf(name, pod, series));
  return async (series: Series): Promise<void> => {
    const { count } = series;
    const written = known.get(series) ?? { name: nameOf(pod), count: 0 };
    known.set(series, written);
    const isThere = written.count > 0 && (await patch(written.name, series).then(() => true, unless(404)));
    if (!isThere) {
      // An answer to an earlier try was lost: it is there.
      const isNew = await create(written.name, series).then(() => true, unless(409));
      if (!isNew && count > 1) await patch(written.name, series);
    }
    written.count = count;
  };

  function nameOf({ name }: OwnPod): string {
    return `${name.slice(0, NAME_CHARS_MAX)}.${nowMs().toString(16)}${randomBytes(2).toString("hex")}`;
  }
}

/** `false` for this status; any other failure is one. */
function unless(status: number) {
  return (error: unknown): false => {
    if (error instanceof ApiStatusError && error.status === status) return false;
    throw error;
  };
}

function countOf({ count, lastMs }: Series) {
  return { count, lastObservedTime: microTime(lastMs) };
}

function bodyOf(name: string, { namespace, name: podName, uid }: OwnPod, series: Series): object {
  const { type, reason, action, note } = series.event;
  return {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name, namespace },
    ...{ type, reason, action, note: note.slice(0, NOTE_CHARS_MAX) },
    regarding: { apiVersion: "v1", kind: "Pod", namespace, name: podName, ...(uid !== undefined && { uid }) },
    eventTime: microTime(series.firstMs),
    ...(series.count > 1 && { series: countOf(series) }),
    reportingController: CONTROLLER,
    reportingInstance: podName.slice(0, INSTANCE_CHARS_MAX),
  };
}

/** A refusal is final, unless the API server only has too much to do. */
function failureOf(error: unknown) {
  if (!(error instanceof ApiStatusError)) return { message: (error as Error).message, isFinal: false, retryAfterMs: 0 };
  const { status, retryAfterMs } = error;
  const isFinal = status < 500 && status !== 401 && status !== 408 && status !== 429;
  const message =
    status === 403
      ? 'forbidden (403). Add this rule to a Role in the Pod\'s namespace: {apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"]}'
      : `the API server answers ${`${status} ${error.reason}`.trim()}: ${error.message}`;
  return { message, isFinal, retryAfterMs };
}
