/**
 * What went wrong with the API server, for people: which resource, why, and what to do about it.
 * Source: Kubernetes API concepts ("Status"), RBAC documentation; undici's error codes.
 */
import { resourceTitle, type WatchedResource } from "../capture/resource.ts";
import { ApiStatusError } from "./api-server.ts";

/** A sentence that names the resource and the next step. */
export function describeProblem(
  error: unknown,
  resource: Pick<WatchedResource, "group" | "plural" | "namespace">,
): string {
  const title = resourceTitle(resource);
  if (!(error instanceof ApiStatusError)) return `${title}: ${sentenceOf(error)}`;
  const [, field] = /field label not supported: (\S+)/.exec(error.message) ?? [];
  if (error.status === 400 && field !== undefined)
    return `${title}: the API server cannot select by the field ${field} (400): fieldSelector may name metadata.name, metadata.namespace, and what the CustomResourceDefinition lists as selectableFields of this version (kubectl get crd ${resource.plural}.${resource.group} -o jsonpath='{.spec.versions[*].selectableFields}')`;
  switch (error.status) {
    case 401:
      return `${title}: the API server does not accept the credentials (401): renew the token or kubeconfig`;
    case 403: {
      const rule = `{apiGroups: ["${resource.group}"], resources: ["${resource.plural}"], verbs: ["get", "list", "watch"]}`;
      return `${title}: forbidden (403). Add this rule to the ${resource.namespace === undefined ? "ClusterRole" : `Role in ${resource.namespace}`}: ${rule}`;
    }
    case 404:
      return `${title}: not served (404): waiting for its CustomResourceDefinition`;
    case 429:
      return `${title}: the API server is busy (429), trying again: ${error.message}`;
    default:
      return `${title}: the API server answers ${`${error.status} ${error.reason}`.trim()}: ${error.message}`;
  }
}

/** undici's own words for silence would not tell what it means. */
function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  switch ((error as NodeJS.ErrnoException).code) {
    case "UND_ERR_HEADERS_TIMEOUT":
      return "the API server does not answer: asking again";
    case "UND_ERR_BODY_TIMEOUT":
      return "the API server has gone silent in the middle of an answer: the connection is given up as half-open";
    default:
      return error.message;
  }
}
