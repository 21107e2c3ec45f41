/**
 * Finds a resource's plural and scope by its apiVersion and kind. A kind that is not there yet is waited for, because operators
 * are installed in any order; the log says what is missing.
 * Source: Kubernetes API discovery, `APIResourceList` (kubernetes.io/docs/concepts/overview/kubernetes-api).
 */
import { z } from "zod";
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import type { DiscoveredResource } from "./resource.ts";

const ApiResourceList = z.object({
  resources: z.array(
    z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean(), verbs: z.array(z.string()) }),
  ),
});

/** Looks the kind up once; `undefined` when the API server does not serve it (yet). Throws ApiStatusError for any other answer. */
export async function discover(
  apiServer: ApiServer,
  apiVersion: string,
  kind: string,
  signal: AbortSignal,
): Promise<DiscoveredResource | undefined> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  let answer: unknown;
  try {
    answer = await apiServer.json(path, { signal });
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw error;
  }
  const { resources } = ApiResourceList.parse(answer);
  const found = resources.find((resource) => resource.kind === kind && !resource.name.includes("/"));
  if (found === undefined) return undefined;
  if (!found.verbs.includes("watch")) {
    throw new ApiStatusError(
      405,
      "MethodNotAllowed",
      `${apiVersion} ${kind} cannot be watched: it supports ${found.verbs.join(", ")}`,
    );
  }
  return { plural: found.name, namespaced: found.namespaced };
}
