/**
 * What the bridge counts, for Prometheus. Labels are resources and kinds of event, never names of objects unless the configuration asks for
 * them: the number of series is bounded. Those of a watch that runs no more are not told; they go on from there if it comes back.
 */
import type { CaptureState } from "../capture/capture-state.ts";
import { DIFFERENCE_KINDS, type DifferenceKind } from "../capture/comparison.ts";
import type { WatchedResource } from "../capture/resource.ts";
import type { Op, Part } from "../event/change.ts";
import { EVENT_OUTCOMES, type EventOutcome } from "../kube/event-recorder.ts";
import type { ProblemReason } from "../kube/problem.ts";
import type { WatchEvent } from "../kube/reflector.ts";
import { type Census, createCensus } from "./census.ts";
import { type Exposition, type MetricFamily, renderMetrics } from "./exposition.ts";
import { createInstruments, type Instruments } from "./instrument.ts";
import { objectFamilies } from "./object-count.ts";
import type { ObjectWishes } from "./object-metric.ts";

/** What is told of a published event. */
export interface PublishedEvent {
  readonly op: Op;
  readonly changed: readonly Part[];
  readonly gap: boolean;
  /** From the difference to the acknowledgement. */
  readonly ms: number;
}

/** Where the bridge's parts report to. */
export interface Metrics {
  published(resource: string, event: PublishedEvent): void;
  /** NATS refused an event, because the log's newest one of the object is another. */
  refused(resource: string): void;
  seen(resource: string, type: WatchEvent["type"]): void;
  /** A watch is established, at the start or again. */
  watchOpened(resource: string): void;
  watched(resource: string, objects: number, stateBytes: number, inFlight: number): void;
  /** For how long there has been something read that the checkpoint does not have. */
  checkpointLag(resource: string, seconds: number): void;
  state(resource: string, state: CaptureState): void;
  /** Counts the objects of a watch from now on, beginning with none. */
  census(resource: string, watch: WatchedResource, wishes: ObjectWishes | undefined): Census;
  /** Drops what was reported under this name, until it is used again. */
  forget(resource: string): void;
  publishTrouble(): void;
  /** How many events wait because the log is full. */
  waitingForRoom(events: number): void;
  /** Events that the janitor removed from the log. */
  trimmed(resource: string, reason: "deleted" | "room", events: number): void;
  /** How full the log is; the limit may be Infinity. */
  logUsage(bytes: number, bytesMax: number): void;
  /** A comparison of the cluster with the log has finished. */
  verified(resource: string): void;
  /** An object about which they differed. */
  differed(resource: string, kind: DifferenceKind): void;
  /** The watch starts over by itself: NATS has lost events, or etcd was restored. */
  recovered(resource: string, cause: "log-lost" | "rewound"): void;
  /** Whether this process captures, as leader or without leader election. */
  leading(isLeader: boolean): void;
  /** A request to the API server was answered with a status, or not at all (`<error>`). */
  requested(method: string, code: string): void;
  /** What became of a Kubernetes Event about the bridge. */
  recorded(outcome: EventOutcome): void;
  /** Of all watches that run. */
  censuses(): readonly Census[];
  /** Resolves when somebody first asks for metrics or a census: until then nothing has to be listed for them. */
  readonly asked: Promise<void>;
  /** All of them, as they are now. */
  families(): Promise<readonly MetricFamily[]>;
  /** The same as text, in a format that the header `accept` names. */
  expose(accept?: string): Promise<Exposition>;
}

/** Phases of a resource of which durations are told; what is beyond them is `other`. */
const PHASES_MAX = 20;

