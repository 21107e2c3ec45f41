/** What a scenario is given, and what it answers: each file of `scenario/` exports one. */
import type { JetStream } from "../../bridge/nats/jetstream.ts";
import type { KubeServer } from "../kit/kube-apiserver.ts";
import type { NatsServer } from "../kit/nats-server.ts";
import type { Unit } from "./measure.ts";
import type { Peer } from "./peer/peer.ts";

/** How much of everything: `quick` shows that it runs, `full` is what is published. */
export type Size = "quick" | "full";

/** What all scenarios share. */
export interface Stage {
  readonly size: Size;
  readonly nats: NatsServer;
  readonly jetStream: JetStream;
  /** The folder of our bundle. */
  readonly bundle: string;
  /** Those that could be built, in the order of the table. */
  readonly peers: readonly Peer[];
  /** A real kube-apiserver; started when the first scenario asks for it. */
  kube(): Promise<KubeServer>;
  /** Tells a person what is being done. */
  progress(text: string): void;
}

/** One of the repetitions. */
export interface Round {
  readonly index: number;
  /** All peers, each round beginning with another, so that what one leaves behind meets all. */
  readonly peers: readonly Peer[];
  /** Tells a measured value. */
  tell(work: string, measure: string, unit: Unit, peer: string, value: number): void;
  /** Runs what is about one peer. Where another than ours fails, the run goes on without it. */
  attempt(peer: Peer, run: () => Promise<void>): Promise<void>;
}

/** A scenario that is set up: `round` is called for each repetition, then it is disposed of. */
export interface OpenScenario extends AsyncDisposable {
  round(round: Round): Promise<void>;
}

/** One thing that is measured. */
export interface Scenario {
  readonly name: string;
  /** A sentence for `--help`. */
  readonly about: string;
  /** What has to be built for it. */
  readonly needs: "all peers" | "our bundle" | "nothing";
  open(stage: Stage): Promise<OpenScenario>;
}
