/**
 * The faults, as data with a real effect each: processes are killed, connections are cut, stalled, slowed and truncated. A fault
 * breaks something, holds for a while, and mends it; what the bridge makes of it is not its business.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { ServerProcess } from "../kit/server-process.ts";
import type { ChaosProxy, ProxyMode } from "./proxy.ts";
import type { Random } from "./random.ts";

/** What can be broken. */
export interface Breakable {
  readonly bridge: ServerProcess;
  readonly nats: ServerProcess;
  readonly kube: ServerProcess;
  /** Between the bridge and NATS, and between the bridge and the API server. */
  readonly natsProxy: ChaosProxy;
  readonly kubeProxy: ChaosProxy;
}

/** One kind of fault. */
export interface Fault {
  /** What it is, for `--help`. */
  readonly about: string;
  /** Whether the API server forgets its history, so that what happened meanwhile may be told as a net change. */
  readonly cutsHistory: boolean;
  /** Breaks and mends. Answers the time (epoch milliseconds) from which on recovery was possible. */
  play(system: Breakable, random: Random): Promise<number>;
}

/** What a slow connection carries: less than what is written. */
const SLOW_BYTES_PER_SECOND = 20_000;

/** How long something stays broken, in milliseconds from and to. */
const SHORT = [0, 1_500] as const;
const SOME_SECONDS = [2_000, 6_000] as const;

/** All faults by name. */
export const FAULTS = {
  "bridge-kill": killed("the bridge is killed (SIGKILL) and started again", "bridge", "SIGKILL", SHORT),
  "bridge-restart": killed("the bridge is told to stop (SIGTERM) and started again", "bridge", "SIGTERM", SHORT),
  "nats-kill": killed("NATS is killed (SIGKILL) and started again", "nats", "SIGKILL", SHORT),
  "nats-away": killed("NATS is away for some seconds", "nats", "SIGKILL", SOME_SECONDS),
  "kube-restart": {
    ...killed("the API server is killed and started again, without its history", "kube", "SIGKILL", SHORT),
    cutsHistory: true,
  },
  "bridge-kill-busy": {
    about: "the bridge is killed while NATS is slow and much is under way",
    cutsHistory: false,
    async play({ bridge, natsProxy }, random) {
      natsProxy.set({ type: "slow", bytesPerSecond: SLOW_BYTES_PER_SECOND });
      await delay(random.between(...SOME_SECONDS));
      await bridge.kill("SIGKILL");
      natsProxy.set({ type: "pass" });
      const mendedMs = Date.now();
      await bridge.restart();
      return mendedMs;
    },
  },
  "bridge-away": {
    about: "the bridge is away while the API server is killed and started again, without its history",
    cutsHistory: true,
    async play({ bridge, kube }, random) {
      await bridge.kill("SIGKILL");
      await delay(random.between(...SHORT));
      await kube.kill("SIGKILL");
      await kube.restart();
      await delay(random.between(...SOME_SECONDS));
      const mendedMs = Date.now();
      await bridge.restart();
      return mendedMs;
    },
  },
  "kube-cut": cut("connections to the API server are reset", "kubeProxy"),
  "nats-cut": cut("connections to NATS are reset", "natsProxy"),
  "kube-stall": shaped("nothing moves to and from the API server for some seconds", "kubeProxy", { type: "stall" }),
  "nats-stall": shaped("nothing moves to and from NATS for some seconds", "natsProxy", { type: "stall" }),
  "kube-slow": shaped("the API server's answers trickle", "kubeProxy", {
    type: "slow",
    bytesPerSecond: SLOW_BYTES_PER_SECOND,
  }),
  "nats-slow": shaped("NATS is slow", "natsProxy", { type: "slow", bytesPerSecond: SLOW_BYTES_PER_SECOND }),
  "kube-truncate": shaped("the API server's answers break off half-way", "kubeProxy", { type: "truncate" }),
  "nats-truncate": shaped("what NATS says breaks off half-way", "natsProxy", { type: "truncate" }),
} as const satisfies Readonly<Record<string, Fault>>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** All names, in the order of the list. */
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

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

/** Resets connections some times in a row, so that reconnecting is hit as well. */
function cut(about: string, part: "kubeProxy" | "natsProxy"): Fault {
  return {
    about,
    cutsHistory: false,
    async play(system, random) {
      const times = Math.floor(random.between(1, 5));
      for (let count = 0; count < times; count++) {
        system[part].cut();
        await delay(random.between(0, 400));
      }
      return Date.now();
    },
  };
}

function shaped(about: string, part: "kubeProxy" | "natsProxy", mode: ProxyMode): Fault {
  return {
    about,
    cutsHistory: false,
    async play(system, random) {
      system[part].set(mode);
      await delay(random.between(...SOME_SECONDS));
      const mendedMs = Date.now();
      system[part].set({ type: "pass" });
      // Half of the time what was waiting arrives after all, else it is gone.
      if (random.next() < 0.5) system[part].cut();
      return mendedMs;
    },
  };
}
