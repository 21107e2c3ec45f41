import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  FieldPath,
  NatsSettings,
  StreamSettings,
  external_exports,
  groupOf,
  parseFieldPath,
  valueAt
} from "./chunk-TWY6VLQO.js";

// bridge/kubernetes-settings.ts
var KubernetesSettings = external_exports.strictObject({ kubeconfig: external_exports.string().min(1).exactOptional(), context: external_exports.string().min(1).exactOptional() }).prefault({});

// bridge/transitions.ts
var CONDITION_PREFIX = "condition:", Condition = external_exports.object({
  type: external_exports.string(),
  status: external_exports.string(),
  reason: external_exports.string().nullish(),
  message: external_exports.string().nullish(),
  lastTransitionTime: external_exports.string().nullish()
});
function parsePhaseSource(text) {
  if (!text.startsWith(CONDITION_PREFIX)) return { type: "path", segments: parseFieldPath(text) };
  let condition = text.slice(CONDITION_PREFIX.length);
  if (condition === "")
    throw new Error('phase "condition:" names no condition; write it as condition:Ready, or as a path: status.phase');
  return { type: "condition", condition };
}
function phaseOf(object, source, before, at) {
  switch (source.type) {
    case "path": {
      let value = valueAt(object, source.segments);
      if (value == null || value === "" || typeof value == "object") return;
      let name = String(value);
      return { name, since: before?.name === name ? before.since : at };
    }
    case "condition": {
      let condition = conditionsOf(object).get(source.condition);
      if (condition === void 0) return;
      let since = condition.lastTransitionTime ?? (before?.name === condition.status ? before.since : at);
      return { name: condition.status, since };
    }
    default:
      return source;
  }
}
function phaseTransition(before, after, at) {
  if (before?.name !== after?.name)
    return {
      from: before?.name ?? null,
      to: after?.name ?? null,
      heldSeconds: secondsBetween(before?.since, after?.since ?? at)
    };
}
function conditionTransitions(before, after, at) {
  let old = before === null ? /* @__PURE__ */ new Map() : conditionsOf(before), now = conditionsOf(after), found = [];
  for (let type of /* @__PURE__ */ new Set([...old.keys(), ...now.keys()])) {
    let [was, is] = [old.get(type), now.get(type)];
    if (was?.status === is?.status) continue;
    let heldSeconds = secondsBetween(was?.lastTransitionTime, is?.lastTransitionTime ?? at), { reason = null, message = null } = is ?? {};
    found.push([type, { from: was?.status ?? null, to: is?.status ?? null, reason, message, heldSeconds }]);
  }
  return found.length === 0 ? void 0 : Object.fromEntries(found);
}
function conditionsOf(object) {
  let list = valueAt(object, ["status", "conditions"]), conditions = /* @__PURE__ */ new Map();
  if (!Array.isArray(list)) return conditions;
  for (let entry of list) {
    let condition = Condition.safeParse(entry);
    condition.success && conditions.set(condition.data.type, condition.data);
  }
  return conditions;
}
function secondsBetween(from, to) {
  let seconds = Math.floor((Date.parse(to ?? "") - Date.parse(from ?? "")) / 1e3);
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

// bridge/config.ts
var PhasePath = external_exports.string().superRefine((text, context) => {
  try {
    parsePhaseSource(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: error.message });
  }
}), ResourceEntry = external_exports.strictObject({
  apiVersion: external_exports.string().regex(/^([a-z0-9.-]+\/)?v[a-z0-9]+$/, "expected an API version such as demo.example.com/v1"),
  kind: external_exports.string().regex(/^[A-Z][A-Za-z0-9]*$/, "expected a kind such as Database (the singular, as in manifests)"),
  /** Left out: all namespaces. */
  namespaces: external_exports.array(external_exports.string().min(1)).min(1).optional(),
  /** Where the phase is: a path, or `condition:Ready`; default status.phase. */
  phase: PhasePath.default("status.phase"),
  /** Paths whose changes make no event on their own; `*` is any key. */
  ignore: external_exports.array(FieldPath).default([])
}), BridgeConfig = external_exports.strictObject({
  /** Names the cluster in every event and subject, so that several can share one NATS. */
  cluster: external_exports.string().regex(/^[a-z0-9-]{1,63}$/, "expected 1 to 63 of a-z, 0-9 and -"),
  resources: external_exports.array(ResourceEntry).min(1).superRefine(refuseOverlap),
  /** Ignored for every resource. */
  ignore: external_exports.array(FieldPath).default([]),
  nats: NatsSettings,
  kubernetes: KubernetesSettings,
  streams: StreamSettings,
  /** Memory for the last states of objects, in bytes of heap; what does not fit is read from NATS. Default 64 MiB. */
  stateBytesMax: external_exports.int().nonnegative().default(64 * 1024 ** 2),
  /** Where /livez, /readyz and /metrics are served; port 0 picks a free one. */
  health: external_exports.strictObject({ host: external_exports.string().default("0.0.0.0"), port: external_exports.int().min(0).max(65535).default(8080) }).prefault({})
});
function refuseOverlap(entries, context) {
  for (let [index, entry] of entries.entries())
    entries.slice(0, index).find((other) => overlaps(other, entry)) !== void 0 && context.addIssue({
      code: "custom",
      path: [index],
      message: `${entry.kind} of ${entry.apiVersion} is covered by an earlier entry: join the two, or give them different namespaces`
    });
}
function overlaps(a, b) {
  return a.kind !== b.kind || groupOf(a.apiVersion) !== groupOf(b.apiVersion) ? !1 : a.namespaces === void 0 || b.namespaces === void 0 || a.namespaces.some((name) => b.namespaces?.includes(name));
}

export {
  parsePhaseSource,
  phaseOf,
  phaseTransition,
  conditionTransitions,
  BridgeConfig
};
