/**
 * Faults of the bridge that leads, while the other one stands by: it is killed, told to stop, or paused until the other one leads and
 * then let go on. One that was paused must publish nothing more and end by itself with exit code 1; it is started again as a standby.
 */
import { setTimeout as delay } from "node:timers/promises";
import { read } from "../../bridge/nats/reader.ts";
import { until } from "../kit/until.ts";
import { type Breakable, type Fault, SHORT_MS, SOME_SECONDS_MS } from "./breakable.ts";
import { type Bridge, isLeading } from "./bridges.ts";
import { arm, disarm, type FaultPoint, isArmed } from "./fault-point.ts";
import { PUBLISHER_HEADER } from "./publisher-header.ts";

/** By name. */
export const LEADER_FAULTS = {
  "leader-kill": ended("the bridge that leads is killed (SIGKILL)", "SIGKILL"),
  "leader-handover": ended("the bridge that leads is told to stop (SIGTERM)", "SIGTERM"),
  "leader-pause": {
    about: "the bridge that leads is paused (SIGSTOP) until the other one leads, and goes on some seconds later",
    cutsHistory: false,
    async play(system, random) {
      const { leader, standby } = await system.bridge.roles();
      await leader.kill("SIGSTOP");
      await untilLeading(standby);
      await delay(random.between(...SOME_SECONDS_MS));
      return await goOn(system, leader);
    },
  },
  "leader-pause-in-list": {
    about: "as leader-pause, with a bridge that has to list, paused in the list or behind it",
    cutsHistory: true,
    async play(system, random) {
      const { bridge, kube } = system;
      await bridge.kill("SIGKILL");
      await kube.kill("SIGKILL");
      await kube.restart();
      await delay(random.between(...SHORT_MS));
      const [point, passes]: [FaultPoint, number] =
        random.next() < 0.5 ? ["list-read", 1] : ["in-a-list", Math.ceil(random.between(0, LIST_PASSES_MAX))];
      for (const { folder } of bridge.each) arm(folder, { point, passes, signal: "SIGSTOP" });
      await bridge.restart();
      const paused = await firstHit(bridge.each);
      const [other] = bridge.each.filter((each) => each !== paused);
      if (other === undefined) throw new Error("there is only one bridge");
      paused.hold();
      disarm(other.folder);
      await untilLeading(other);
      await delay(random.between(...SOME_SECONDS_MS));
      return await goOn(system, paused);
    },
  },
} as const satisfies Readonly<Record<string, Fault>>;

/** Fewer than there are objects, of which the list has at least half at any time. */
const LIST_PASSES_MAX = 15;
/** A Lease of five seconds, on a loaded machine. */
const TAKE_OVER_MS_MAX = 60_000;
/** What a bridge that leads no longer may take to end. */
const END_MS_MAX = 20_000;

function ended(about: string, signal: NodeJS.Signals): Fault {
  return {
    about,
    cutsHistory: false,
    async play({ bridge, complain }) {
      const { leader } = await bridge.roles();
      const endedMs = Date.now();
      await leader.kill(signal);
      const { code } = leader.lastExit ?? {};
      if (signal === "SIGTERM" && code !== 0)
        complain(`${leader.name} was told to stop, and ended with exit code ${code}`);
      await leader.restart();
      return endedMs;
    },
  };
}

async function untilLeading(bridge: Bridge): Promise<void> {
  await until(() => isLeading(bridge), { waitMsMax: TAKE_OVER_MS_MAX, what: `${bridge.name} leads` });
}

async function firstHit(bridges: readonly Bridge[]): Promise<Bridge> {
  let hit: Bridge | undefined;
  const look = () => {
    hit = bridges.find(({ folder }) => !isArmed(folder));
    return hit !== undefined;
  };
  await until(look, { waitMsMax: TAKE_OVER_MS_MAX, what: "a bridge reads a list" });
  if (hit === undefined) throw new Error("no bridge was hit"); // `until` would have thrown
  return hit;
}

/** Lets a paused bridge go on, whose place another one has taken. */
async function goOn(system: Breakable, paused: Bridge): Promise<number> {
  const { pid } = paused;
  const before = await system.lastSequence();
  const mendedMs = Date.now();
  await paused.kill("SIGCONT");
  await until(() => paused.pid === undefined, {
    waitMsMax: END_MS_MAX,
    what: `${paused.name}, paused, ends by itself`,
  });
  const { code } = paused.lastExit ?? {};
  if (code !== 1) system.complain(`${paused.name} lost its Lease and ended with exit code ${code} instead of 1`);
  const publishers = await publishersFrom(system, before + 1);
  if (publishers.includes(undefined))
    system.complain("events do not say which bridge published them: is it preloaded?");
  if (publishers.includes(String(pid)))
    system.complain(`${paused.name} published events behind ${before}, after another bridge had taken over`);
  await paused.restart();
  return mendedMs;
}

/** Who published the events from that number on. */
async function publishersFrom({ jetStream }: Breakable, first: number): Promise<(string | undefined)[]> {
  const reading = { filter_subjects: ["cr.>"], deliver_policy: "by_start_sequence", opt_start_seq: first } as const;
  const events = await Array.fromAsync(read(jetStream, reading, AbortSignal.timeout(END_MS_MAX), false));
  return events.map(({ message }) => message.header(PUBLISHER_HEADER));
}
