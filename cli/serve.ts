/** `cr-reactor serve`: functions behind an HTTP port until it is told to stop, then what runs comes to its end. */
import { createLogger, openTelemetry } from "#contract";
import { serveFunctions } from "../functions/serving.ts";
import { endOnCrash } from "./crash.ts";
import { readTextFile } from "./file.ts";
import { stopSignal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Throws ConfigError, SubscriptionError, SecretError, or what keeps the port or NATS from being used. */
export async function serveCommand(
  functions: readonly string[],
  options: { readonly subscriptions: string; readonly host?: string; readonly port?: number },
): Promise<void> {
  const { subscriptions: fileName, ...settings } = options;
  const log = createLogger("functions");
  const telemetry = await openTelemetry({ service: "cr-reactor-functions", version: VERSION, log });
  const receiver = await serveFunctions({
    subscriptions: { text: await readTextFile(fileName), fileName },
    select: functions,
    settings,
    log,
    telemetry,
    signal: stopSignal(),
  });
  endOnCrash(log, receiver.status);
  await receiver.done;
  await telemetry.close();
  log.info("the functions have stopped");
}
