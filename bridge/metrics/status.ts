/**
 * What the bridge says of the objects and of itself when somebody asks at /status: how many are in which phase, which of them are not well,
 * what each watch does. It names objects, so it is for those who may know: see `health.ts`.
 */
import { resourceTitle } from "../capture/resource.ts";
import type { Census } from "./census.ts";
import { countObjects } from "./object-count.ts";
import { type BridgeState, readiness } from "./readiness.ts";
import type { BridgeStatus, UnhealthyObject } from "./status-report.ts";

/** A phase of such a name is not well; so is a condition that is the phase and not True. */
const UNHEALTHY = /fail|error|unhealthy|degraded|crash|^(false|lost|stalled|aborted)$/i;
/** A deletion takes a while; one that takes longer is stuck. */
const TERMINATING_SECONDS_MAX = 600;
const UNHEALTHY_MAX = 20;
const PHASES_MAX = 50;

/** Makes the answer from what there is now (seconds since 1970). */
export function bridgeStatus(censuses: readonly Census[], state: BridgeState, now: number): BridgeStatus {
  const { ready, details } = readiness(state);
  const resources = countObjects(censuses).map(({ resource, kind, objects, byPhase, terminating, ahead }) => {
    const phases = [...byPhase].sort(([, a], [, b]) => b.objects - a.objects).slice(0, PHASES_MAX);
    return {
      ...{ resource, kind, objects, terminating: terminating.objects, unobserved: ahead.objects },
      phases: Object.fromEntries(
        phases.map(([phase, held]) => [phase, { objects: held.objects, longestSeconds: seconds(now - held.since) }]),
      ),
    };
  });
  const unhealthy: UnhealthyObject[] = [];
  let unhealthyCount = 0;
  for (const found of unhealthyObjects(censuses, now)) {
    unhealthyCount++;
    unhealthy.push(found);
    if (unhealthy.length < 2 * UNHEALTHY_MAX) continue;
    keepLongest(unhealthy);
  }
  keepLongest(unhealthy);
  return { ready, bridge: { ...details }, resources, unhealthy, unhealthyCount };
}

function* unhealthyObjects(censuses: readonly Census[], now: number): Generator<UnhealthyObject> {
  for (const census of censuses) {
    const resource = resourceTitle({ ...census.resource, namespace: undefined });
    for (const [namespace, name, { standing, phaseSince, terminatingSince }] of census.objects()) {
      const { phase = "" } = standing;
      const terminating = terminatingSince > 0 && now - terminatingSince > TERMINATING_SECONDS_MAX;
      if (!terminating && !UNHEALTHY.test(phase)) continue;
      const heldSeconds = seconds(now - (terminating ? terminatingSince : phaseSince));
      yield { resource, namespace, name, phase, heldSeconds, terminating };
    }
  }
}

function keepLongest(found: UnhealthyObject[]): void {
  found.sort((a, b) => b.heldSeconds - a.heldSeconds);
  found.length = Math.min(found.length, UNHEALTHY_MAX);
}

function seconds(duration: number): number {
  return Math.max(0, Math.floor(duration));
}
