/**
 * One resource of the bridge's configuration in the cluster: whether its kind is served; whether it may be read in each namespace, and
 * if not the rule that is missing; and how many objects it has.
 * Source: Kubernetes API discovery; SelfSubjectAccessReview; `remainingItemCount` of a limited list.
 */
import { z } from "zod";
import { groupOf } from "#contract";
import { type ApiServer, ApiStatusError } from "../../bridge/api-server.ts";
import type { BridgeConfig } from "../../bridge/config.ts";
import { discover } from "../../bridge/discovery.ts";
import { CHECK_MS_MAX, count, type Finding, failed, mapBounded, passed, reasonOf, warning } from "./check.ts";
import { notServed, versionPath } from "./not-served.ts";

type Resource = BridgeConfig["resources"][number];
type Discovered = NonNullable<Awaited<ReturnType<typeof discover>>>;

const AccessReview = z.object({ status: z.object({ allowed: z.boolean() }) });
const Page = z.object({
  metadata: z.object({ remainingItemCount: z.number().optional() }),
  items: z.array(z.unknown()).nullable(),
});

/** What the bridge does with a resource. */
const VERBS = ["get", "list", "watch"] as const;
/** Of each kind of question: gentle on the API server, and 50 namespaces are asked in a second. */
const IN_FLIGHT_MAX = 8;

/** The findings for all resources, in their order. */
export async function checkResources(
  apiServer: ApiServer,
  resources: readonly Resource[],
  kubectl: string,
): Promise<readonly Finding[]> {
  const findings = await mapBounded(resources, IN_FLIGHT_MAX, async (resource) => {
    try {
      return await checkResource(apiServer, resource, kubectl);
    } catch (error) {
      const title = `${resource.kind} of ${resource.apiVersion}`;
      return [
        failed(
          "resource",
          `${title}: ${reasonOf(error)}`,
          `${kubectl} api-resources --api-group=${groupOf(resource.apiVersion)}`,
        ),
      ];
    }
  });
  return findings.flat();
}

async function checkResource(apiServer: ApiServer, resource: Resource, kubectl: string): Promise<readonly Finding[]> {
  const { apiVersion, kind, namespaces } = resource;
  const discovered = await discover(apiServer, apiVersion, kind, deadline());
  if (discovered === undefined) return [await notServed(apiServer, resource, kubectl)];
  const scopes = discovered.namespaced ? (namespaces ?? [undefined]) : [undefined];
  const access = await mapBounded(scopes, IN_FLIGHT_MAX, async (namespace) => ({
    namespace,
    verbs: await deniedVerbs(apiServer, apiVersion, discovered, namespace),
  }));
  const denied = access.filter(({ verbs }) => verbs.length > 0);
  const findings = [
    ...(discovered.namespaced || namespaces === undefined ? [] : [hasNoNamespaces(resource)]),
    ...(await missingNamespaces(apiServer, scopes, kubectl)),
    ...denied.map((each) => forbidden(resource, discovered, each)),
  ];
  if (denied.length > 0) return findings;
  const counts = await mapBounded(scopes, IN_FLIGHT_MAX, (namespace) =>
    countObjects(apiServer, apiVersion, discovered, namespace),
  );
  const objects = counts.reduce((sum, each) => sum + each, 0);
  const where = namespaces === undefined || !discovered.namespaced ? "" : ` in ${namespaces.join(", ")}`;
  return [
    passed("resource", `${kind} of ${apiVersion}: may be read${where}, ${count(objects, "object")}`),
    ...findings,
  ];
}

async function deniedVerbs(
  apiServer: ApiServer,
  apiVersion: string,
  { plural }: Discovered,
  namespace: string | undefined,
): Promise<readonly string[]> {
  const reviews = VERBS.map(async (verb) => {
    const resourceAttributes = {
      group: groupOf(apiVersion),
      resource: plural,
      verb,
      ...(namespace !== undefined && { namespace }),
    };
    const answer = await apiServer.json("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      method: "POST",
      body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes } },
      signal: deadline(),
    });
    return AccessReview.parse(answer).status.allowed ? [] : [verb];
  });
  return (await Promise.all(reviews)).flat();
}

function forbidden(
  { apiVersion, kind }: Resource,
  { plural }: Discovered,
  { namespace, verbs }: { readonly namespace: string | undefined; readonly verbs: readonly string[] },
): Finding {
  const [role, where] =
    namespace === undefined ? ["ClusterRole", "in all namespaces"] : [`Role in ${namespace}`, `in ${namespace}`];
  const rule = `{apiGroups: ["${groupOf(apiVersion)}"], resources: ["${plural}"], verbs: ["${VERBS.join('", "')}"]}`;
  return failed(
    "resource",
    `${kind} of ${apiVersion}: may not ${verbs.join(", ")} ${where}`,
    `add to the ${role}, under rules: - ${rule}`,
  );
}

function hasNoNamespaces({ kind }: Resource): Finding {
  return warning(
    "resource",
    `${kind} is cluster-scoped: its namespaces count for nothing`,
    `leave namespaces out at ${kind}`,
  );
}

/** Whoever may not look at namespaces is not told. */
async function missingNamespaces(
  apiServer: ApiServer,
  namespaces: readonly (string | undefined)[],
  kubectl: string,
): Promise<readonly Finding[]> {
  const findings = await mapBounded(namespaces, IN_FLIGHT_MAX, async (namespace) => {
    if (namespace === undefined) return [];
    try {
      await apiServer.json(`/api/v1/namespaces/${encodeURIComponent(namespace)}`, { signal: deadline() });
      return [];
    } catch (error) {
      if (!(error instanceof ApiStatusError)) throw error;
      if (error.status !== 404) return [];
      return [warning("namespace", `there is no namespace ${namespace}`, `${kubectl} create namespace ${namespace}`)];
    }
  });
  return findings.flat();
}

async function countObjects(
  apiServer: ApiServer,
  apiVersion: string,
  { plural }: Discovered,
  namespace: string | undefined,
): Promise<number> {
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const path = `${versionPath(apiVersion)}${scope}/${plural}`;
  const page = Page.parse(await apiServer.json(path, { query: { limit: "1" }, signal: deadline() }));
  return (page.items?.length ?? 0) + (page.metadata.remainingItemCount ?? 0);
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(CHECK_MS_MAX);
}