/** Makes a registry of its own, with Node's process metrics. */
export function createMetrics(): Metrics {
  const of = createInstruments();
  const censuses = new Map<string, Census>();
  const forgotten = new Set<string>();
  const phases = new Map<string, Set<string>>();
  const problems = new Map<string, ProblemReason>();
  const phaseName = (resource: string, phase: string) => {
    const known = phases.get(resource) ?? new Set<string>();
    phases.set(resource, known);
    if (known.size < PHASES_MAX) known.add(phase);
    return known.has(phase) ? phase : "other";
  };
  for (const outcome of EVENT_OUTCOMES) of.kubeEvents.inc({ outcome }, 0);
  const isTold = ({ resource }: Readonly<Record<string, string | number>>) => !forgotten.has(String(resource));
  const { promise: asked, resolve: isAsked } = Promise.withResolvers<void>();
  const families = async () => {
    isAsked();
    const own = await of.families();
    const told = own.map((family) => ({ ...family, samples: family.samples.filter(({ labels }) => isTold(labels)) }));
    return [...told, ...objectFamilies([...censuses.values()], Date.now() / 1000)];
  };
  const countList = listCounter(of);
  return {
    published(resource, { op, changed, gap, ms }) {
      of.events.inc({ resource, op });
      of.publishing.observe({ resource }, ms / 1000);
      if (gap) of.gaps.inc({ resource });
      for (const part of changed) of.changes.inc({ resource, op, part });
    },
    refused: (resource) => of.refusals.inc({ resource }),
    seen(resource, type) {
      of.sightings.inc({ resource, type });
      countList(resource, type);
      of.progressAt.set({ resource }, Date.now() / 1000);
    },
    watchOpened: (resource) => of.watches.inc({ resource }),
    watched(resource, count, stateBytes, inFlight) {
      of.known.set({ resource }, count);
      of.stateBytes.set({ resource }, stateBytes);
      of.inFlight.set({ resource }, inFlight);
    },
    checkpointLag: (resource, seconds) => of.checkpointLag.set({ resource }, seconds),
    state(resource, state) {
      forgotten.delete(resource);
      of.live.set({ resource }, state.type === "watching" ? 1 : 0);
      const problem = problems.get(resource);
      if (problem !== undefined) of.problem.remove({ resource, reason: problem });
      problems.delete(resource);
      if (state.type !== "waiting") return;
      of.problem.set({ resource, reason: state.reason }, 1);
      problems.set(resource, state.reason);
    },
    census(title, resource, wishes) {
      const onPhaseLeft = (phase: string, seconds: number) => {
        const name = `${resource.plural}${resource.group && `.${resource.group}`}`;
        of.phaseHeld.observe({ resource: name, phase: phaseName(name, phase) }, seconds);
      };
      // So that the first one is seen as an increase.
      for (const counter of [of.gaps, of.refusals]) counter.inc({ resource: title }, 0);
      of.verifications.inc({ resource: title }, 0);
      for (const reason of ["deleted", "room"]) of.trims.inc({ resource: title, reason }, 0);
      for (const kind of DIFFERENCE_KINDS) of.differences.inc({ resource: title, kind }, 0);
      for (const cause of ["log-lost", "rewound"]) of.recoveries.inc({ resource: title, cause }, 0);
      const census = createCensus({ title, resource, ...(wishes && { wishes }), onPhaseLeft });
      censuses.set(title, census);
      return census;
    },
    forget(resource) {
      forgotten.add(resource);
      censuses.delete(resource);
    },
    publishTrouble: () => of.trouble.inc(),
    waitingForRoom: (count) => of.waiting.set(count),
    trimmed: (resource, reason, count) => of.trims.inc({ resource, reason }, count),
    logUsage(used, limit) {
      of.logBytes.set(used);
      of.logBytesMax.set(limit);
    },
    verified(resource) {
      of.verifications.inc({ resource });
      of.verifiedAt.set({ resource }, Date.now() / 1000);
    },
    differed: (resource, kind) => of.differences.inc({ resource, kind }),
    recovered: (resource, cause) => of.recoveries.inc({ resource, cause }),
    leading: (isLeader) => of.leader.set(isLeader ? 1 : 0),
    requested: (method, code) => of.requests.inc({ method, code }),
    recorded: (outcome) => of.kubeEvents.inc({ outcome }),
    censuses() {
      isAsked();
      return [...censuses.values()];
    },
    asked,
    families,
    expose: async (accept) => renderMetrics(await families(), accept),
  };
}

/** Hears of every event of each watch, and counts how long its lists take and how many objects they have. */
function listCounter(of: Instruments): (resource: string, type: WatchEvent["type"]) => void {
  const lists = new Map<string, { readonly startedMs: number; objects: number }>();
  return (resource, type) => {
    if (type === "listing") {
      of.lists.inc({ resource });
      lists.set(resource, { startedMs: performance.now(), objects: 0 });
    }
    const list = lists.get(resource);
    if (list === undefined) return;
    if (type === "initial") list.objects++;
    if (type !== "listed") return;
    of.listSeconds.observe({ resource }, (performance.now() - list.startedMs) / 1000);
    of.listItems.observe({ resource }, list.objects);
    lists.delete(resource);
  };
}
