/** `cr-reactor run`: runs functions until it is told to stop, then lets what runs come to its end. */
import { createLogger } from "#contract";
import { runFunctions } from "../functions/main.ts";
import { endOnCrash } from "./crash.ts";
import { readTextFile } from "./file.ts";
import { giveBackAtRest } from "./rest.ts";
import { withTelemetry } from "./telemetry.ts";
import { stopSignal } from "./terminal.ts";

/** Throws ConfigError, SubscriptionError, or what keeps NATS from being used. */
export async function runCommand(
  functions: readonly string[],
  options: { readonly subscriptions?: string },
): Promise<void> {
  const fileName = options.subscriptions;
  const log = createLogger("functions");
  const signal = stopSignal();
  giveBackAtRest(signal);
  await withTelemetry({ service: "cr-reactor-functions", log }, async (telemetry) => {
    const running = await runFunctions({
      ...(fileName !== undefined && { subscriptions: { text: await readTextFile(fileName), fileName } }),
      select: functions,
      log,
      telemetry,
      signal,
    });
    endOnCrash(log, () => running.status().subscriptions);
    await running.done;
  });
  log.info("the functions have stopped");
}
