/**
 * What a bridge with this configuration would watch in this cluster, and what keeps it from doing so: each watch with its number of
 * objects or the verbs that are missing, the kinds that are not served, and the Lease. `doctor` tells it as findings, `bridge --check` as a
 * table. Patterns are expanded as the bridge does it.
 * Source: Kubernetes API discovery; `remainingItemCount` of a limited list.
 */
import { z } from "zod";
import type { BridgeConfig } from "../../bridge/config.ts";
import { type ApiServer, ApiStatusError } from "../../bridge/kube/api-server.ts";
import { discover } from "../../bridge/kube/discovery.ts";
import {
  definitionRequirements,
  eventRequirement,
  type KubeRequirement,
  type LeaseName,
  leaseRequirements,
  ownPod,
  resolveLease,
  watchRequirement,
} from "../../bridge/kube/kube-requirement.ts";
import type { KubernetesSettings } from "../../bridge/kube/kubernetes-settings.ts";
import { isPattern, selectorQuery, type WantedWatch, wantedWatches, watchesOf } from "../../bridge/preview.ts";
import { deniedVerbs, ruleOf } from "./access.ts";
import { CHECK_MS_MAX, type Finding, failed, inTime, mapBounded, reasonOf, warning } from "./check.ts";
import { notServed, versionPath } from "./not-served.ts";

type Entry = BridgeConfig["resources"][number];

/** The plan. */
export interface Plan {
  readonly watches: readonly PlannedWatch[];
  /** Entries of which nothing can be watched, and why. */
  readonly unserved: readonly { readonly entry: Entry; readonly finding: Finding }[];
  /** Patterns that mean nothing that is served today. */
  readonly empty: readonly Entry[];
  readonly lease: PlannedLease;
  /** Where a Pod would write Kubernetes Events about itself; `undefined`: nowhere, since it captures another cluster. */
  readonly eventNamespace: string | undefined;
  /** Whether definitions of kinds may be read, which is wanted and not needed. */
  readonly readsDefinitions: boolean;
  /** What is worth knowing and keeps nobody from watching. */
  readonly notes: readonly Finding[];
}

/** One watch. */
export interface PlannedWatch {
  readonly wanted: WantedWatch;
  readonly denied: readonly string[];
  /** `undefined`: it may not be counted, or could not be. */
  readonly objects: ObjectCount | undefined;
  /** Why it could not be listed although it may be. */
  readonly problem?: Finding;
}

/** How many there are; not exact: at least so many. */
export interface ObjectCount {
  readonly number: number;
  readonly exact: boolean;
}

/** The Lease of leader election. `elsewhere`: in a Pod, and not here; `unnamed`: the bridge would not start here. */
export type PlannedLease =
  | { readonly type: "off" }
  | { readonly type: "elsewhere"; readonly lease: LeaseName }
  | { readonly type: "here"; readonly lease: LeaseName; readonly denied: readonly KubeRequirement[] }
  | { readonly type: "unnamed"; readonly lease: LeaseName; readonly problem: string };

/** What to plan for. `kubernetes` is where the cluster is asked, which the command line may say differently from the configuration. */
export interface PlanTarget {
  readonly apiServer: ApiServer;
  readonly config: BridgeConfig;
  readonly kubernetes: KubernetesSettings;
  readonly kubectl: string;
}

