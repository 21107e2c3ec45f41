/**
 * A Job, from a template in the settings or from a CronJob's. Parameters are environment variables of every container.
 * Source: Kubernetes API reference, batch/v1 JobTemplateSpec; core/v1 EnvVar (`$(NAME)` in a value is filled in, `$$` is `$`).
 */
import { z } from "zod";
import { type Json, type KubeRight, PermanentError } from "#kit";
import type { KubeClient } from "../kube/kube-client.ts";
import { StringMap } from "../kube/origin.ts";
import { KubeWorkflowTarget, type WorkflowObject } from "./kube-workflow.ts";
import { textParameters, type WorkflowOrder } from "./workflow-order.ts";

const Container = z.looseObject({ env: z.array(z.looseObject({ name: z.string() })).nullish() });
const PodSpec = z.looseObject({
  containers: z.array(Container).min(1),
  initContainers: z.array(Container).nullish(),
});
/** As far as we look into it; the rest passes through. */
const JobTemplate = z.looseObject({
  metadata: z.looseObject({ labels: StringMap.nullish(), annotations: StringMap.nullish() }).nullish(),
  spec: z.looseObject({ template: z.looseObject({ spec: PodSpec }) }),
});
type JobTemplate = z.infer<typeof JobTemplate>;

/** For settings. */
export const JobTarget = KubeWorkflowTarget.extend({
  type: z.literal("job"),
  /** A `jobTemplate` as in a CronJob. */
  template: JobTemplate.optional(),
  /** The name of a CronJob in the same namespace whose template it is; it may be suspended. */
  cronJob: z.string().min(1).optional(),
}).refine(({ template, cronJob }) => (template === undefined) !== (cronJob === undefined), {
  error: "set template, or cronJob: one of them",
});
type JobTarget = z.infer<typeof JobTarget>;

/** The kind. */
export const JOB = { apiVersion: "batch/v1", kind: "Job" } as const;

/** What is read for it. */
export function jobRights({ cronJob, namespace, kubernetes }: JobTarget): readonly KubeRight[] {
  if (cronJob === undefined) return [];
  const where = { ...(namespace !== undefined && { namespace }), kubernetes };
  return [{ apiVersion: "batch/v1", kind: "CronJob", verbs: ["get"], names: [cronJob], ...where }];
}

/** The Job. Throws PermanentError when there is no such CronJob. */
export async function kubeJob(
  { template, cronJob }: JobTarget,
  order: WorkflowOrder,
  client: KubeClient,
  namespace: string,
): Promise<WorkflowObject> {
  const found = template ?? (await templateOf(client, namespace, cronJob ?? ""));
  const podSpec = found.spec.template.spec;
  const env = textParameters(order).map(([name, value]) => ({ name, value: value.replaceAll("$", "$$$$") }));
  const withEnv = (container: z.infer<typeof Container>) => ({ ...container, env: merged(container.env ?? [], env) });
  const spec = {
    ...podSpec,
    containers: podSpec.containers.map(withEnv),
    ...(podSpec.initContainers && { initContainers: podSpec.initContainers.map(withEnv) }),
  };
  return {
    ...{ ...JOB, plural: "jobs" },
    labels: found.metadata?.labels ?? {},
    annotations: { ...found.metadata?.annotations, ...(cronJob && { "cronjob.kubernetes.io/instantiate": "manual" }) },
    spec: { ...found.spec, template: { ...found.spec.template, spec } },
  };
}

async function templateOf(client: KubeClient, namespace: string, name: string): Promise<JobTemplate> {
  const found = await client.get({ apiVersion: "batch/v1", plural: "cronjobs", namespace, name });
  if (found === undefined)
    throw new PermanentError(`there is no CronJob ${namespace}/${name}: create it, or set cronJob`);
  const spec = found["spec"] as { readonly jobTemplate?: Json } | undefined;
  return JobTemplate.parse(spec?.jobTemplate);
}

/** The variables of the container with ours, which win over those of the same name. */
function merged(own: readonly { readonly name: string }[], given: readonly { readonly name: string }[]): object[] {
  const names = new Set(given.map(({ name }) => name));
  return [...own.filter(({ name }) => !names.has(name)), ...given];
}
