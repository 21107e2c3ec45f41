/**
 * Kinds named as those of Argo Workflows and Tekton, with open schemas: enough for an API server to keep what we create. That the real
 * definitions accept it is not said here.
 */
const openKind = (group: string, version: string, kind: string) => {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const anything = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular },
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: anything } }],
    },
  };
};

/** `workflows.argoproj.io` and `pipelineruns.tekton.dev`. */
export const workflowCrds = [
  openKind("argoproj.io", "v1alpha1", "Workflow"),
  openKind("tekton.dev", "v1", "PipelineRun"),
];
