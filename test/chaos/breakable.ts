/**
 * What can be broken, and what a fault is: something that breaks a part, holds for a while, and mends it. What the bridge makes of
 * it is not its business.
 */
import type { JetStream } from "#contract";
import type { KubeServer } from "../kit/kube-apiserver.ts";
import type { NatsCluster } from "../kit/nats-cluster.ts";
import type { NatsServer } from "../kit/nats-server.ts";
import type { OtherBuild } from "../kit/other-build.ts";
import type { Random } from "../kit/random.ts";
import type { Bridges } from "./bridges.ts";
import type { Blindness } from "./evidence.ts";
import type { ChaosProxy } from "./proxy.ts";
import type { EventRecorder } from "./recorder.ts";
import type { OrderWriter } from "./writer-order.ts";

/** The parts. */
export interface Breakable {
  /** Two, of which one leads. */
  readonly bridge: Bridges;
  /** The one server; of a cluster, its first. */
  readonly nats: NatsServer;
  readonly cluster: NatsCluster | undefined;
  readonly kube: KubeServer;
  /** Between the bridges and NATS, and between the bridges and the API server. */
  readonly natsProxy: Pick<ChaosProxy, "set" | "cut">;
  readonly kubeProxy: Pick<ChaosProxy, "set" | "cut">;
  /** To look at NATS, past the proxies. */
  readonly jetStream: JetStream;
  readonly log: EventRecorder;
  readonly orderWriter: OrderWriter;
  /** What the bridges are upgraded to; built when it is first asked for. */
  readonly otherBuild: () => Promise<OtherBuild>;
  /** What was done to the histories: a fault that does it notes it, for `Evidence`. */
  readonly losses: { readonly restores: Blindness[]; readonly wipesMs: number[] };
  /** The number of the newest event in the log. */
  lastSequence(): Promise<number>;
  /** Notes something that must not be, other than in the log: it fails the run. */
  complain(problem: string): void;
}

/** One kind of fault. */
export interface Fault {
  /** What it is, for `--help`. */
  readonly about: string;
  /** Whether the API server forgets its history, so that what happened meanwhile may be told as a net change. */
  readonly cutsHistory: boolean;
  /** Of NATS: one server, or a cluster of them. Default: either will do. */
  readonly needs?: "one" | "cluster";
  /** In a shorter run only when it is named. Default 0. */
  readonly minutesMin?: number;
  /** Breaks and mends. Answers the time (epoch milliseconds) from which on recovery was possible. */
  play(system: Breakable, random: Random): Promise<number>;
}

/** What a slow connection carries: less than what is written. */
export const SLOW_BYTES_PER_SECOND = 20_000;

/** How long something stays broken, in milliseconds from and to. */
export const SHORT_MS = [0, 1_500] as const;
export const SOME_SECONDS_MS = [2_000, 6_000] as const;
