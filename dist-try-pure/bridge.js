import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  runBridge
} from "./chunk-JP3HYGHY.js";
import {
  readTextFile
} from "./chunk-CCCYGBWH.js";
import {
  BridgeConfig
} from "./chunk-BFNF4XSC.js";
import {
  stopSignal
} from "./chunk-HUFOHVMQ.js";
import {
  createLogger,
  parseYamlConfig
} from "./chunk-MT2EEFXM.js";
import "./chunk-T3ACO5Y6.js";

// cli/bridge.ts
async function bridgeCommand({ config: path }) {
  let config = parseYamlConfig(BridgeConfig, await readTextFile(path), path), logger = createLogger("bridge");
  await runBridge(config, {
    logger,
    signal: stopSignal(),
    onListening: (port) => logger.info({ port }, "/livez, /readyz and /metrics are served")
  });
}
export {
  bridgeCommand
};