const Page = z.object({
  metadata: z.object({ remainingItemCount: z.number().optional(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable(),
});

/** Of each kind of question: gentle on the API server, and 50 namespaces are asked in a second. */
const IN_FLIGHT_MAX = 8;
/** Reading what a cluster with a hundred groups serves takes about two seconds, one document after the other. */
const LOOK_MS_MAX = 20_000;
/** The namespace of the manifests, where nothing says another one. */
export const BRIDGE_NAMESPACE = "cr-reactor";

/** Asks and plans; writes nothing. Throws ApiStatusError and connection errors where the API server does not say what it serves. */
export async function planCapture(target: PlanTarget): Promise<Plan> {
  const { apiServer, config } = target;
  const looking = wantedWatches(apiServer, config, AbortSignal.timeout(LOOK_MS_MAX));
  const selection = await inTime(looking, "what it serves", LOOK_MS_MAX);
  const others = await mapBounded(selection.missing, IN_FLIGHT_MAX, (entry) => lookAgain(target, entry));
  const wanted = [...selection.watches, ...others.flatMap((each) => each.watches ?? [])];
  const watches = await mapBounded(wanted, IN_FLIGHT_MAX, (each) => planWatch(target, each));
  const definitions = await mapBounded(definitionRequirements(wanted), IN_FLIGHT_MAX, (each) =>
    deniedVerbs(apiServer, each),
  );
  const lease = await planLease(target);
  const leaseNamespaces = lease.type === "here" ? [lease.lease.namespace] : [];
  return {
    watches,
    unserved: others.flatMap(({ entry, finding }) => (finding === undefined ? [] : [{ entry, finding }])),
    empty: config.resources.filter((entry) => isPattern(entry) && !wanted.some((each) => isOf(each, entry))),
    lease,
    eventNamespace: config.kubernetes.kubeconfig === undefined ? podNamespace() : undefined,
    readsDefinitions: definitions.every((verbs) => verbs.length === 0),
    notes: [
      ...withoutScope(wanted),
      ...(await missingEventRights(target)),
      ...(await missingNamespaces(target, [...namespacesOf(wanted), ...leaseNamespaces])),
    ],
  };
}

/** Whether the watch is one of the entry's; one with a namespaceSelector has its namespaces filled in. */
export function isOf({ entry: own }: WantedWatch, entry: Entry): boolean {
  if (own === entry || entry.namespaceSelector === undefined) return own === entry;
  const { apiVersion, kind, namespaceSelector } = entry;
  return own.apiVersion === apiVersion && own.kind === kind && own.namespaceSelector === namespaceSelector;
}

interface SecondLook {
  readonly entry: Entry;
  readonly watches?: readonly WantedWatch[];
  readonly finding?: Finding;
}

/** What the OpenAPI index does not have may be served all the same, by an aggregated API. */
async function lookAgain({ apiServer, kubectl }: PlanTarget, entry: Entry): Promise<SecondLook> {
  const { apiVersion, kind } = entry;
  try {
    const found = await discover(apiServer, apiVersion, kind, AbortSignal.timeout(CHECK_MS_MAX));
    if (found !== undefined) return { entry, watches: watchesOf(entry, { ...found, apiVersion, kind }) };
    return { entry, finding: await notServed(apiServer, entry, kubectl) };
  } catch (error) {
    return { entry, finding: unreadable(entry, error, kubectl) };
  }
}

async function planWatch({ apiServer, kubectl }: PlanTarget, wanted: WantedWatch): Promise<PlannedWatch> {
  try {
    const denied = await deniedVerbs(apiServer, watchRequirement(wanted));
    return { wanted, denied, objects: denied.length > 0 ? undefined : await countObjects(apiServer, wanted) };
  } catch (error) {
    return { wanted, denied: [], objects: undefined, problem: unreadable(wanted.resource, error, kubectl) };
  }
}

/** A server that tells neither how many are left nor that nothing is left has more than it sent. */
async function countObjects(apiServer: ApiServer, { entry, resource, namespace }: WantedWatch): Promise<ObjectCount> {
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  const path = `${versionPath(resource.apiVersion)}${scope}/${resource.plural}`;
  const signal = AbortSignal.timeout(CHECK_MS_MAX);
  const { items, metadata } = Page.parse(
    await apiServer.json(path, { query: { limit: "1", ...selectorQuery(entry) }, signal }),
  );
  const exact = metadata.remainingItemCount !== undefined || !metadata.continue;
  return { number: (items?.length ?? 0) + (metadata.remainingItemCount ?? (exact ? 0 : 1)), exact };
}

/** Here, and as a Pod would have it, which has a namespace and no KUBECONFIG. */
async function planLease({ apiServer, config, kubernetes }: PlanTarget): Promise<PlannedLease> {
  const { leaderElection, cluster } = config;
  const pod = { POD_NAMESPACE: podNamespace() };
  const inPod = resolveLease(leaderElection, cluster, config.kubernetes, pod);
  let lease: LeaseName | undefined;
  try {
    lease = resolveLease(leaderElection, cluster, kubernetes);
  } catch (error) {
    if (inPod === undefined) throw error;
    return { type: "unnamed", lease: inPod, problem: reasonOf(error) };
  }
  if (lease === undefined) return inPod === undefined ? { type: "off" } : { type: "elsewhere", lease: inPod };
  const asked = await mapBounded(leaseRequirements(lease), IN_FLIGHT_MAX, async (requirement) => ({
    ...requirement,
    verbs: await deniedVerbs(apiServer, requirement),
  }));
  return { type: "here", lease, denied: asked.filter(({ verbs }) => verbs.length > 0) };
}

function unreadable(
  { apiVersion, kind }: Pick<Entry, "apiVersion" | "kind">,
  error: unknown,
  kubectl: string,
): Finding {
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  return failed(
    "resource",
    `${kind} of ${apiVersion}: ${reasonOf(error)}`,
    `${kubectl} api-resources --api-group=${group}`,
  );
}

function podNamespace(): string {
  return process.env["POD_NAMESPACE"] || BRIDGE_NAMESPACE;
}

/** Of the Pod that this runs in: elsewhere none are written. */
async function missingEventRights({ apiServer, kubernetes }: PlanTarget): Promise<readonly Finding[]> {
  const namespace = ownPod(kubernetes)?.namespace;
  if (namespace === undefined) return [];
  const requirement = eventRequirement(namespace);
  const denied = await deniedVerbs(apiServer, requirement);
  if (denied.length === 0) return [];
  return [
    warning(
      "events",
      `may not ${denied.join(", ")} events.k8s.io events in ${namespace} (optional): the bridge tells of itself in its log alone`,
      `add to a Role in ${namespace}, under rules: - ${ruleOf(requirement)}`,
    ),
  ];
}

function withoutScope(wanted: readonly WantedWatch[]): readonly Finding[] {
  return wanted
    .filter(({ entry, resource }) => !resource.namespaced && entry.namespaces !== undefined && !isPattern(entry))
    .map(({ resource: { kind } }) =>
      warning(
        "resource",
        `${kind} is cluster-scoped: its namespaces count for nothing`,
        `leave namespaces out at ${kind}`,
      ),
    );
}

function namespacesOf(wanted: readonly WantedWatch[]): readonly string[] {
  return wanted.flatMap(({ namespace }) => namespace ?? []);
}

/** Whoever may not look at namespaces is not told. */
async function missingNamespaces(
  { apiServer, kubectl }: PlanTarget,
  namespaces: readonly string[],
): Promise<readonly Finding[]> {
  const findings = await mapBounded([...new Set(namespaces)], IN_FLIGHT_MAX, async (namespace) => {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}`;
    try {
      await apiServer.json(path, { signal: AbortSignal.timeout(CHECK_MS_MAX) });
      return [];
    } catch (error) {
      if (!(error instanceof ApiStatusError)) throw error;
      if (error.status !== 404) return [];
      return [warning("namespace", `there is no namespace ${namespace}`, `${kubectl} create namespace ${namespace}`)];
    }
  });
  return findings.flat();
}
