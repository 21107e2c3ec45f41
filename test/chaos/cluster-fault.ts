/**
 * Faults of a NATS cluster of three: the server that leads the log is killed or has to hand over, two of three are away so that nothing
 * can be stored, all are restarted one after the other, or killed at once.
 */
import { setTimeout as delay } from "node:timers/promises";
import { EVENTS_STREAM, type JetStream } from "#contract";
import type { NatsCluster } from "../kit/nats-cluster.ts";
import type { Random } from "../kit/random.ts";
import { until } from "../kit/until.ts";
import { type Breakable, type Fault, SHORT_MS, SOME_SECONDS_MS } from "./breakable.ts";

/** By name. */
export const CLUSTER_FAULTS = {
  "nats-leader-kill": onCluster(
    "the NATS server that leads the log is killed, and started again some seconds later",
    async (cluster, { jetStream }, random) => {
      const leader = cluster.node(await logLeader(jetStream));
      await leader.kill("SIGKILL");
      const mendedMs = Date.now();
      await delay(random.between(...SOME_SECONDS_MS));
      await leader.restart();
      return mendedMs;
    },
  ),
  "nats-quorum-away": onCluster(
    "two of three NATS servers are killed, and started again some seconds later",
    async ({ nodes }, _system, random) => {
      const stays = random.pick(nodes);
      const away = nodes.filter((node) => node !== stays);
      await Promise.all(away.map((node) => node.kill("SIGKILL")));
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      await Promise.all(away.map((node) => node.restart()));
      return mendedMs;
    },
  ),
  "nats-quorum-away-bridge-kill": onCluster(
    "as nats-quorum-away, and both bridges are killed and started again meanwhile",
    async ({ nodes }, { bridge }, random) => {
      const stays = random.pick(nodes);
      const away = nodes.filter((node) => node !== stays);
      await Promise.all([bridge.kill("SIGKILL"), ...away.map((node) => node.kill("SIGKILL"))]);
      const started = bridge.restart().then(
        () => undefined,
        (error: Error) => error,
      );
      await delay(random.between(...SOME_SECONDS_MS));
      const mendedMs = Date.now();
      await Promise.all(away.map((node) => node.restart()));
      const problem = await started;
      if (problem !== undefined) throw problem;
      return mendedMs;
    },
  ),
  "nats-leader-stepdown": onCluster(
    "the NATS server that leads the log hands over to another one, some times in a row",
    async (_cluster, { jetStream }, random) => {
      const times = Math.floor(random.between(1, 4));
      for (let count = 0; count < times; count++) {
        const before = await logLeader(jetStream);
        await jetStream.api(`STREAM.LEADER.STEPDOWN.${EVENTS_STREAM}`);
        await until(async () => (await logLeader(jetStream)) !== before, {
          ...ELECTION,
          what: "the log has a new leader",
        });
        await delay(random.between(...SHORT_MS));
      }
      return Date.now();
    },
  ),
  "nats-rolling": onCluster(
    "the NATS servers are restarted one after the other, each when the one before has caught up",
    async ({ nodes }, { jetStream }) => {
      for (const node of nodes) {
        await node.restart();
        await until(() => isComplete(jetStream), { ...ELECTION, what: "each NATS server has the whole log" });
      }
      return Date.now();
    },
  ),
  "nats-cluster-kill": onCluster(
    "all NATS servers are killed at once, and started again",
    async ({ nodes }, _system, random) => {
      await Promise.all(nodes.map((node) => node.kill("SIGKILL")));
      await delay(random.between(...SHORT_MS));
      const mendedMs = Date.now();
      await Promise.all(nodes.map((node) => node.restart()));
      return mendedMs;
    },
  ),
} as const satisfies Readonly<Record<string, Fault>>;

/** An election takes seconds, on a loaded machine more; a reply of the one that was killed is waited for. */
const ELECTION = { waitMsMax: 60_000, pollMs: 200 } as const;

type Play = (cluster: NatsCluster, system: Breakable, random: Random) => Promise<number>;

function onCluster(about: string, play: Play): Fault {
  return {
    about,
    cutsHistory: false,
    needs: "cluster",
    play(system, random) {
      const { cluster } = system;
      if (cluster === undefined) throw new Error("this fault needs a cluster of NATS servers: --nats 3");
      return play(cluster, system, random);
    },
  };
}

interface StreamInfo {
  readonly cluster?: { readonly leader?: string; readonly replicas?: readonly { readonly current: boolean }[] };
}

/** The name of the server that leads the log, once there is one. */
async function logLeader(jetStream: JetStream): Promise<string> {
  let leader = "";
  const look = async () => {
    leader = (await infoOf(jetStream))?.cluster?.leader ?? "";
    return leader !== "";
  };
  await until(look, { ...ELECTION, what: "the log has a leader" });
  return leader;
}

async function isComplete(jetStream: JetStream): Promise<boolean> {
  const { leader, replicas = [] } = (await infoOf(jetStream))?.cluster ?? {};
  return leader !== undefined && replicas.length === 2 && replicas.every(({ current }) => current);
}

/** `undefined` while nobody answers. */
function infoOf(jetStream: JetStream): Promise<StreamInfo | undefined> {
  return jetStream.api<StreamInfo>(`STREAM.INFO.${EVENTS_STREAM}`).catch(() => undefined);
}
