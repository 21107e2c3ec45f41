/**
 * A Tekton PipelineRun of a Pipeline, by its name or through a resolver.
 * Source: Tekton Pipelines documentation, "PipelineRuns" (v1): `pipelineRef`, `params`, `workspaces`, `taskRunTemplate`.
 */
import { z } from "zod";
import type { Json } from "#kit";
import { KubeWorkflowTarget, type WorkflowObject } from "./kube-workflow.ts";
import { asText, type WorkflowOrder } from "./workflow-order.ts";

/** For settings. */
export const TektonTarget = KubeWorkflowTarget.extend({
  type: z.literal("tekton"),
  /** The Pipeline's name, or a whole `pipelineRef` with a resolver. */
  pipeline: z.union([z.string().min(1), z.looseObject({ resolver: z.string().min(1) })], {
    error: "expected a Pipeline's name, or a pipelineRef with a resolver",
  }),
  /** As in a PipelineRun. */
  workspaces: z.array(z.looseObject({ name: z.string().min(1) })).default([]),
  serviceAccountName: z.string().min(1).optional(),
});

/** The kind. */
export const PIPELINE_RUN = { apiVersion: "tekton.dev/v1", kind: "PipelineRun" } as const;

/** The PipelineRun. A list is an array of texts, a map an object of texts, anything else a text. */
export function tektonPipelineRun(target: z.infer<typeof TektonTarget>, { parameters }: WorkflowOrder): WorkflowObject {
  const { pipeline, workspaces, serviceAccountName } = target;
  const params = Object.entries(parameters).flatMap(([name, value]) =>
    value === null ? [] : [{ name, value: paramValue(value) }],
  );
  return {
    ...{ ...PIPELINE_RUN, plural: "pipelineruns" },
    spec: {
      pipelineRef: typeof pipeline === "string" ? { name: pipeline } : pipeline,
      params,
      ...(workspaces.length > 0 && { workspaces }),
      ...(serviceAccountName !== undefined && { taskRunTemplate: { serviceAccountName } }),
    },
  };
}

function paramValue(value: Json): Json {
  if (Array.isArray(value)) return value.map(asText);
  if (value === null || typeof value !== "object") return asText(value);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, asText(each)]));
}
