/**
 * The second way to run functions: behind an HTTP port that takes CloudEvents, beside `main.ts`, which takes them from NATS. The same
 * file, the same checks at start, the same functions. NATS is needed only by what is kept there, so it is connected to only where the
 * file or NATS_URL names it.
 */
import { awaitJetStream, type JetStream, logConnection, type NatsSettings, resolveNatsSettings } from "#contract";
import { watchSchemas } from "./kit/schema/schema-watch.ts";
import { type Receiver, receive } from "./kit/serve/receiver.ts";
import type { ServeSettings } from "./kit/serve/serve-settings.ts";
import { bindAll, fileOf, MEANWHILE, type RunFunctionsOptions } from "./main.ts";

/** What to serve, and where. */
export interface ServeFunctionsOptions extends RunFunctionsOptions {
  /** Go before the file's `serve`. */
  readonly settings?: Pick<ServeSettings, "host" | "port">;
}

/** Starts to listen. Throws ConfigError, SubscriptionError, SecretError, ListenError or NatsUnusableError. */
export async function serveFunctions(options: ServeFunctionsOptions): Promise<Receiver> {
  const { log, signal, settings, telemetry } = options;
  const bindings = await bindAll(options);
  const file = fileOf(options);
  const jetStream = await connect(options.nats ?? file?.nats, options);
  const selections = bindings.map(({ subscription }) => subscription);
  const receiving = { log, signal, jetStream, tracing: telemetry?.tracing };
  const receiver = await receive(bindings, { ...file?.serve, ...settings }, receiving).catch(async (error) => {
    // An open connection would keep a process alive that serves nothing.
    await jetStream?.close();
    throw error;
  });
  if (jetStream !== undefined) {
    logConnection(jetStream, log, MEANWHILE);
    watchSchemas(jetStream, selections, { log, signal });
  }
  return { ...receiver, done: receiver.done.then(() => jetStream?.close()) };
}

async function connect(
  settings: NatsSettings | undefined,
  { log, signal }: ServeFunctionsOptions,
): Promise<JetStream | undefined> {
  if (settings?.servers === undefined && process.env["NATS_URL"] === undefined) return undefined;
  const onWait = (error: Error) => log.warn(error.message);
  return await awaitJetStream(resolveNatsSettings(settings ?? {}), "cr-reactor serve", { signal, onWait });
}
