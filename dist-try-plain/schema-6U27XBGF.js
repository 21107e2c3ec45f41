import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  BridgeConfig
} from "./chunk-R6252PLX.js";
import {
  SubscriptionsFile
} from "./chunk-AQK4HXSM.js";
import {
  print
} from "./chunk-VGEHYBWB.js";
import "./chunk-37LN4L4P.js";
import {
  Change,
  Envelope,
  external_exports
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";

// cli/schema.ts
var SCHEMAS = {
  bridge: { schema: BridgeConfig, io: "input" },
  subscriptions: { schema: SubscriptionsFile, io: "input" },
  change: { schema: Change, io: "output" },
  event: { schema: Envelope, io: "output" }
};
var UnknownSchemaError = class extends Error {
  code = "UNKNOWN_SCHEMA";
};
function schemaCommand(what) {
  const entry = SCHEMAS[what];
  if (entry === void 0)
    throw new UnknownSchemaError(`there is no schema "${what}": ask for ${Object.keys(SCHEMAS).join(", ")}`);
  print(JSON.stringify(external_exports.toJSONSchema(entry.schema, { io: entry.io }), null, 2));
}
export {
  schemaCommand
};
