/**
 * Faults of connections: those between the bridges and NATS, or the API server, are reset, refused, stalled, slowed down and truncated,
 * by the proxies that stand in between. With several NATS servers, those to all of them at once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Fault, SLOW_BYTES_PER_SECOND, SOME_SECONDS_MS } from "./breakable.ts";
import type { ProxyMode } from "./proxy.ts";

const SLOW: ProxyMode = { type: "slow", bytesPerSecond: SLOW_BYTES_PER_SECOND };

/** By name. */
export const CONNECTION_FAULTS = {
  "kube-cut": cut("connections to the API server are reset", "kubeProxy"),
  "nats-cut": cut("connections to NATS are reset", "natsProxy"),
  "kube-refuse": refused("connections to the API server are reset, and new ones refused for some seconds", "kubeProxy"),
  "nats-refuse": refused("connections to NATS are reset, and new ones refused for some seconds", "natsProxy"),
  "kube-stall": shaped("nothing moves to and from the API server for some seconds", "kubeProxy", { type: "stall" }),
  "nats-stall": shaped("nothing moves to and from NATS for some seconds", "natsProxy", { type: "stall" }),
  "kube-slow": shaped("the API server's answers trickle", "kubeProxy", SLOW),
  "nats-slow": shaped("NATS is slow", "natsProxy", SLOW),
  "kube-truncate": shaped("the API server's answers break off half-way", "kubeProxy", { type: "truncate" }),
  "nats-truncate": shaped("what NATS says breaks off half-way", "natsProxy", { type: "truncate" }),
} as const satisfies Readonly<Record<string, Fault>>;

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

/** As when a process is gone, but what it was about to say is lost as well. */
function refused(about: string, part: "kubeProxy" | "natsProxy"): Fault {
  return {
    about,
    cutsHistory: false,
    async play(system, random) {
      system[part].set({ type: "refuse" });
      system[part].cut();
      await delay(random.between(...SOME_SECONDS_MS));
      system[part].set({ type: "pass" });
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
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      system[part].set({ type: "pass" });
      // Half of the time what was waiting arrives after all, else it is gone.
      if (random.next() < 0.5) system[part].cut();
      return mendedMs;
    },
  };
}
