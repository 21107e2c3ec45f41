/**
 * Three real nats-servers as one JetStream cluster on loopback ports, each with a store of its own, ready when they have a meta leader.
 * A client hears of no server that it was not told of (`no_advertise`), so that a proxy in front of each one is not passed by.
 * Source: docs.nats.io, "JetStream clustering" and the `cluster` block.
 */
import { z } from "zod";
import { withFreePorts } from "./free-port.ts";
import { type NatsServer, startNats } from "./nats-server.ts";
import { until } from "./until.ts";

/** A running cluster. A node is killed and restarted by its own methods; its port and data survive. */
export interface NatsCluster extends AsyncDisposable {
  readonly nodes: readonly NatsServer[];
  readonly urls: readonly string[];
  /** The node of that name, as JetStream's answers have it. Throws for a name that is none of theirs. */
  node(serverName: string): NatsServer;
  /** Resolves with the meta leader when the running nodes agree on one. */
  untilReady(): Promise<NatsServer>;
  stop(): Promise<void>;
}

/** The fewest that survive the loss of one. */
const NODES = 3;

const MetaAnswer = z.looseObject({ meta_cluster: z.looseObject({ leader: z.string().optional() }).optional() });

/** Starts it. Throws BinaryMissingError and ServerStartError. */
export function startNatsCluster(): Promise<NatsCluster> {
  return withFreePorts(NODES, async (routePorts) => {
    const starts = await Promise.allSettled(
      routePorts.map((port) => startNats({ config: clusterText(port, routePorts) })),
    );
    const nodes = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
    const stop = async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    };
    const node = (serverName: string | undefined) => {
      const found = nodes.find((each) => each.serverName === serverName);
      if (found !== undefined) return found;
      throw new Error(`no server "${serverName}"; there are ${nodes.map((each) => each.serverName).join(", ")}`);
    };
    const untilReady = async () => {
      let leader: string | undefined;
      const look = async () => {
        leader = await leaderOf(nodes);
        return leader !== undefined;
      };
      await until(look, { what: "the NATS servers agree on a meta leader" });
      return node(leader);
    };
    try {
      for (const start of starts) if (start.status === "rejected") throw start.reason;
      await untilReady();
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      nodes,
      urls: nodes.map(({ url }) => url),
      node,
      untilReady,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  });
}

function clusterText(port: number, ports: readonly number[]): string {
  const routes = ports.map((each) => `"nats://127.0.0.1:${each}"`);
  return `cluster { name: "test", listen: "127.0.0.1:${port}", no_advertise: true, routes: [${routes.join(", ")}] }`;
}

/** The leader that all that run name; `undefined` while they do not. */
async function leaderOf(nodes: readonly NatsServer[]): Promise<string | undefined> {
  const running = nodes.filter(({ pid }) => pid !== undefined);
  const leaders = await Promise.all(
    running.map(async ({ monitorUrl }) => {
      const answer = await fetch(`${monitorUrl}/jsz`).catch(() => undefined);
      return answer?.ok ? MetaAnswer.parse(await answer.json()).meta_cluster?.leader : undefined;
    }),
  );
  const [leader] = leaders;
  return leader && leaders.every((each) => each === leader) ? leader : undefined;
}
