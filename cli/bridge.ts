/** `cr-reactor bridge`: runs the bridge from its configuration file until it is told to stop. */
import { BridgeConfig } from "../bridge/config.ts";
import { openTelemetry } from "../bridge/contract.ts";
import { createLogger } from "../bridge/logger.ts";
import { runBridge } from "../bridge/main.ts";
import { parseYamlConfig } from "../bridge/yaml-config.ts";
import { readTextFile } from "./file.ts";
import { stopSignal } from "./terminal.ts";
import { VERSION } from "./version.ts";

/** Throws ConfigError and whatever the bridge refuses to start with. */
export async function bridgeCommand({ config: path }: { readonly config: string }): Promise<void> {
  const config = parseYamlConfig(BridgeConfig, await readTextFile(path), path);
  const logger = createLogger("bridge");
  const attributes = { "k8s.cluster.name": config.cluster };
  const telemetry = await openTelemetry({ service: "cr-reactor-bridge", version: VERSION, attributes, log: logger });
  try {
    await runBridge(config, {
      logger,
      telemetry,
      signal: stopSignal(),
      onListening: (port) => logger.info({ port }, "/livez, /readyz and /metrics are served"),
    });
  } finally {
    await telemetry.close();
  }
}
