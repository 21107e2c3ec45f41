/**
 * The kinds of others that the components make objects of. Without their definitions at hand each is defined as anything at all, which finds
 * wrong names, groups and versions; with the real ones, in the folder that CR_REACTOR_CRDS names, every field is checked.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

interface Definition {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: { readonly versions: readonly object[] };
}

const KINDS = [
  { group: "keda.sh", version: "v1alpha1", kind: "ScaledObject", plural: "scaledobjects" },
  { group: "monitoring.coreos.com", version: "v1", kind: "ServiceMonitor", plural: "servicemonitors" },
  { group: "monitoring.coreos.com", version: "v1", kind: "PrometheusRule", plural: "prometheusrules" },
  { group: "serving.knative.dev", version: "v1", kind: "Service", plural: "services" },
  { group: "eventing.knative.dev", version: "v1", kind: "Broker", plural: "brokers" },
  { group: "eventing.knative.dev", version: "v1", kind: "Trigger", plural: "triggers" },
  { group: "sources.knative.dev", version: "v1", kind: "SinkBinding", plural: "sinkbindings" },
  { group: "argoproj.io", version: "v1alpha1", kind: "EventSource", plural: "eventsources" },
  { group: "argoproj.io", version: "v1alpha1", kind: "Sensor", plural: "sensors" },
  { group: "argoproj.io", version: "v1alpha1", kind: "WorkflowTemplate", plural: "workflowtemplates" },
  { group: "argoproj.io", version: "v1alpha1", kind: "Application", plural: "applications" },
  { group: "source.toolkit.fluxcd.io", version: "v1", kind: "GitRepository", plural: "gitrepositories" },
  { group: "kustomize.toolkit.fluxcd.io", version: "v1", kind: "Kustomization", plural: "kustomizations" },
] as const;

/** Their definitions. */
export function foreignKinds(folder = process.env["CR_REACTOR_CRDS"]): readonly Definition[] {
  const given = folder === undefined ? [] : definitionsIn(folder);
  return KINDS.map(({ group, version, kind, plural }) => {
    const name = `${plural}.${group}`;
    const found = given.find(({ metadata }) => metadata.name === name);
    if (found !== undefined) return withoutWebhook(found);
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    const names = { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` };
    const versions = [{ name: version, served: true, storage: true, schema }];
    const head = { apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name } };
    return { ...head, spec: { group, scope: "Namespaced", names, versions } };
  });
}

function definitionsIn(folder: string): readonly Definition[] {
  return readdirSync(folder).flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), "utf8")).map((document) => document.toJS() as Definition),
  );
}

/** Nobody answers for it here. */
function withoutWebhook(definition: Definition): Definition {
  return { ...definition, spec: { ...definition.spec, conversion: undefined } as Definition["spec"] };
}
