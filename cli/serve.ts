/** `cr-reactor serve`: functions behind an HTTP port until it is told to stop, then what runs comes to its end. */
import { createLogger } from "#contract";
import { serveFunctions } from "../functions/serving.ts";
import { endOnCrash } from "./crash.ts";
import { readTextFile } from "./file.ts";
import { giveBackAtRest } from "./rest.ts";
import { withTelemetry } from "./telemetry.ts";
import { stopSignal } from "./terminal.ts";

/** Throws ConfigError, SubscriptionError, SecretError, or what keeps the port or NATS from being used. */
export async function serveCommand(
  functions: readonly string[],
  options: { readonly subscriptions: string; readonly host?: string; readonly port?: number },
): Promise<void> {
  const { subscriptions: fileName, ...settings } = options;
  const log = createLogger("functions");
  const signal = stopSignal();
  giveBackAtRest(signal);
  await withTelemetry({ service: "cr-reactor-functions", log }, async (telemetry) => {
    const receiver = await serveFunctions({
      subscriptions: { text: await readTextFile(fileName), fileName },
      select: functions,
      settings,
      log,
      telemetry,
      signal,
    });
    endOnCrash(log, receiver.status);
    await receiver.done;
  });
  log.info("the functions have stopped");
}
