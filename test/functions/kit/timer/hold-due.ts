/**
 * What is due of a subscription waits until the test says so: NATS hands it out no earlier. So what has to happen before the time is up happens
 * before, on a machine of any speed, and no test waits longer than its time for that.
 */
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../../../bridge/nats/jetstream-error.ts";
import { until } from "../delivery/rig.ts";

/** Longer than any test runs. */
const HOLD_MS = 3_600_000;

/**
 * Holds back what is due of a subscription that runs, from now on and whatever process runs it. Resolves to what lets go of it.
 * Source: JetStream API `$JS.API.CONSUMER.PAUSE`, nats-server 2.11.
 */
export async function holdDue(jetStream: JetStream, subscription = "test"): Promise<() => Promise<void>> {
  const consumer = `CR_TIMERS.cr-${subscription}`;
  const pause = (body: object) => jetStream.api(`CONSUMER.PAUSE.${consumer}`, body);
  await until(async () => {
    const asked = jetStream.api<{ readonly num_waiting: number }>(`CONSUMER.INFO.${consumer}`);
    const info = await unlessMissing("stream", unlessMissing("consumer", asked));
    return (info?.num_waiting ?? 0) > 0;
  });
  await pause({ pause_until: new Date(Date.now() + HOLD_MS).toISOString() });
  return async () => void (await pause({}));
}
