/** Telemetry of a command that runs until it is stopped: opened before it, closed behind it, also when it fails. */
import { type Logger, openTelemetry, type Telemetry } from "#contract";
import { VERSION } from "./version.ts";

/** For what the SDK still tries when its time is over: its timers would hold the process for ten seconds more. */
const EXIT_AFTER_MS = 100;

/** Runs the command with it, as the environment says. Throws what the command throws. */
export async function withTelemetry(
  about: { readonly service: string; readonly log: Logger; readonly attributes?: Readonly<Record<string, string>> },
  run: (telemetry: Telemetry) => Promise<void>,
): Promise<void> {
  const telemetry = await openTelemetry({ ...about, version: VERSION });
  try {
    await run(telemetry);
  } finally {
    const isSent = await telemetry.close();
    if (!isSent) setTimeout(() => process.exit(), EXIT_AFTER_MS).unref();
  }
}
