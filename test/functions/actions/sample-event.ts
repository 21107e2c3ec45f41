/**
 * Events for tests, made as the bridge makes them: two states of a Database go through `seal` and come back through
 * `parseEnvelope`, so that no test invents an event the bridge would not send.
 */
import { createLogger } from "#contract";
import { beforeOf } from "../../../bridge/event/change.ts";
import { type Envelope, opOf, parseEnvelope } from "../../../bridge/event/envelope.ts";
import { pathSet } from "../../../bridge/event/path-set.ts";
import { type ObservedState, seal } from "../../../bridge/event/seal.ts";
import { parsePhaseSource, phaseOf } from "../../../bridge/event/transitions.ts";
import { KubeObject } from "../../../bridge/kube/kube-object.ts";
import type { FunctionContext } from "../../../functions/kit/define.ts";
import { createProcessMemory } from "../../../functions/kit/step/process-memory.ts";
import { createSteps } from "../../../functions/kit/step/step.ts";

/** What a test says about one state; the rest is the same in all of them. */
export interface SampleState {
  readonly metadata?: object;
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** What a test says about an event. */
export interface Sample {
  readonly op?: "created" | "updated" | "deleted" | "existing" | "unselected";
  readonly before?: SampleState;
  readonly after: SampleState;
  readonly gap?: boolean;
  /** Default `status.phase`. */
  readonly phase?: string;
  /** Who changed it; default kubectl-edit, of a creation kubectl-create. */
  readonly manager?: string;
  /** Seconds for which the phase before had held; default 8123. */
  readonly heldSeconds?: number;
}

/** When every sample happened. */
export const SAMPLE_TIME = "2026-03-04T05:06:07Z";
const SAMPLE_TIME_MS = Date.parse(SAMPLE_TIME);

/** The event about a Database `prod/orders` on the cluster `eu-1`, changed by kubectl-edit. */
export function sampleEvent(sample: Sample): Envelope {
  const op = sample.op ?? "updated";
  const phase = parsePhaseSource(sample.phase ?? "status.phase");
  const heldSince = new Date(SAMPLE_TIME_MS - (sample.heldSeconds ?? 8123) * 1000).toISOString();
  const observed = (state: SampleState): ObservedState => {
    const object = sampleObject(state, "100");
    return { object, phase: phaseOf(object, phase, undefined, heldSince) };
  };
  const sealed = seal(
    {
      cluster: "eu-1",
      group: "demo.example.com",
      version: "v1",
      plural: "databases",
      kind: "Database",
      phase,
      ignored: pathSet(["metadata.resourceVersion"]),
    },
    {
      op,
      object: sampleObject(
        sample.after,
        "101",
        sample.manager ?? (op === "created" ? "kubectl-create" : "kubectl-edit"),
      ),
      before: sample.before && observed(sample.before),
      resourceVersion: "101",
      gap: sample.gap ?? false,
      seenAtMs: SAMPLE_TIME_MS,
    },
  );
  if (sealed === undefined) throw new Error("the two states of the sample are equal");
  return parseEnvelope(sealed.payload);
}

/** So many fields of the spec change at once, each with that text in its value. */
export function manyFields(count: number, text: string): Sample {
  const spec = (word: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`field${i}`, `${i} ${text} ${word}`]));
  return { before: { spec: spec("old") }, after: { spec: spec("new") } };
}

/** What the kit hands to a function with an event. */
export function sampleContext<Config>(
  event: Envelope,
  config: Config,
  memory = createProcessMemory(),
): FunctionContext<Config> {
  const log = createLogger("test", "silent");
  const { signal } = new AbortController();
  return {
    event,
    object: event.data.object,
    before: beforeOf(opOf(event), event.data),
    change: event.data,
    config,
    subscription: "databases",
    attempt: 1,
    idempotencyKey: `databases/${event.id}`,
    incident: undefined,
    history: undefined,
    step: createSteps({ memory, subscription: "databases", eventId: event.id, log, signal }).step,
    log,
    signal,
  };
}

function sampleObject(state: SampleState, resourceVersion: string, manager?: string): KubeObject {
  const fieldsV1 = { "f:spec": {}, "f:status": {}, "f:metadata": {} };
  const managedFields = manager && [{ manager, operation: "Update", time: SAMPLE_TIME, fieldsV1 }];
  return KubeObject.parse({
    apiVersion: "demo.example.com/v1",
    kind: "Database",
    ...state,
    metadata: {
      name: "orders",
      namespace: "prod",
      uid: "5f1d7a52-0c3e-4d1b-9a70-3f2f2c1b0a99",
      creationTimestamp: SAMPLE_TIME,
      ...state.metadata,
      resourceVersion,
      ...(managedFields && { managedFields }),
    },
  });
}
