/**
 * Runs scenarios: sets each up, repeats it with the peers in turn, and gathers what it measured. One nats-server for all, one kube-apiserver from when
 * the first scenario needs it, our bundle as releases have it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { build } from "../../build.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { type KubeServer, startKube } from "../kit/kube-apiserver.ts";
import { startNats } from "../kit/nats-server.ts";
import { type Facts, readFacts } from "./facts.ts";
import { type Measurement, PEER_NAMES, type PeerName, UNITS } from "./measure.ts";
import { floor } from "./peer/floor.ts";
import { fluentClient } from "./peer/fluent-client.ts";
import { nodePeer } from "./peer/node-program.ts";
import { type Peer, PeerMissingError } from "./peer/peer.ts";
import { us } from "./peer/us.ts";
import type { Round, Scenario, Size, Stage } from "./scenario.ts";

/** What to run. */
export interface RunOptions {
  readonly scenarios: readonly Scenario[];
  readonly size: Size;
  /** How often each is repeated. */
  readonly rounds: number;
  /** A build that is there; left out: one is made. */
  readonly bundle?: string | undefined;
  /** Told to a person, while it runs. */
  readonly progress: (text: string) => void;
}

/** What was measured, and where. */
export interface RunResult {
  readonly measurements: readonly Measurement[];
  /** Why a peer is not in the table, by its name. */
  readonly notBuilt: Readonly<Record<string, string>>;
  /** What peers failed at: `drain, client-node: …`. */
  readonly failures: readonly string[];
  readonly facts: Facts;
}

/** Enough for the reason; what a peer logs repeats itself. */
const FAILURE_CHARS_MAX = 240;

/** Runs everything. Rejects when ours fails, or a server is missing; what another peer fails at is told in the result. */
export async function runScenarios({ scenarios, size, rounds, ...options }: RunOptions): Promise<RunResult> {
  const measurements: Measurement[] = [];
  const failures: string[] = [];
  await using cleanup = new AsyncDisposableStack();
  const { stage, notBuilt, facts } = await openStage({ size, only: peersFor(scenarios), ...options }, cleanup);
  for (const scenario of scenarios) {
    const startedAt = performance.now();
    const { name } = scenario;
    let where = name;
    const progress = (text: string) => options.progress(`${where}: ${text}`);
    await using open = await scenario.open({ ...stage, progress });
    for (let index = 0; index < rounds; index++) {
      where = `${name}, round ${index + 1} of ${rounds}`;
      const first = index % Math.max(1, stage.peers.length);
      const round: Round = {
        index,
        peers: [...stage.peers.slice(first), ...stage.peers.slice(0, first)],
        tell: (work, measure, unit, peer, value) => {
          measurements.push({ scenario: name, work, measure, unit, peer, value });
        },
        async attempt(peer, run) {
          const known = measurements.length;
          await run().catch((error: Error) => {
            if (peer.name === "us") throw error;
            failures.push(`${name}, ${peer.name}: ${error.message}`.slice(0, FAILURE_CHARS_MAX));
          });
          const told = measurements.slice(known);
          if (told.length > 0) progress(`${peer.name}: ${told.map(shortText).join(", ")}`);
        },
      };
      progress("begins");
      await open.round(round);
    }
    options.progress(`${name}: ${rounds} ${rounds === 1 ? "round" : "rounds"} in ${seconds(startedAt)} s`);
  }
  return { measurements, notBuilt, failures, facts };
}

function shortText({ measure, unit, value }: Measurement): string {
  return `${measure} ${UNITS[unit](value)}${unit === "count" ? "" : ` ${unit}`}`;
}

function peersFor(scenarios: readonly Scenario[]): readonly PeerName[] {
  if (scenarios.some(({ needs }) => needs === "all peers")) return PEER_NAMES;
  return scenarios.some(({ needs }) => needs === "our bundle") ? ["us"] : [];
}

function seconds(startedAt: number): string {
  return ((performance.now() - startedAt) / 1000).toFixed(1);
}

interface StageOptions {
  readonly size: Size;
  /** Only these peers are built. */
  readonly only: readonly PeerName[];
  readonly bundle?: string | undefined;
  readonly progress: (text: string) => void;
}

/** Starts what all share; `cleanup` ends it. */
export async function openStage({ size, progress, only, ...options }: StageOptions, cleanup: AsyncDisposableStack) {
  const folder = createDataFolder("bench");
  cleanup.defer(folder.remove);
  // As in an installed package: without it Node parses each file twice, and keeps more of it (13 MB).
  writeFileSync(join(folder.path, "package.json"), JSON.stringify({ type: "module" }));
  const bundle = options.bundle ?? join(folder.path, "dist");
  if (options.bundle === undefined && only.includes("us")) {
    progress("the bundle is built");
    await build(bundle);
  }
  const { peers, notBuilt } = await preparePeers(folder.path, bundle, only, progress);
  const nats = cleanup.use(await startNats());
  const jetStream = await connectJetStream({ servers: [nats.url] }, "bench");
  cleanup.defer(() => jetStream.close());
  let kube: Promise<KubeServer> | undefined;
  const startOnce = async () => cleanup.use(await startKube());
  const stage: Stage = {
    ...{ size, nats, jetStream, bundle, peers, progress },
    kube() {
      kube ??= startOnce();
      return kube;
    },
  };
  return { stage, notBuilt, facts: readFacts(jetStream.serverVersion) };
}

async function preparePeers(
  folder: string,
  bundle: string,
  only: readonly PeerName[],
  progress: (text: string) => void,
) {
  const peers: Peer[] = [];
  const notBuilt: Record<string, string> = {};
  const makers: Readonly<Record<PeerName, () => Peer | Promise<Peer>>> = {
    floor,
    "client-node": () => nodePeer("client-node", folder),
    "fluent-client": () => fluentClient(folder),
    us: () => us(bundle),
  };
  for (const name of only)
    try {
      peers.push(await makers[name]());
    } catch (error) {
      if (!(error instanceof PeerMissingError)) throw error;
      progress(`${name} is not built: ${error.message}`);
      notBuilt[name] = error.message;
    }
  return { peers, notBuilt };
}
