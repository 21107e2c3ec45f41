import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);
import {
  HttpUrl,
  httpRequest
} from "./chunk-K3V5YIPZ.js";
import {
  defineFunction
} from "./chunk-AQK4HXSM.js";
import "./chunk-37LN4L4P.js";
import {
  FieldPath,
  SecretSource,
  external_exports,
  parseFieldPath,
  readSecret,
  valueAt
} from "./chunk-T7EPHQBX.js";
import "./chunk-O5RDRNFS.js";

// functions/trigger-workflow.ts
import { hash } from "node:crypto";

// functions/actions/webhook.ts
var RESERVED_HEADERS = /* @__PURE__ */ new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "content-type",
  "content-length",
  "host",
  "idempotency-key"
]);
var HeaderName = external_exports.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "expected the name of an HTTP header").refine((name) => !RESERVED_HEADERS.has(name.toLowerCase()), "is set by cr-reactor; for a credential, set token");
var HttpTarget = external_exports.strictObject({
  type: external_exports.literal("http"),
  url: HttpUrl,
  /** Sent as `authorization: Bearer …`. */
  token: SecretSource.optional(),
  /** Further headers; an API key of the endpoint's own comes from a secret. */
  headers: external_exports.record(HeaderName, external_exports.union([external_exports.string(), SecretSource])).default({})
});
async function orderWorkflow(target, order, options) {
  const headers = { "content-type": "application/json" };
  for (const [name, value] of Object.entries(target.headers)) {
    headers[name] = typeof value === "string" ? value : readSecret(value);
  }
  if (target.token) headers["authorization"] = `Bearer ${readSecret(target.token)}`;
  const { status } = await httpRequest({
    ...options,
    url: target.url,
    method: "POST",
    headers,
    body: JSON.stringify(order),
    acceptedStatuses: [409]
  });
  return status === 409 ? "already started" : "started";
}

// functions/trigger-workflow.ts
var PARAMETER_ROOT = /^\/?(?:object|before|event|change)(?=[./[]|$)/;
var NAME_HEX_DIGITS = 20;
var ParameterPath = FieldPath.refine((path) => PARAMETER_ROOT.test(path), {
  error: "expected a path that starts with object, before, event or change, such as object.spec.replicas"
});
var Config = external_exports.strictObject({
  target: external_exports.discriminatedUnion("type", [HttpTarget]),
  /** A parameter's name, and where its value stands: `replicas: object.spec.replicas`, `was: before.spec.replicas`. Nothing there is null. */
  parameters: external_exports.record(external_exports.string().min(1), ParameterPath).default({})
});
var trigger_workflow_default = defineFunction({
  name: "trigger-workflow",
  description: "Starts a workflow at an HTTP endpoint, with parameters from the change.",
  config: Config,
  async run(context) {
    const { event, config, idempotencyKey, signal } = context;
    const id = workflowName(idempotencyKey);
    const order = { id, event: reference(event), parameters: parametersOf(config.parameters, context) };
    const outcome = await orderWorkflow(config.target, order, { idempotencyKey, signal });
    return `workflow ${id} ${outcome}`;
  }
});
function workflowName(idempotencyKey) {
  return `cr-${hash("sha256", idempotencyKey, "hex").slice(0, NAME_HEX_DIGITS)}`;
}
function reference(event) {
  const { id, type, subject, time, cluster, apiversion, kind, namespace = null, name } = event;
  return { id, type, subject, time, cluster, apiversion, kind, namespace, name };
}
function parametersOf(paths, context) {
  const document = {
    object: context.object,
    // Computing the state before costs a copy of the object: only where a path asks for it.
    get before() {
      return context.before;
    },
    event: context.event,
    change: context.change
  };
  const values = Object.entries(paths).map(([name, path]) => [name, valueAt(document, parseFieldPath(path)) ?? null]);
  return Object.fromEntries(values);
}
export {
  trigger_workflow_default as default
};
