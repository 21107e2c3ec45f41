/**
 * What went wrong with the API server, for people: which resource, why, and what to do about it.
 * Source: Kubernetes API concepts ("Status"), RBAC documentation; undici's error codes.
 */
import { resourceTitle, type WatchedResource } from "../capture/resource.ts";
import { ApiStatusError } from "./api-server.ts";

/**
 * What kind of problem it is, for metrics and Events. `not-found`: nothing is served where the watch asks; `not-served`: the look for kinds does
 * not find it; `silent`: a connection that is open and says nothing.
 */
export const PROBLEM_REASONS = ["forbidden", "unauthorized", "not-found", "not-served", "silent", "other"] as const;
export type ProblemReason = (typeof PROBLEM_REASONS)[number];

/** What went wrong: its kind, and a sentence. */
export interface WatchProblem {
  readonly reason: ProblemReason;
  /** Names the resource and the next step. */
  readonly problem: string;
}

/** Both from one error. */
export function problemOf(
  error: unknown,
  resource: Pick<WatchedResource, "group" | "plural" | "namespace">,
): WatchProblem {
  return { reason: reasonOf(error), problem: describeProblem(error, resource) };
}

function reasonOf(error: unknown): ProblemReason {
  if (!(error instanceof ApiStatusError)) return SILENCES.has(codeOf(error)) ? "silent" : "other";
  switch (error.status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not-found";
    default:
      return "other";
  }
}

/** undici's codes for an answer that does not come, and one that does not go on. */
const SILENCES: ReadonlySet<string> = new Set(["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]);

function codeOf(error: unknown): string {
  return (error instanceof Error && (error as NodeJS.ErrnoException).code) || "";
}

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
  switch (codeOf(error)) {
    case "UND_ERR_HEADERS_TIMEOUT":
      return "the API server does not answer: asking again";
    case "UND_ERR_BODY_TIMEOUT":
      return "the API server has gone silent in the middle of an answer: the connection is given up as half-open";
    default:
      return error.message;
  }
}
