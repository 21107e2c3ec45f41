import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  PermanentError,
  defineFunction,
  phase
} from "./chunk-LRB5TKVP.js";
import "./chunk-37LN4L4P.js";
import {
  SecretSource,
  readSecret
} from "./chunk-TWY6VLQO.js";
import "./chunk-T3ACO5Y6.js";
export {
  PermanentError,
  SecretSource,
  defineFunction,
  phase,
  readSecret
};
