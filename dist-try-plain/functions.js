import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  runFunctions
} from "./chunk-23T7AO6V.js";
import {
  readTextFile
} from "./chunk-SIPVQHZ6.js";
import "./chunk-AQK4HXSM.js";
import {
  stopSignal
} from "./chunk-VGEHYBWB.js";
import "./chunk-37LN4L4P.js";
import {
  createLogger
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";

// cli/run.ts
async function runCommand(functions, options) {
  const fileName = options.subscriptions;
  const log = createLogger("functions");
  const running = await runFunctions({
    ...fileName !== void 0 && { subscriptions: { text: await readTextFile(fileName), fileName } },
    select: functions,
    log,
    signal: stopSignal()
  });
  await running.done;
  log.info("the functions have stopped");
}
export {
  runCommand
};
