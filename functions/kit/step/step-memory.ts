/**
 * Where the results of steps are remembered, and who may run one: the seam between `step` and its two memories (NATS, and the
 * process). Of any number of tries that ask for one step at a time, one gets the claim; the others wait for what becomes of it.
 */
import type { Json, Logger } from "#contract";

/** Names one step: of one event, for one subscription. */
export interface StepKey {
  readonly subscription: string;
  readonly eventId: string;
  readonly step: string;
}

/** How a step ended for good. `unusable`: the effect happened, and its result could not be kept; `problem` says why. */
export type StepEnd =
  | { readonly type: "done"; readonly result: Json | undefined }
  | { readonly type: "unusable"; readonly problem: string };

/** The right to run a step. It is kept alive until it is recorded or released, or the signal of its try aborts. */
export interface StepClaim {
  /** Aborts when the claim is known to be another's. */
  readonly lost: AbortSignal;
  /**
   * Keeps the end, and answers what is kept. `undefined`: nothing, because the claim was taken over. Rejects when the try's signal aborts
   * before it is kept.
   */
  record(end: StepEnd): Promise<StepEnd | undefined>;
  /** Gives the step free for the next try. Never rejects: a claim that stays is taken over later. */
  release(): Promise<void>;
}

/** The memory of steps. */
export interface StepMemory {
  /** Answers how the step ended, or the claim to run it; waits while another has that. Rejects when `signal` aborts before. */
  claim(key: StepKey, options: { readonly log: Logger; readonly signal: AbortSignal }): Promise<StepEnd | StepClaim>;
}
