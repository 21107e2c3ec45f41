/**
 * Loaded before a process of functions by `node --import`: where the kit's own files import those below, they get `kill-point-kit.ts`,
 * which adds the kill points and shortens the times. Nothing in the product knows of it.
 * Source: Node.js documentation, `module.registerHooks` (synchronous, in this thread).
 */
import { registerHooks } from "node:module";
import { passed } from "./kill-point.ts";

const FUNCTIONS = new URL("../../functions/", import.meta.url).href;
const WRAPPED: ReadonlySet<string> = new Set(
  [
    "actions/ticket/github-issues.ts",
    "kit/delivery/settle.ts",
    "kit/delivery/acknowledgement.ts",
    "kit/delivery/dead-letter.ts",
    "kit/delivery/delivery-limits.ts",
    "kit/incident/nats-memory.ts",
    "kit/ownership/membership.ts",
    "kit/silence/held-back.ts",
    "kit/step/nats-memory.ts",
  ].map((file) => new URL(file, FUNCTIONS).href),
);
const WRAPPER = new URL("kill-point-kit.ts", import.meta.url).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    const isOurs = WRAPPED.has(resolved.url) && context.parentURL?.startsWith(FUNCTIONS) === true;
    return isOurs ? { ...resolved, url: WRAPPER } : resolved;
  },
});

const send = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const step = new URL(String(input)).pathname.slice(1);
  passed(`before-send:${step}`);
  const answer = await send(input, init);
  passed(`answered:${step}`);
  return answer;
};
