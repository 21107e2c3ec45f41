import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  PermanentError,
  defineFunction,
  phase
} from "./chunk-TJJXDNQT.js";
import "./chunk-37LN4L4P.js";
import {
  SecretSource,
  readSecret
} from "./chunk-MT2EEFXM.js";
import "./chunk-T3ACO5Y6.js";
export {
  PermanentError,
  SecretSource,
  defineFunction,
  phase,
  readSecret
};
