/** The cluster of a command that cannot do without it: the connection, or one sentence that says why there is none and what to do. */
import { type ApiServer, ApiStatusError, connectApiServer, KubeconfigError } from "../bridge/kube/api-server.ts";
import type { KubernetesSettings } from "../bridge/kube/kubernetes-settings.ts";
import { reasonOf } from "./doctor/check.ts";

/** The cluster cannot be asked. */
class ClusterError extends Error {
  readonly code = "CLUSTER";
  override readonly name = "ClusterError";
}

/** Connects; nothing is sent yet. Throws KubeconfigError and ClusterError. */
export async function openCluster(settings: KubernetesSettings): Promise<ApiServer> {
  return await connectApiServer(settings).catch((error: unknown) => {
    if (error instanceof KubeconfigError) throw error;
    const problem = `the kubeconfig cannot be used: ${reasonOf(error)}. Check: kubectl config view`;
    throw new ClusterError(problem, { cause: error });
  });
}

/** What kept the API server from answering, as an error for people. */
export function clusterError({ url }: Pick<ApiServer, "url">, error: unknown): Error {
  const problem =
    error instanceof ApiStatusError
      ? `answers ${error.status}: ${error.message}`
      : `does not answer: ${reasonOf(error)}. Check: kubectl cluster-info`;
  return new ClusterError(`the API server at ${url} ${problem}`, { cause: error });
}
