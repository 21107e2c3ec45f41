/**
 * An Argo Workflow from a WorkflowTemplate or a ClusterWorkflowTemplate.
 * Source: Argo Workflows, field reference: WorkflowSpec (`workflowTemplateRef`, `arguments`).
 */
import { z } from "zod";
import { KubeWorkflowTarget, type WorkflowObject } from "./kube-workflow.ts";
import { textParameters, type WorkflowOrder } from "./workflow-order.ts";

/** For settings. */
export const ArgoTarget = KubeWorkflowTarget.extend({
  type: z.literal("argo"),
  /** The name of the WorkflowTemplate, in the same namespace. */
  workflowTemplate: z.string().min(1),
  /** It is a ClusterWorkflowTemplate. */
  clusterScope: z.boolean().default(false),
  /** Default: the template's. */
  entrypoint: z.string().min(1).optional(),
  serviceAccountName: z.string().min(1).optional(),
});

/** The kind. */
export const WORKFLOW = { apiVersion: "argoproj.io/v1alpha1", kind: "Workflow" } as const;

/** The Workflow. Its parameters are texts; what Argo's template does with them is its own. */
export function argoWorkflow(target: z.infer<typeof ArgoTarget>, order: WorkflowOrder): WorkflowObject {
  const { workflowTemplate: name, clusterScope, entrypoint, serviceAccountName } = target;
  const parameters = textParameters(order).map(([parameter, value]) => ({ name: parameter, value }));
  return {
    ...{ ...WORKFLOW, plural: "workflows" },
    spec: {
      workflowTemplateRef: { name, ...(clusterScope && { clusterScope }) },
      arguments: { parameters },
      ...(entrypoint !== undefined && { entrypoint }),
      ...(serviceAccountName !== undefined && { serviceAccountName }),
    },
  };
}
