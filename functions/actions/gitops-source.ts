/**
 * Which GitOps tool keeps an object, as the object itself says it: Argo CD's tracking annotation, Flux' labels, Helm's annotations. With the
 * field manager of a change it tells whether the tool made the change, or somebody else did and the tool will undo it (drift).
 * Source: Argo CD, "Resource Tracking"; Flux, Kustomization and HelmRelease API ("Labels"); Helm, "Labels and Annotations".
 */
import { type Envelope, type KubeObject, valueAt } from "#kit";

/** Where an object comes from. */
export interface GitOpsSource {
  readonly tool: "Argo CD" | "Flux" | "Helm";
  /** `application orders`, `Kustomization flux-system/apps`, `release shop/orders`. */
  readonly from: string;
  /** Where the object tells it: a chart's version, or what the tool's own object has applied last. */
  readonly revision: string | undefined;
}

/** Field managers of Argo CD, Flux and Helm, by what they begin with. */
const MANAGERS = ["argocd", "argo-cd", "kustomize-controller", "helm-controller", "flux", "helm"];
const WORD_END = /^(?:$|[^a-z0-9])/;

/** Whether a field manager is a GitOps tool. */
export function isGitOpsManager(manager: string): boolean {
  return MANAGERS.some((name) => manager.startsWith(name) && WORD_END.test(manager.slice(name.length)));
}

/** The tool that keeps the object; `undefined` when it says nothing of one. */
export function gitOpsSource(object: KubeObject): GitOpsSource | undefined {
  const { labels, annotations } = object.metadata;
  const [label, annotation] = [(key: string) => labels?.[key], (key: string) => annotations?.[key]];
  const application = applicationOf(object, annotation("argocd.argoproj.io/tracking-id"));
  if (application !== undefined) return { tool: "Argo CD", from: `application ${application}`, revision: undefined };
  for (const [prefix, kind] of [
    ["kustomize", "Kustomization"],
    ["helm", "HelmRelease"],
  ] as const) {
    const name = label(`${prefix}.toolkit.fluxcd.io/name`);
    if (name === undefined) continue;
    const namespace = label(`${prefix}.toolkit.fluxcd.io/namespace`) ?? "";
    return { tool: "Flux", from: `${kind} ${namespace}/${name}`, revision: label("helm.sh/chart") };
  }
  const release = annotation("meta.helm.sh/release-name");
  if (release === undefined) return ownRevision(object);
  const from = `release ${annotation("meta.helm.sh/release-namespace") ?? ""}/${release}`;
  return { tool: "Helm", from, revision: label("helm.sh/chart") };
}

/**
 * What a message says of it: "Argo CD application orders" when the tool made the change, "drift from Argo CD application orders" when somebody
 * else changed what the tool keeps; `undefined` when there is no tool, or only status changed.
 */
export function gitOpsInWords(event: Envelope): string | undefined {
  const manager = event.manager ?? event.data.actor?.manager;
  const source = gitOpsSource(event.data.object);
  if (source === undefined) return undefined;
  const { tool, from, revision } = source;
  const words = `${tool} ${from}${revision === undefined ? "" : `, revision ${revision}`}`;
  if (manager !== undefined && isGitOpsManager(manager)) return words;
  const isDrift = manager !== undefined && (event.changed?.split(",").includes("spec") ?? false);
  return isDrift && event.data.patch !== undefined ? `drift from ${words}` : undefined;
}

/** `<application>:<group>/<kind>:<namespace>/<name>`; an annotation that names another object was copied from there. */
function applicationOf({ kind, metadata }: KubeObject, trackingId = ""): string | undefined {
  const [application, groupKind, place] = trackingId.split(":");
  const isThis = groupKind?.split("/").at(-1) === kind && place?.split("/").at(-1) === metadata.name;
  return isThis && application !== "" ? application : undefined;
}

/** An Application, a Kustomization or a HelmRelease tells what it has applied. */
function ownRevision(object: KubeObject): GitOpsSource | undefined {
  const { apiVersion, kind, metadata } = object;
  const revisionAt = (path: readonly string[]) => {
    const value = valueAt(object, path);
    return typeof value === "string" ? value : undefined;
  };
  if (apiVersion.startsWith("argoproj.io/") && kind === "Application")
    return {
      tool: "Argo CD",
      from: `application ${metadata.name}`,
      revision: revisionAt(["status", "sync", "revision"]),
    };
  if (/^(kustomize|helm)\.toolkit\.fluxcd\.io\//.test(apiVersion)) {
    const from = `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
    return { tool: "Flux", from, revision: revisionAt(["status", "lastAppliedRevision"]) };
  }
  return undefined;
}
