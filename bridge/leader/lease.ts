/**
 * The Lease that says which of several bridges captures: its settings, its object, and how it is read and written. A write carries
 * the resourceVersion that was read, so that of two writers the API server refuses one; that makes the Lease a lock.
 * Source: coordination.k8s.io/v1 Lease; client-go `tools/leaderelection/resourcelock/leaselock.go`.
 */
import { z } from "zod";
import { type ApiServer, ApiStatusError } from "../kube/api-server.ts";
import type { KubernetesSettings } from "../kube/kubernetes-settings.ts";
import { isOwnCluster, ownNamespace } from "../kube/own-pod.ts";

/** client-go's: between two tries of a candidate lies the retry period and up to 1.2 times as much again. */
export const RETRY_JITTER = 1.2;

/** Leader election in the configuration. The three times are client-go's; shorter ones move faster and cost more requests. */
export const LeaderElectionSettings = z
  .strictObject({
    /** Default: on in a Pod that captures its own cluster (found by its service account), off everywhere else. */
    enabled: z.boolean().exactOptional(),
    /** Where the Lease is. Default: the Pod's namespace (POD_NAMESPACE, or the service account's). */
    namespace: z.string().min(1).exactOptional(),
    /** One a bridge: bridges with different resources must not share it. Default: `cr-reactor-<cluster>-bridge`. */
    name: z
      .string()
      .regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, "expected the name of an object: a-z, 0-9, - and .")
      .exactOptional(),
    /** How long a Lease that is not renewed is respected; after kill -9 a standby waits this long and up to two tries. */
    leaseSeconds: z.int().positive().default(15),
    /** A leader that could not renew for this long stops. Less than leaseSeconds, so that it stops before the next one starts. */
    renewDeadlineSeconds: z.number().positive().default(10),
    /** Between two renewals, and at least between two tries of a standby. */
    retrySeconds: z.number().positive().default(2),
  })
  .refine(({ leaseSeconds, renewDeadlineSeconds }) => leaseSeconds > renewDeadlineSeconds, {
    path: ["renewDeadlineSeconds"],
    message: "must be less than leaseSeconds: a leader has to stop before the next one starts",
  })
  .refine(({ renewDeadlineSeconds, retrySeconds }) => renewDeadlineSeconds > RETRY_JITTER * retrySeconds, {
    path: ["retrySeconds"],
    message: `must leave room for a second try: ${RETRY_JITTER} times it is less than renewDeadlineSeconds`,
  })
  .prefault({});
export type LeaderElectionSettings = z.infer<typeof LeaderElectionSettings>;

const Lease = z.looseObject({
  metadata: z.looseObject({ name: z.string(), resourceVersion: z.string().optional() }),
  spec: z
    .looseObject({
      /** Who leads; empty or absent: nobody. */
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .default({}),
});
/** The part of a Lease that leader election reads; the rest is kept as it is. */
export type Lease = z.infer<typeof Lease>;
export type LeaseSpec = Lease["spec"];

/** Where the Lease is, as resolved from settings and Pod. */
export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}

/** One Lease of the API server. Each call rejects with ApiStatusError, or with the connection's error, or after its time limit. */
export interface LeaseStore extends LeaseName {
  /** `undefined` when there is none. */
  read(): Promise<Lease | undefined>;
  /** Refused with 409 when somebody else was faster. */
  create(spec: LeaseSpec): Promise<Lease>;
  /** Replaces the spec of the Lease as it was read; refused with 409 when it has changed since. */
  update(lease: Lease, spec: LeaseSpec): Promise<Lease>;
}

/**
 * The Lease to elect by, or `undefined` for none: option > environment > the service account's namespace. With a kubeconfig there is no
 * default, because the Pod's namespace may not be one of that cluster. Throws when it is enabled and no namespace is known.
 */
export function resolveLease(
  settings: LeaderElectionSettings,
  cluster: string,
  kubernetes: KubernetesSettings,
  environment: NodeJS.ProcessEnv = process.env,
  namespaceFile?: string,
): LeaseName | undefined {
  const ofPod = ownNamespace(environment, namespaceFile);
  if (!(settings.enabled ?? (isOwnCluster(kubernetes, environment) && ofPod !== undefined))) return undefined;
  const namespace = settings.namespace ?? ofPod;
  if (namespace === undefined)
    throw new Error(
      "leaderElection is enabled, but no namespace is known for its Lease: set leaderElection.namespace or POD_NAMESPACE",
    );
  return { namespace, name: settings.name ?? `cr-reactor-${cluster}-bridge` };
}

/** Prepares the Lease's requests; each may take `requestMsMax`, so that one that hangs leaves time for another. */
export function openLease(apiServer: ApiServer, { namespace, name }: LeaseName, requestMsMax: number): LeaseStore {
  const collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  const identity = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };
  const path = `${collection}/${name}`;
  const ask = async (where: string, method: "GET" | "POST" | "PUT", body?: unknown): Promise<Lease> => {
    const signal = AbortSignal.timeout(requestMsMax);
    return Lease.parse(await apiServer.json(where, { method, signal, ...(body !== undefined && { body }) }));
  };
  return {
    namespace,
    name,
    read: () =>
      ask(path, "GET").catch((error: unknown) => {
        if (error instanceof ApiStatusError && error.status === 404) return undefined;
        throw error;
      }),
    create: (spec) => ask(collection, "POST", { ...identity, metadata: { name, namespace }, spec }),
    update: (lease, spec) => ask(path, "PUT", { ...lease, spec }),
  };
}

/** A sentence that names the Lease and the next step. */
export function describeLeaseProblem(error: unknown, { namespace, name }: LeaseName): string {
  const title = `${namespace}/${name}`;
  if (error instanceof Error && error.name === "TimeoutError")
    return `Lease ${title}: the API server did not answer in time`;
  if (!(error instanceof ApiStatusError))
    return `Lease ${title}: ${error instanceof Error ? error.message : String(error)}`;
  switch (error.status) {
    case 403: {
      const rule = `{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"]}`;
      return `Lease ${title}: forbidden (403). Add this rule to a Role in ${namespace}: ${rule}`;
    }
    case 404:
      return `Lease ${title}: the namespace ${namespace} is not there (404): create it, or set leaderElection.namespace`;
    default:
      return `Lease ${title}: the API server answers ${error.status} ${error.reason}: ${error.message}`;
  }
}
