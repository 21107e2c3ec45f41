/**
 * Starts a workflow about a change, with parameters taken from it. The workflow's name is derived from the event, so that a
 * second try finds the first. The target is one of a union by `type`.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { defineFunction, type Envelope, FieldPath, type Json, parseFieldPath, valueAt } from "#kit";
import { HttpTarget, orderWorkflow } from "./actions/webhook.ts";

/** What a parameter's path may start with. */
const PARAMETER_ROOT = /^\/?(?:object|before|event|change)(?=[./[]|$)/;
/** 80 bits: two events of a subscription never share a name. */
const NAME_HEX_DIGITS = 20;

const ParameterPath = FieldPath.refine((path) => PARAMETER_ROOT.test(path), {
  error: "expected a path that starts with object, before, event or change, such as object.spec.replicas",
});

const Config = z.strictObject({
  target: z.discriminatedUnion("type", [HttpTarget]),
  /** A parameter's name, and where its value stands: `replicas: object.spec.replicas`, `was: before.spec.replicas`. Nothing there is null. */
  parameters: z.record(z.string().min(1), ParameterPath).default({}),
});

export default defineFunction({
  name: "trigger-workflow",
  description: "Starts a workflow at an HTTP endpoint, with parameters from the change.",
  config: Config,
  async run(context) {
    const { event, config, step } = context;
    const id = workflowName(context.idempotencyKey);
    const order = { id, event: reference(event), parameters: parametersOf(config.parameters, context) };
    const outcome = await step("start", (call) => orderWorkflow(config.target, order, call));
    return `workflow ${id} ${outcome}`;
  },
});

/** A DNS label (RFC 1123) for a subscription's event: `cr-` and 20 hexadecimal digits. Takes the event's idempotency key. */
function workflowName(idempotencyKey: string): string {
  return `cr-${hash("sha256", idempotencyKey, "hex").slice(0, NAME_HEX_DIGITS)}`;
}

/** The event without its data: enough to find it again. */
function reference(event: Envelope): Record<string, string | null> {
  const { id, type, subject, time, cluster, apiversion, kind, namespace = null, name } = event;
  return { id, type, subject, time, cluster, apiversion, kind, namespace, name };
}

function parametersOf(
  paths: Readonly<Record<string, string>>,
  context: { readonly object: unknown; readonly before: unknown; readonly event: unknown; readonly change: unknown },
): Record<string, Json> {
  const document = {
    object: context.object,
    // Computing the state before costs a copy of the object: only where a path asks for it.
    get before() {
      return context.before;
    },
    event: context.event,
    change: context.change,
  };
  const values = Object.entries(paths).map(([name, path]) => [name, valueAt(document, parseFieldPath(path)) ?? null]);
  return Object.fromEntries(values);
}
