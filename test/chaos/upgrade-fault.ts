/**
 * An upgrade while objects are written: both bridges are replaced, one after the other, by another build with other settings, and later by what
 * was there before, as a Deployment's rolling update and its rollback do. The watches of both are the same, so each goes on behind the
 * checkpoint of the one before, and every single change is in the log.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Fault, SHORT_MS } from "./breakable.ts";

/** By name. */
export const UPGRADE_FAULTS = {
  "bridge-upgrade": {
    about: "the bridges are replaced by another build with other settings, one after the other, and then put back",
    cutsHistory: false,
    async play({ bridge, otherBuild }, random) {
      const { cli } = await otherBuild();
      await bridge.roll({ cli, settings: { stateBytesMax: OTHER_STATE_BYTES_MAX } });
      await delay(random.between(...SHORT_MS));
      await bridge.roll();
      return Date.now();
    },
  },
} as const satisfies Readonly<Record<string, Fault>>;

/** Of no consequence for what is captured. */
const OTHER_STATE_BYTES_MAX = 100_000;
