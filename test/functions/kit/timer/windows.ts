/**
 * Windows of `batch` that are over when the test says so, and not when a clock does: how many events a machine gets into a second is not
 * what a test is about.
 */
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import { unlessMissing } from "../../../../bridge/nats/jetstream-error.ts";
import { getStored } from "../../../../bridge/nats/stored-message.ts";
import { until } from "../delivery/rig.ts";

/** Longer than any test runs. */
export const ENDLESS = "1h";

/** Lets NATS send at once what it would send at the end of the windows that are open. */
export async function endWindows(jetStream: JetStream): Promise<void> {
  type Info = { readonly state: { readonly subjects?: Readonly<Record<string, number>> } };
  const asked = jetStream.api<Info>("STREAM.INFO.CR_TIMERS", { subjects_filter: "crtimer.wait.*.queue.*" });
  const { subjects = {} } = (await unlessMissing("stream", asked))?.state ?? {};
  for (const subject of Object.keys(subjects)) {
    const target = (await getStored(jetStream, "CR_TIMERS", { last_by_subj: subject }))?.header("Nats-Schedule-Target");
    if (target === undefined) continue; // it is over by itself
    const headers = { "Nats-Schedule": `@at ${new Date().toISOString()}`, "Nats-Schedule-Target": target };
    await jetStream.publish(subject, "", headers);
  }
}

/** Ends each window that opens, until the condition holds. */
export async function endWindowsUntil(jetStream: JetStream, condition: () => boolean): Promise<void> {
  await until(async () => {
    await endWindows(jetStream);
    return condition();
  });
}
