/**
 * Whether whoever is signed in may do what the bridge requires of the API server, asked of the API server itself.
 * Source: Kubernetes API, SelfSubjectAccessReview (authorization.k8s.io/v1); every account may post it, and nothing is stored.
 */
import { z } from "zod";
import type { ApiServer } from "../../bridge/kube/api-server.ts";
import type { KubeRequirement } from "../../bridge/kube/kube-requirement.ts";
import { CHECK_MS_MAX } from "./check.ts";

const AccessReview = z.object({ status: z.object({ allowed: z.boolean() }) });

/** The verbs that are not allowed, in the requirement's order. Throws ApiStatusError and connection errors. */
export async function deniedVerbs(apiServer: ApiServer, requirement: KubeRequirement): Promise<readonly string[]> {
  const { verbs, ...where } = requirement;
  const reviews = verbs.map(async (verb) => {
    const answer = await apiServer.json("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      method: "POST",
      body: {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: { ...where, verb } },
      },
      signal: AbortSignal.timeout(CHECK_MS_MAX),
    });
    return AccessReview.parse(answer).status.allowed ? [] : [verb];
  });
  return (await Promise.all(reviews)).flat();
}

/** The rule that gives the requirement, as it stands in a Role. */
export function ruleOf({ group, resource, verbs, name }: KubeRequirement): string {
  const names = name === undefined ? "" : `, resourceNames: ["${name}"]`;
  return `{apiGroups: ["${group}"], resources: ["${resource}"]${names}, verbs: ["${verbs.join('", "')}"]}`;
}
