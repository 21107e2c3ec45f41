/**
 * `step(name, fn)`: a part of a function whose result is remembered, so that a retry, another process, or a dead letter that is tried
 * again does not run it once more. Of concurrent tries one runs it and the others get its result. What a kill inside `fn` leaves open,
 * whether the effect happened, only the receiver can tell: `fn` gets the step's idempotency key to send along.
 */
import type { Json, Logger } from "#contract";
import { PermanentError } from "../outcome.ts";
import { asPart } from "../trace/call-trace.ts";
import { EVENT_ID_BYTES_MAX, RESULT_BYTES_MAX, STEPS_MAX } from "./step-limits.ts";
import type { StepClaim, StepEnd, StepKey, StepMemory } from "./step-memory.ts";

/** What `fn` of a step is called with. */
export interface StepCall {
  /** `<subscription>/<event id>/<step>`: the same whenever this step is run, for receivers that can tell a repetition. */
  readonly idempotencyKey: string;
  /** Aborts when the time of the try is up, the process stops, or another process has taken the step over. */
  readonly signal: AbortSignal;
}

/** What a step may give: JSON of at most 64 KiB, or nothing. */
// biome-ignore lint/suspicious/noConfusingVoidType: a step that gives nothing is an async function without a return.
export type StepResult = Json | undefined | void;

/**
 * Runs a part of the function once for this event. The name is unique within the function, `[a-z0-9-]{1,64}`. An error of `fn` is
 * thrown on and not remembered: the next try runs the step again. Throws PermanentError for a name used twice or malformed, the 101st
 * step, and a result that cannot be kept (the effect has happened then, and is not repeated).
 */
export type Step = <T extends StepResult>(name: string, fn: (call: StepCall) => Promise<T> | T) => Promise<T>;

/** The steps of one try. */
export interface Steps {
  readonly step: Step;
  /** For when the function has ended: waits for the steps that it did not wait for, and rejects with the first error of those. */
  end(): Promise<void>;
}

/** What the steps of a try belong to. */
export interface StepsOptions {
  readonly memory: StepMemory;
  readonly subscription: string;
  readonly eventId: string;
  /** Steps are run once more: their keys end in `@` and this, so that what is remembered of before stays. */
  readonly again?: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const NAME = /^[a-z0-9-]{1,64}$/;

/** Makes `step` for one try. */
export function createSteps(options: StepsOptions): Steps {
  const names = new Set<string>();
  const running = new Set<Promise<unknown>>();
  let isOver = false;
  const begin = async <T extends StepResult>(name: string, fn: (call: StepCall) => Promise<T> | T): Promise<T> => {
    if (isOver) throw new PermanentError(`step "${name}" was begun after the function had ended: await every step`);
    checkName(name, names, options.eventId);
    const { subscription, eventId, again } = options;
    const step = again === undefined ? name : `${name}@${again}`;
    return (await runStep({ subscription, eventId, step }, fn, options)) as T;
  };
  return {
    step: (name, fn) => {
      const run = begin(name, fn);
      running.add(run);
      // An error that nobody waits for is thrown by `end`; Node would end the process.
      run.catch(() => undefined).finally(() => running.delete(run));
      return run;
    },
    async end() {
      const errors: unknown[] = [];
      while (running.size > 0) {
        const settled = await Promise.allSettled(running);
        errors.push(...settled.flatMap((each) => (each.status === "rejected" ? [each.reason] : [])));
      }
      isOver = true;
      if (errors.length > 0) throw errors[0];
    },
  };
}

function checkName(name: string, names: Set<string>, eventId: string): void {
  if (!NAME.test(name))
    throw new PermanentError(
      `step ${JSON.stringify(name)}: a name is made of 1 to 64 of a-z, 0-9 and -: rename it in the function`,
    );
  if (names.has(name))
    throw new PermanentError(
      `step "${name}" is used twice in one run, and its result is kept by its name: give each its own, such as ${name}-2`,
    );
  if (names.size >= STEPS_MAX)
    throw new PermanentError(
      `step "${name}" would be the ${STEPS_MAX + 1}st of this event: do several things in one step, or start a workflow`,
    );
  if (Buffer.byteLength(eventId) > EVENT_ID_BYTES_MAX)
    throw new PermanentError(`step "${name}": the event's id is longer than ${EVENT_ID_BYTES_MAX} bytes`);
  names.add(name);
}

/**
 * Claims, runs, records. Where the claim was lost meanwhile, what another recorded counts; where nobody did, ours is recorded after all.
 */
async function runStep(
  key: StepKey,
  fn: (call: StepCall) => Promise<StepResult> | StepResult,
  { memory, log: parentLog, signal }: StepsOptions,
): Promise<Json | undefined> {
  const log = parentLog.child({ step: key.step });
  let end: StepEnd | undefined;
  for (;;) {
    const found = await memory.claim(key, { log, signal });
    if ("type" in found) {
      if (end === undefined) log.debug("the step is remembered, and not run again");
      return resultOf(key.step, found);
    }
    end ??= await callOnce(key, fn, found, signal);
    const kept = await found.record(end);
    if (kept !== undefined) return resultOf(key.step, kept);
    log.warn(
      "the step's claim was lost while it ran: its result is not recorded over another's, and its effect may have happened twice",
    );
  }
}

async function callOnce(
  key: StepKey,
  fn: (call: StepCall) => Promise<StepResult> | StepResult,
  claim: StepClaim,
  signal: AbortSignal,
): Promise<StepEnd> {
  const idempotencyKey = `${key.subscription}/${key.eventId}/${key.step}`;
  try {
    const call = { idempotencyKey, signal: AbortSignal.any([signal, claim.lost]) };
    const part = { name: `step ${key.step}`, attributes: { "cr_reactor.step": key.step } };
    return endOf((await asPart(part, () => fn(call))) ?? undefined);
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** What is kept of a result. One that JSON would change would be another one on the next try. */
function endOf(result: Json | undefined): StepEnd {
  if (result === undefined) return { type: "done", result };
  if (!isJson(result))
    return {
      type: "unusable",
      problem: "its result is not JSON (null, booleans, finite numbers, text, arrays, objects)",
    };
  const text = JSON.stringify(result);
  const bytes = Buffer.byteLength(text);
  if (bytes > RESULT_BYTES_MAX)
    return {
      type: "unusable",
      problem: `its result has ${bytes} bytes, more than the ${RESULT_BYTES_MAX} that are kept`,
    };
  return { type: "done", result: JSON.parse(text) as Json };
}

function resultOf(step: string, end: StepEnd): Json | undefined {
  if (end.type === "done") return end.result;
  throw new PermanentError(
    `step "${step}": ${end.problem}. Its effect has happened and is not repeated: return less from the step (an id, a link); to run it again for this event, rename the step`,
  );
}

/** Fields that are undefined are left out, as everywhere in JSON. A value that contains itself is too deep. */
function isJson(value: unknown): boolean {
  try {
    return hasJson(value);
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

function hasJson(value: unknown): boolean {
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object") return false;
  if (Array.isArray(value)) return Array.from(value).every(hasJson);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return false;
  return Object.values(value).every((field) => field === undefined || hasJson(field));
}
