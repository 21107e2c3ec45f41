import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  runFunctions
} from "./chunk-BF5P225Q.js";
import {
  readTextFile
} from "./chunk-CCCYGBWH.js";
import "./chunk-LRB5TKVP.js";
import {
  stopSignal
} from "./chunk-HUFOHVMQ.js";
import "./chunk-37LN4L4P.js";
import {
  createLogger
} from "./chunk-TWY6VLQO.js";
import "./chunk-T3ACO5Y6.js";

// cli/run.ts
async function runCommand(functions, options) {
  let fileName = options.subscriptions, log = createLogger("functions");
  await (await runFunctions({
    ...fileName !== void 0 && { subscriptions: { text: await readTextFile(fileName), fileName } },
    select: functions,
    log,
    signal: stopSignal()
  })).done, log.info("the functions have stopped");
}
export {
  runCommand
};
