import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import{PermanentError,defineFunction,phase}from"./chunk-5PKJ5BW4.js";import"./chunk-37LN4L4P.js";import{SecretSource,readSecret}from"./chunk-ACEL5Y6D.js";import"./chunk-PXAOUM4L.js";export{PermanentError,SecretSource,defineFunction,phase,readSecret};
