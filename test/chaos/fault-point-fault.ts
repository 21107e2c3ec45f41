/**
 * Faults at an exact place: the bridge that leads is killed around one of its next events, at a point that is told beforehand. The
 * other one takes over what it left; it is started again as a standby.
 */
import { until } from "../kit/until.ts";
import type { Fault } from "./breakable.ts";
import { arm, type FaultPoint, isArmed } from "./fault-point.ts";

/** Events come a hundred a second, checkpoints once a second. */
const EVENTS_MAX = 50;
const CHECKPOINTS_MAX = 3;
/** So many passings take a second or two, unless the machine is busy. */
const HIT_MS_MAX = 60_000;

/** By name. */
export const FAULT_POINT_FAULTS = {
  "bridge-kill-before-publish": killedAt(
    "the leader is killed with an event sealed and nothing sent",
    "before-publish",
    EVENTS_MAX,
  ),
  "bridge-kill-published": killedAt(
    "the leader is killed when NATS has stored an event, before it sees the answer",
    "published-unacknowledged",
    EVENTS_MAX,
  ),
  "bridge-kill-acknowledged": killedAt(
    "the leader is killed with events acknowledged and their checkpoint not written",
    "acknowledged-unsaved",
    CHECKPOINTS_MAX,
  ),
  "bridge-kill-checkpointed": killedAt(
    "the leader is killed right after its checkpoint is written",
    "checkpoint-written",
    CHECKPOINTS_MAX,
  ),
} as const satisfies Readonly<Record<string, Fault>>;

function killedAt(about: string, point: FaultPoint, passesMax: number): Fault {
  return {
    about,
    cutsHistory: false,
    async play({ bridge }, random) {
      const { leader } = await bridge.roles();
      leader.hold();
      arm(leader.folder, { point, passes: Math.ceil(random.between(0, passesMax)), signal: "SIGKILL" });
      await until(() => !isArmed(leader.folder) && leader.pid === undefined, {
        waitMsMax: HIT_MS_MAX,
        what: `${leader.name} comes to the point ${point}`,
      });
      const mendedMs = Date.now();
      await leader.restart();
      return mendedMs;
    },
  };
}
