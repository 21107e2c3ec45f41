/**
 * The Pod that this process runs in, as its own cluster knows it: by the downward API, and the service account's files. With a kubeconfig
 * there is none, because the Pod's namespace may not be one of that cluster.
 * Source: Kubernetes documentation, "Downward API", "Accessing the Kubernetes API from a Pod".
 */
import { readFileSync } from "node:fs";
import type { KubernetesSettings } from "./kubernetes-settings.ts";

/** A Pod, as an Event refers to it. */
export interface OwnPod {
  readonly namespace: string;
  readonly name: string;
  /** Without it `kubectl describe` does not find the Pod's Events. */
  readonly uid: string | undefined;
}

const SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** Whether what is captured is the cluster that this process would run in as a Pod. */
export function isOwnCluster({ kubeconfig }: KubernetesSettings, environment: NodeJS.ProcessEnv): boolean {
  return (kubeconfig ?? environment["KUBECONFIG"]) === undefined;
}

/** POD_NAMESPACE > the service account's namespace; `undefined` outside of a Pod. */
export function ownNamespace(
  environment: NodeJS.ProcessEnv,
  namespaceFile = SERVICE_ACCOUNT_NAMESPACE,
): string | undefined {
  return environment["POD_NAMESPACE"] || readIfThere(namespaceFile);
}

/** POD_NAME, its namespace and POD_UID; `undefined` where a name is missing, or another cluster is captured. */
export function ownPod(
  kubernetes: KubernetesSettings,
  environment: NodeJS.ProcessEnv = process.env,
  namespaceFile = SERVICE_ACCOUNT_NAMESPACE,
): OwnPod | undefined {
  const name = environment["POD_NAME"];
  const namespace = ownNamespace(environment, namespaceFile);
  if (!name || namespace === undefined || !isOwnCluster(kubernetes, environment)) return undefined;
  return { namespace, name, uid: environment["POD_UID"] || undefined };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
