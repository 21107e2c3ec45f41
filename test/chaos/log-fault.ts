/**
 * Faults of the log itself: NATS is put back to an older copy of its store, or loses it, so that acknowledged events are gone and
 * sequences are given again; the log is full; NATS is away for long.
 */
import { cp, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { EVENTS_STREAM } from "#contract";
import { until } from "../kit/until.ts";
import { type Breakable, type Fault, SHORT_MS, SOME_SECONDS_MS } from "./breakable.ts";

/** Less than what an API server remembers of a busy resource: 75 s. */
const LONG_MS = 60_000;
/** So many events at least are lost by a restore. */
const LOST_EVENTS = 20;

/** By name. */
export const LOG_FAULTS = {
  "nats-restored": restored("NATS is put back to an older copy of its store", false),
  "nats-restored-bridge-away": restored("NATS is put back to an older copy of its store while no bridge runs", true),
  "nats-wiped": {
    about: "NATS loses its store",
    cutsHistory: true,
    needs: "one",
    async play(system) {
      const mend = await whileUnreachable(system, async ({ storeDir }) => {
        await rm(storeDir, { recursive: true });
        system.losses.wipesMs.push(Date.now());
      });
      return mend();
    },
  },
  "stream-full": {
    about: "the log is full for some seconds",
    cutsHistory: false,
    async play({ jetStream }, random) {
      type Info = { readonly config: object; readonly state: { readonly bytes: number } };
      const { config, state } = await jetStream.api<Info>(`STREAM.INFO.${EVENTS_STREAM}`);
      await jetStream.api(`STREAM.UPDATE.${EVENTS_STREAM}`, { ...config, max_bytes: state.bytes });
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      await jetStream.api(`STREAM.UPDATE.${EVENTS_STREAM}`, config);
      return mendedMs;
    },
  },
  "nats-away-long": {
    about: "NATS is away for a minute",
    cutsHistory: false,
    needs: "one",
    minutesMin: 5,
    async play({ nats }) {
      await nats.kill("SIGKILL");
      await delay(LONG_MS);
      const mendedMs = Date.now();
      await nats.restart();
      return mendedMs;
    },
  },
} as const satisfies Readonly<Record<string, Fault>>;

function restored(about: string, isBridgeAway: boolean): Fault {
  return {
    about,
    cutsHistory: true,
    needs: "one",
    async play(system, random) {
      const { nats, bridge, log } = system;
      const copy = `${nats.storeDir}-copy`;
      await nats.kill("SIGTERM");
      await cp(nats.storeDir, copy, { recursive: true });
      await nats.restart();
      const known = log.events.length;
      await until(() => log.events.length >= known + LOST_EVENTS, { what: "the log goes on behind its copy" });
      await delay(random.between(...SOME_SECONDS_MS));
      if (isBridgeAway) await bridge.kill("SIGKILL");
      const mend = await whileUnreachable(system, async ({ storeDir }) => {
        await rm(storeDir, { recursive: true });
        await cp(copy, storeDir, { recursive: true });
        await rm(copy, { recursive: true });
      });
      if (!isBridgeAway) return mend();
      mend();
      await delay(random.between(...SHORT_MS));
      const mendedMs = Date.now();
      await bridge.restart();
      return mendedMs;
    },
  };
}

/**
 * Changes the store while NATS is down, starts it again, and has the recorder go back before a bridge can reach it: afterwards nobody
 * could tell an old event from a new one of its sequence. Answers how the bridges are let in, which answers when that was.
 */
async function whileUnreachable(
  { nats, natsProxy, log }: Breakable,
  change: (nats: Breakable["nats"]) => Promise<void>,
): Promise<() => number> {
  natsProxy.set({ type: "refuse" });
  await nats.kill("SIGTERM");
  await change(nats);
  await nats.restart();
  await log.goBack();
  return () => {
    natsProxy.set({ type: "pass" });
    return Date.now();
  };
}
