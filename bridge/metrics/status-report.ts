/** The answer of a bridge at /status: what it says of the objects and of itself. */
import { z } from "zod";

/** An object that is not well. */
const UnhealthyObject = z.object({
  resource: z.string(),
  namespace: z.string(),
  name: z.string(),
  phase: z.string(),
  /** Seconds that it has been so. */
  heldSeconds: z.number(),
  terminating: z.boolean(),
});
export type UnhealthyObject = z.infer<typeof UnhealthyObject>;

/** The answer. */
export const BridgeStatus = z.object({
  ready: z.boolean(),
  /** As in /readyz. */
  bridge: z.record(z.string(), z.unknown()),
  resources: z.array(
    z.object({
      resource: z.string(),
      kind: z.string(),
      objects: z.number(),
      /** Only of objects that have one. */
      phases: z.record(z.string(), z.object({ objects: z.number(), longestSeconds: z.number() })),
      terminating: z.number(),
      /** Their spec is newer than what their status is about. */
      unobserved: z.number(),
    }),
  ),
  /** Those that have been so for longest, at most 20 of `unhealthyCount`. */
  unhealthy: z.array(UnhealthyObject),
  unhealthyCount: z.number(),
});
export type BridgeStatus = z.infer<typeof BridgeStatus>;
