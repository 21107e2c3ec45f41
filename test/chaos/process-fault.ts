/**
 * Faults of processes: the bridges (both at once, so that nobody captures), the one NATS server and the API server are killed or told
 * to stop, stay away for a while, and are started again. What happens to one bridge alone is in leader-fault.ts.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Fault, SHORT_MS, SLOW_BYTES_PER_SECOND, SOME_SECONDS_MS } from "./breakable.ts";

/** By name. */
export const PROCESS_FAULTS = {
  "bridge-kill": killed("both bridges are killed (SIGKILL) and started again", "bridge", "SIGKILL", SHORT_MS),
  "bridge-restart": killed("both bridges are told to stop (SIGTERM) and started again", "bridge", "SIGTERM", SHORT_MS),
  "nats-kill": {
    ...killed("NATS is killed (SIGKILL) and started again", "nats", "SIGKILL", SHORT_MS),
    needs: "one",
  },
  "nats-away": { ...killed("NATS is away for some seconds", "nats", "SIGKILL", SOME_SECONDS_MS), needs: "one" },
  "kube-restart": {
    ...killed("the API server is killed and started again, without its history", "kube", "SIGKILL", SHORT_MS),
    cutsHistory: true,
  },
  "bridge-kill-busy": {
    about: "both bridges are killed while NATS is slow and much is under way",
    cutsHistory: false,
    async play({ bridge, natsProxy }, random) {
      natsProxy.set({ type: "slow", bytesPerSecond: SLOW_BYTES_PER_SECOND });
      await delay(random.between(...SOME_SECONDS_MS));
      await bridge.kill("SIGKILL");
      natsProxy.set({ type: "pass" });
      const mendedMs = Date.now();
      await bridge.restart();
      return mendedMs;
    },
  },
  "bridge-away": {
    about: "both bridges are away while the API server is killed and started again, without its history",
    cutsHistory: true,
    async play({ bridge, kube }, random) {
      await bridge.kill("SIGKILL");
      await delay(random.between(...SHORT_MS));
      await kube.kill("SIGKILL");
      await kube.restart();
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      await bridge.restart();
      return mendedMs;
    },
  },
} as const satisfies Readonly<Record<string, Fault>>;

function killed(
  about: string,
  part: "bridge" | "nats" | "kube",
  signal: NodeJS.Signals,
  [fromMs, toMs]: readonly [number, number],
): Fault {
  return {
    about,
    cutsHistory: false,
    async play(system, random) {
      await system[part].kill(signal);
      await delay(random.between(fromMs, toMs));
      const mendedMs = Date.now();
      await system[part].restart();
      return mendedMs;
    },
  };
}
