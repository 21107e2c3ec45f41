/**
 * A bridge in this process, started and stopped with one configuration after the other on a real NATS and any API server: for
 * tests about what it tells, where a process each time would only cost seconds. Its log of events is read as short sentences.
 */
import type { TestContext } from "node:test";
import { pino } from "pino";
import { BridgeConfig } from "../../bridge/config.ts";
import { type Envelope, opOf, parseEnvelope } from "../../bridge/contract.ts";
import type { ConnectionLimits } from "../../bridge/kube/api-server.ts";
import type { OwnPod } from "../../bridge/kube/own-pod.ts";
import { runBridge } from "../../bridge/main.ts";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../bridge/nats/jetstream-error.ts";
import { read } from "../../bridge/nats/reader.ts";
import { needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

/** The part of the configuration that a test is about. */
export interface Captured {
  readonly resources: readonly object[];
  readonly ignore?: readonly string[];
  readonly redactionKey?: { readonly file: string };
  readonly previousRedactionKeys?: readonly { readonly file: string }[];
  readonly leaderElection?: object;
  readonly verify?: { readonly everyMinutes: number; readonly graceSeconds: number };
  /** Default: `test`, and the scene's kubeconfig. */
  readonly cluster?: string;
  readonly kubernetes?: { readonly kubeconfig: string };
}

/** One line of the bridge's own log. */
interface LogLine {
  readonly msg: string;
  /** Epoch milliseconds. */
  readonly time: number;
  readonly resource?: string;
  readonly attempt?: number;
}

type WatchStates = Readonly<Record<string, { readonly type: string; readonly problem?: string }>>;

/** A running bridge. */
export interface RunningBridge {
  readonly lines: readonly LogLine[];
  /** Why it waited, in its log. */
  problems(): readonly string[];
  /** The address of its health endpoints: `host:port`. */
  readonly address: () => string;
  /** What /readyz says: the state of each watch, by its title. */
  watches(): Promise<WatchStates>;
  /** Resolves when so many watches are past their list, or are resumed. */
  live(count: number): Promise<void>;
  /** Publishes what was read, then ends. */
  stop(): Promise<void>;
}

const EFFECT_MS = 60_000;

/** Starts NATS; `undefined` where it is missing. Bridges that still run are stopped after the test. */
export async function openBridgeScene(t: TestContext, kubeconfig: string) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "scene");
  t.after(() => jetStream.close());
  const envelopes = async (): Promise<Envelope[]> => {
    const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
    const reader = read(jetStream, reading, AbortSignal.timeout(60_000), false);
    const delivered = (await unlessMissing("stream", Array.fromAsync(reader))) ?? [];
    return delivered.map(({ message }) => parseEnvelope(message.data));
  };
  const events = async () => (await envelopes()).map(short);
  return {
    nats,
    jetStream,
    envelopes,
    /** `a/orders updated gap replace /spec/replicas, phase Running → Failed`, in the order of the log. */
    events,
    /** Waits for an event that begins so. */
    told: (event: string) =>
      until(async () => (await events()).some((each) => each.startsWith(event)), {
        what: `the log to have "${event}"`,
        waitMsMax: EFFECT_MS,
        pollMs: 100,
      }),
    startBridge: (captured: Captured, limits?: ConnectionLimits, pod?: OwnPod) =>
      startBridge(t, { kubernetes: { kubeconfig }, ...captured, nats: { servers: [nats.url] } }, limits, pod),
  };
}

function startBridge(t: TestContext, settings: object, limits?: ConnectionLimits, pod?: OwnPod): RunningBridge {
  const config = BridgeConfig.parse({ cluster: "test", health: { host: "127.0.0.1", port: 0 }, ...settings });
  const stop = new AbortController();
  const lines: LogLine[] = [];
  const logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
  let port = 0;
  const done = runBridge(config, {
    logger,
    signal: stop.signal,
    pod,
    onListening: (listening) => {
      port = listening;
    },
    ...(limits && { connectionLimits: limits }),
  });
  const end = () => {
    stop.abort();
    return done;
  };
  t.after(() => end().catch(() => undefined)); // a test that failed has stopped its NATS already
  const live = () => lines.filter(({ msg }) => /compared with the log|resuming behind the checkpoint/.test(msg)).length;
  return {
    lines,
    problems: () => lines.flatMap(({ attempt, msg }) => (attempt === undefined ? [] : [msg])),
    address: () => `127.0.0.1:${port}`,
    async watches() {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
      return ((await answer.json()) as { watches: WatchStates }).watches;
    },
    live: (count) => until(() => live() >= count, { what: `${count} watches to be live`, waitMsMax: EFFECT_MS }),
    stop: end,
  };
}

function short(envelope: Envelope): string {
  const { patch, gap, transitions } = envelope.data;
  const { phase } = transitions;
  const details = [
    ...(patch ?? []).map(({ op, path }) => `${op} ${path}`),
    ...(phase ? [`phase ${phase.from} → ${phase.to}`] : []),
  ];
  const what = `${envelope["namespace"]}/${envelope.name} ${opOf(envelope)}${gap ? " gap" : ""}`;
  return details.length === 0 ? what : `${what} ${details.join(", ")}`;
}
