/**
 * Reviews: questions about rights that are posted like objects and answered at once. Everything is allowed here, to everybody.
 * Source: Kubernetes API reference, authorization.k8s.io/v1 and authentication.k8s.io/v1.
 */
import { isObject, type JsonObject } from "./object/object.ts";
import { methodNotAllowed } from "./object/status-error.ts";
import { type Body, parseBody, type ResourcePath } from "./request/request.ts";

const REASON = "the embedded API server allows everything";
const EVERYTHING = ["*"];

const STATUSES: Readonly<Record<string, { readonly kind: string; readonly status: JsonObject }>> = {
  "authorization.k8s.io/v1/selfsubjectaccessreviews": {
    kind: "SelfSubjectAccessReview",
    status: { allowed: true, reason: REASON },
  },
  "authorization.k8s.io/v1/selfsubjectrulesreviews": {
    kind: "SelfSubjectRulesReview",
    status: {
      resourceRules: [{ verbs: EVERYTHING, apiGroups: EVERYTHING, resources: EVERYTHING }],
      nonResourceRules: [{ verbs: EVERYTHING, nonResourceURLs: EVERYTHING }],
      incomplete: false,
    },
  },
  "authentication.k8s.io/v1/selfsubjectreviews": {
    kind: "SelfSubjectReview",
    status: { userInfo: { username: "system:admin", groups: ["system:masters", "system:authenticated"] } },
  },
};

/** The answer to a review; `undefined` when the path is of something else. Throws StatusError. */
export function answerReview(path: ResourcePath, method: string, body: Body): JsonObject | undefined {
  const review = STATUSES[`${path.group}/${path.version}/${path.plural}`];
  if (review === undefined) return undefined;
  if (method !== "POST") throw methodNotAllowed();
  const given = parseBody(body, { ...path, kind: review.kind }).json;
  const spec = isObject(given) ? (given["spec"] ?? {}) : {};
  const apiVersion = `${path.group}/${path.version}`;
  return { kind: review.kind, apiVersion, metadata: { creationTimestamp: null }, spec, status: review.status };
}
