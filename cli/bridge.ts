/** `cr-reactor bridge`: runs the bridge from its configuration file until it is told to stop. */
import { setFlagsFromString } from "node:v8";
import { BridgeConfig } from "../bridge/config.ts";
import { createLogger } from "../bridge/logger.ts";
import { runBridge } from "../bridge/main.ts";
import { parseYamlConfig } from "../bridge/yaml-config.ts";
import { readTextFile } from "./file.ts";
import { withTelemetry } from "./telemetry.ts";
import { stopSignal } from "./terminal.ts";

/** How much the heap may grow until it is collected again: V8 alone lets it become up to four times as large, most of it states that were replaced. */
const HEAP_GROWING = "--heap-growing-percent=150";

/** Throws ConfigError and whatever the bridge refuses to start with. */
export async function bridgeCommand({ config: path }: { readonly config: string }): Promise<void> {
  setFlagsFromString(HEAP_GROWING);
  const config = parseYamlConfig(BridgeConfig, await readTextFile(path), path);
  const logger = createLogger("bridge");
  const attributes = { "k8s.cluster.name": config.cluster };
  await withTelemetry({ service: "cr-reactor-bridge", log: logger, attributes }, (telemetry) =>
    runBridge(config, {
      logger,
      telemetry,
      signal: stopSignal(),
      onListening: (port) => logger.info({ port }, "/livez, /readyz and /metrics are served"),
    }),
  );
}
