/**
 * What a function is: a name, a schema of its settings, and what to do with one change. Functions keep no state of their own, so
 * any number of processes may run one.
 */
import type { z } from "zod";
import type { Change, Envelope, KubeObject, Logger } from "#contract";
import type { Filter, Selection } from "./filter/filter.ts";
import type { Incident } from "./incident/incident.ts";
import type { KubeRight, ToldKind } from "./kube-right.ts";
import type { KindOf } from "./schema/kind.ts";
import type { Step } from "./step/step.ts";

/** What a function is called with, once for each matching event, in order for each object. */
export interface FunctionContext<Config, Resource = KubeObject> {
  /** The CloudEvent: its attributes, and `data` with the change. */
  readonly event: Envelope;
  /** With `batch`: all events of this call, oldest first, of which `event` is the first; else `event` alone. */
  readonly events?: readonly Envelope[];
  /** The object after the change; for a deletion its last known state. With `for`: as it is when the time is up. */
  readonly object: Resource;
  /** With `for`: since when (RFC 3339) what `when` says has been so; `event` is the one with which it became so. */
  readonly heldSince?: string | undefined;
  /** The object before the change; `null` when there was none or none is told. Computed when it is first read. */
  readonly before: Resource | null;
  readonly change: Change;
  readonly config: Config;
  /** The name of the subscription that brought the event. */
  readonly subscription: string;
  /** 1 at first; more when it is tried again. */
  readonly attempt: number;
  /** `<subscription>/<event id>`: the same on every try, for receivers that can tell a repetition. With `replay --again` `@<run>` stands behind it. */
  readonly idempotencyKey: string;
  /** The run of `cr-reactor replay` that brings the event once more, long after it happened; `undefined` for what the log delivers. */
  readonly replay?: string | undefined;
  /** What the event does to the object's incident; `undefined` when the subscription names no `resolve`. */
  readonly incident: Incident | undefined;
  /**
   * Reads the object's events of before this one that the log still has, oldest first: of each kind of change the newest 32. `undefined` where
   * there is no log, because the function is served without NATS.
   */
  readonly history: (() => AsyncIterable<Envelope>) | undefined;
  /** Runs a part of the function whose result is remembered: `await step("open", (call) => …)` is not run again by a retry. */
  readonly step: Step;
  readonly log: Logger;
  /** Aborts when the time is up or the process stops. */
  readonly signal: AbortSignal;
}

/** A function. Throw PermanentError or RetryAfterError to say how a failure is to be treated; any other error is tried again. */
export interface FunctionDefinition<Schema extends z.ZodType = z.ZodType, Resource = KubeObject> {
  /** Kebab-case, unique among the functions of a process. */
  readonly name: string;
  /** One sentence for lists and `--help`. */
  readonly description: string;
  /** The schema of its settings; they are checked at start. */
  readonly config: Schema;
  /** What it reacts to when no subscription says otherwise. */
  readonly subscription?: Selection;
  /** The kind that it is written for, instead of `subscription`: its objects have types, and no other kind can be bound to it. */
  readonly resource?: KindOf<Resource>;
  /** With `resource`: what must have happened to it; left out: anything. */
  readonly when?: Filter;
  /** With `resource`: what resolves the incident that `when` opened; named, the function is told about incidents. */
  readonly resolve?: Filter;
  /** `run` looks at `events`, so that a subscription may name `batch`. */
  readonly batches?: true;
  /** Where a subscription says nothing else: whether silences hold its events back; default true. */
  readonly silenceable?: boolean;
  /** Time for one try; default 30,000. */
  readonly timeoutMs?: number;
  /** What it does to the API server with these settings, for `cr-reactor rbac`; left out: nothing. */
  rights?(config: z.output<Schema>, told: ToldKind): readonly KubeRight[];
  /** May return a note on what it did, for the log. */
  run(context: FunctionContext<z.output<Schema>, Resource>): Promise<string | undefined> | Promise<void>;
}

/** Defines a function; the settings' type comes from their schema. */
export function defineFunction<Schema extends z.ZodType, Resource = KubeObject>(
  definition: FunctionDefinition<Schema, Resource>,
): FunctionDefinition<Schema, Resource> {
  return definition;
}

/** What a function says itself that it reacts to. */
export function ownSelection({ subscription, resource, when, resolve }: FunctionDefinition): Selection | undefined {
  if (subscription !== undefined || resource === undefined) return subscription;
  const { apiVersion, kind } = resource;
  return { apiVersion, kind, ...(when !== undefined && { when }), ...(resolve !== undefined && { resolve }) };
}
