import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  PermanentError,
  defineFunction,
  phase
} from "./chunk-AQK4HXSM.js";
import "./chunk-37LN4L4P.js";
import {
  SecretSource,
  readSecret
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";
export {
  PermanentError,
  SecretSource,
  defineFunction,
  phase,
  readSecret
};
