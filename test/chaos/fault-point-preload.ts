/**
 * Loaded before a bridge by `node --import`: where the bridge's own files import the log, the checkpoint or the reflector, they get
 * `fault-point-bridge.ts`, which adds the fault points. Nothing in the product knows of it.
 * Source: Node.js documentation, `module.registerHooks` (synchronous, in this thread).
 */
import { registerHooks } from "node:module";

const BRIDGE = new URL("../../bridge/", import.meta.url).href;
const WRAPPED: ReadonlySet<string> = new Set(
  ["log/event-log.ts", "log/checkpoint.ts", "kube/reflector.ts"].map((file) => new URL(file, BRIDGE).href),
);
const WRAPPER = new URL("fault-point-bridge.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const isOurs = WRAPPED.has(resolved.url) && context.parentURL?.startsWith(BRIDGE) === true;
    return isOurs ? { ...resolved, url: WRAPPER } : resolved;
  },
});
