/**
 * Starts a workflow about a change, with parameters taken from it: Argo Workflows, Tekton, a Job, GitHub Actions, or any HTTP endpoint. Its
 * name is derived from the event, so that a second try finds the first: one event, one workflow. The target is one of a union by `type`.
 */
import { hash } from "node:crypto";
import { z } from "zod";
import { defineFunction, type Envelope, type FunctionContext, type Json, type KubeRight } from "#kit";
import { EventPath, valueIn } from "./actions/event-path.ts";
import { createKubeClients, type KubeClients } from "./actions/kube/kube-client.ts";
import { renderTemplate, Template } from "./actions/template.ts";
import { HttpTarget, orderWorkflow } from "./actions/webhook.ts";
import { ArgoTarget, argoWorkflow, WORKFLOW } from "./actions/workflow/argo.ts";
import { dispatchWorkflow, GitHubActionsTarget } from "./actions/workflow/github.ts";
import { JOB, JobTarget, jobRights, kubeJob } from "./actions/workflow/job.ts";
import { startKubeWorkflow, workflowRight } from "./actions/workflow/kube-workflow.ts";
import { PIPELINE_RUN, TektonTarget, tektonPipelineRun } from "./actions/workflow/tekton.ts";
import type { Started, WorkflowOrder } from "./actions/workflow/workflow-order.ts";

/** 80 bits: two events of a subscription never share a name. */
const NAME_HEX_DIGITS = 20;
/** With the digits, what a Job's pods can still be called after (63 characters, five of them random). */
const PREFIX_CHARS_MAX = 32;
/** Tells a template from a path, which has no braces. */
const LIQUID = /\{[{%]/;

const Parameter = z.string().superRefine((text, context) => {
  const parsed = (LIQUID.test(text) ? Template : EventPath).safeParse(text);
  for (const { message } of parsed.error?.issues ?? []) context.addIssue({ code: "custom", message });
});

const Target = z.discriminatedUnion("type", [HttpTarget, ArgoTarget, TektonTarget, JobTarget, GitHubActionsTarget]);

const Config = z.strictObject({
  target: Target,
  /**
   * A parameter's name, and where its value stands: `replicas: object.spec.replicas`, `was: before.spec.replicas`. Nothing there is null. Or a
   * text with values in it, `title: "{{ event.name }} grows"`.
   */
  parameters: z.record(z.string().min(1), Parameter).default({}),
  /** What the workflow's name begins with; 20 hexadecimal digits follow. */
  namePrefix: z
    .string()
    .max(PREFIX_CHARS_MAX)
    .regex(/^[a-z][a-z0-9-]*$/, "expected lower-case letters, digits and -, beginning with a letter, such as resize-")
    .default("cr-"),
});
type Config = z.output<typeof Config>;

/** The function with its connections to API servers. */
function createTriggerWorkflow() {
  const clients = createKubeClients();
  return defineFunction({
    name: "trigger-workflow",
    description: "Starts a workflow (Argo, Tekton, a Job, GitHub Actions, HTTP), once for each event.",
    config: Config,
    rights: ({ target }) => rightsOf(target),
    async run(context) {
      const { event, config, step, subscription, idempotencyKey } = context;
      const id = config.namePrefix + nameDigits(idempotencyKey);
      const parameters = parametersOf(config.parameters, context);
      const outcome = await step("start", ({ signal, idempotencyKey: stepKey }) => {
        const call = { event, subscription, idempotencyKey, signal };
        return start(config.target, { id, event: reference(event), parameters, call }, { clients, stepKey });
      });
      return `workflow ${id} ${outcome}`;
    },
  });
}

export default createTriggerWorkflow();

async function start(
  target: Config["target"],
  order: WorkflowOrder,
  { clients, stepKey }: { readonly clients: KubeClients; readonly stepKey: string },
): Promise<Started> {
  switch (target.type) {
    case "http": {
      const { id, event, parameters, call } = order;
      return await orderWorkflow(target, { id, event, parameters }, { idempotencyKey: stepKey, signal: call.signal });
    }
    case "argo":
      return await startKubeWorkflow(clients, target, order, () => argoWorkflow(target, order));
    case "tekton":
      return await startKubeWorkflow(clients, target, order, () => tektonPipelineRun(target, order));
    case "job":
      return await startKubeWorkflow(clients, target, order, (client, namespace) =>
        kubeJob(target, order, client, namespace),
      );
    case "github-actions":
      return await dispatchWorkflow(target, order);
    default:
      return target satisfies never;
  }
}

/** Of those that are Kubernetes objects; the others are orders over HTTP. */
function rightsOf(target: Config["target"]): readonly KubeRight[] {
  switch (target.type) {
    case "argo":
      return [workflowRight(target, WORKFLOW)];
    case "tekton":
      return [workflowRight(target, PIPELINE_RUN)];
    case "job":
      return [workflowRight(target, JOB), ...jobRights(target)];
    case "http":
    case "github-actions":
      return [];
    default:
      return target satisfies never;
  }
}

/** Of a subscription's event. */
function nameDigits(idempotencyKey: string): string {
  return hash("sha256", idempotencyKey, "hex").slice(0, NAME_HEX_DIGITS);
}

/** The event without its data: enough to find it again. */
function reference(event: Envelope): Record<string, string | null> {
  const { id, type, subject, time, cluster, apiversion, kind, namespace = null, name } = event;
  return { id, type, subject, time, cluster, apiversion, kind, namespace, name };
}

function parametersOf(
  parameters: Readonly<Record<string, string>>,
  context: FunctionContext<unknown>,
): Record<string, Json> {
  const parameterValue = (text: string) =>
    LIQUID.test(text) ? renderTemplate(text, context, "plain") : (valueIn(context, text) ?? null);
  return Object.fromEntries(Object.entries(parameters).map(([name, text]) => [name, parameterValue(text)]));
}
