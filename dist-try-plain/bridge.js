import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  runBridge
} from "./chunk-JUILD2QJ.js";
import {
  readTextFile
} from "./chunk-SIPVQHZ6.js";
import {
  BridgeConfig
} from "./chunk-R6252PLX.js";
import {
  stopSignal
} from "./chunk-VGEHYBWB.js";
import {
  createLogger,
  parseYamlConfig
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";

// cli/bridge.ts
async function bridgeCommand({ config: path }) {
  const config = parseYamlConfig(BridgeConfig, await readTextFile(path), path);
  const logger = createLogger("bridge");
  await runBridge(config, {
    logger,
    signal: stopSignal(),
    onListening: (port) => logger.info({ port }, "/livez, /readyz and /metrics are served")
  });
}
export {
  bridgeCommand
};
