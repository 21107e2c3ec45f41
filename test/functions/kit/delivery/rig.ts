/**
 * A real nats-server with CR_EVENTS, and subscriptions on it, for tests of the kit.
 */
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { z } from "zod";
import { connectJetStream, type JetStream } from "../../../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../../bridge/nats/stream.ts";
import type { FunctionContext } from "../../../../functions/kit/define.ts";
import { defineFunction } from "../../../../functions/kit/define.ts";
import type { DeliveryLimits } from "../../../../functions/kit/delivery/delivery-limits.ts";
import { type RunningSubscription, subscribe } from "../../../../functions/kit/delivery/subscribe.ts";
import {
  createMembership,
  type Membership,
  type MembershipLimits,
} from "../../../../functions/kit/ownership/membership.ts";
import { SilenceSetting } from "../../../../functions/kit/silence/silence.ts";
import { watchSilences } from "../../../../functions/kit/silence/silence-watch.ts";
import { bind, Subscription } from "../../../../functions/kit/subscription.ts";
import { needNats } from "../../../kit/shared-kube.ts";
import type { TestEvent } from "../event-factory.ts";

export type Run = (context: FunctionContext<unknown>) => Promise<string | undefined> | Promise<void>;
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface StartOptions extends Partial<z.input<typeof Subscription>> {
  /** Whether the function says that it takes many events. */
  readonly batches?: true;
  readonly limits?: Partial<DeliveryLimits>;
  readonly jetStream?: JetStream;
  /** Those of the file; with them, those of the bucket count too. */
  readonly silences?: readonly z.input<typeof SilenceSetting>[];
  readonly membershipLimits?: Partial<MembershipLimits>;
}
export interface Started extends RunningSubscription {
  readonly lines: readonly LogLine[];
  readonly membership: Membership;
  /** As a process that gets SIGTERM. */
  stop(): Promise<void>;
}

export interface ConsumerState {
  readonly num_ack_pending: number;
  readonly num_pending: number;
  readonly ack_floor: { readonly stream_seq: number };
  readonly config: Readonly<Record<string, unknown>>;
}

/** Everything quicker than in life, so that a test waits for conditions and not for time. */
export const QUICK: Partial<DeliveryLimits> = {
  ackWaitMs: 1_500,
  graceMs: 50,
  drainMs: 1_000,
  retry: { firstMs: 5, maxMs: 20, resetAfterMs: Number.POSITIVE_INFINITY },
  reconcileMs: 500,
  requestExpiresMs: 2_000,
};
/** A process that stands still for seconds, as on a machine that is busy elsewhere, keeps what it holds. */
const PATIENT_MEMBERSHIP: MembershipLimits = { heartbeatMs: 300, renewDeadlineMs: 20_000, leaseMs: 25_000 };
/** For tests that kill processes: they are noticed soon. One that stands still is taken for killed, so events may be repeated. */
export const HASTY: MembershipLimits = { heartbeatMs: 200, renewDeadlineMs: 1_500, leaseMs: 2_000 };

/** Starts the server; `undefined` where there is none. */
export async function startRig(t: TestContext, { withLog = true, eventsPerSubjectMax = 32 } = {}) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const started: Started[] = [];
  const connections: JetStream[] = [];
  const connect = async () => {
    const jetStream = await connectJetStream({ servers: [nats.url] }, "test");
    connections.push(jetStream);
    return jetStream;
  };
  const jetStream = await connect();
  t.after(async () => {
    await Promise.all(started.map((each) => each.stop()));
    await Promise.all(connections.map((each) => each.close()));
  });
  const createLog = () => ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsPerSubjectMax })));
  if (withLog) await createLog();
  return {
    nats,
    jetStream,
    connect,
    createLog,
    async publish(...events: readonly (TestEvent | { subject: string; payload: string })[]) {
      for (const { subject, payload } of events)
        await jetStream.publish(subject, payload, { "content-type": "application/cloudevents+json" });
    },
    start(
      run: Run,
      { batches, limits, silences, membershipLimits, jetStream: other = jetStream, ...subscription }: StartOptions = {},
    ): Started {
      const definition = defineFunction({
        name: "test-function",
        description: "A test's.",
        config: z.any(),
        run,
        ...(batches && { batches }),
      });
      const parsed = Subscription.parse({
        ...{
          name: "test",
          function: "test-function",
          apiVersion: "demo.example.com/v1",
          kind: "Database",
          start: "all",
        },
        ...subscription,
      });
      const stopping = new AbortController();
      const lines: LogLine[] = [];
      const log = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
      const membership = createMembership(other, { log, limits: { ...PATIENT_MEMBERSHIP, ...membershipLimits } });
      const running = subscribe(other, bind(parsed, definition), {
        log,
        membership,
        signal: stopping.signal,
        limits: { ...QUICK, ...limits },
        ...(silences && {
          silences: watchSilences(other, {
            settings: silences.map((each) => SilenceSetting.parse(each)),
            log,
            signal: stopping.signal,
          }),
        }),
      });
      const self = {
        ...running,
        lines,
        membership,
        async stop() {
          stopping.abort();
          await running.done;
          await membership.close();
        },
      };
      started.push(self);
      return self;
    },
    consumer: (name = "test") => jetStream.api<ConsumerState>(`CONSUMER.INFO.CR_EVENTS.cr-${name}`),
    /** Until the server has every acknowledgement. */
    async untilAcked(name = "test") {
      await until(async () => {
        const { num_ack_pending, num_pending } = await jetStream.api<ConsumerState>(
          `CONSUMER.INFO.CR_EVENTS.cr-${name}`,
        );
        return num_ack_pending === 0 && num_pending === 0;
      });
    },
    async deadLetters() {
      const { state } = await jetStream.api<{ state: { first_seq: number; last_seq: number } }>(
        "STREAM.INFO.CR_DEAD_LETTERS",
      );
      const letters: { subject: string; headers: Record<string, string>; payload: string }[] = [];
      for (let seq = Math.max(1, state.first_seq); seq <= state.last_seq; seq++) {
        const { message } = await jetStream.api<{ message: { subject: string; hdrs: string; data?: string } }>(
          "STREAM.MSG.GET.CR_DEAD_LETTERS",
          { seq },
        );
        const headers = Buffer.from(message.hdrs, "base64").toString("utf8").split("\r\n").slice(1).filter(Boolean);
        letters.push({
          subject: message.subject,
          headers: Object.fromEntries(headers.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string])),
          payload: Buffer.from(message.data ?? "", "base64").toString("utf8"),
        });
      }
      return letters;
    },
  };
}
export type Rig = NonNullable<Awaited<ReturnType<typeof startRig>>>;

/** Waits for a condition; a minute without it is a failure. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited a minute for ${condition}`);
    await sleep(10);
  }
}

/** A door that is shut until `open` is called. */
export function door() {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { passed: promise, open: resolve };
}
