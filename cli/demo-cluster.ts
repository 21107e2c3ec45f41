/**
 * The cluster of the demo: the embedded API server, a real kube-apiserver of the demo's own, or the user's cluster by a context
 * of their kubeconfig. It works in a namespace of its own, and everything it made is removed at the end.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ApiServer, ApiStatusError, connectApiServer } from "../bridge/kube/api-server.ts";
import { discover } from "../bridge/kube/discovery.ts";
import type { KubernetesSettings } from "../bridge/kube/kubernetes-settings.ts";
import { createDataFolder } from "../test/kit/data-folder.ts";
import { databaseCrd, databasePath } from "../test/kit/database-crd.ts";
import type { Report } from "../test/kit/install/progress.ts";
import { startKube } from "../test/kit/kube-apiserver.ts";
import { startEmbeddedKube } from "./embedded/embedded.ts";

/** A cluster with the demo's CustomResourceDefinition and namespace in it. */
export interface DemoCluster {
  /** For people: which API server this is. */
  readonly title: string;
  readonly settings: KubernetesSettings;
  readonly namespace: string;
  /** How to reach it with kubectl. */
  readonly kubectl: string;
  create(path: string, body: object, manager: string): Promise<void>;
  /** A JSON merge patch (RFC 7386). */
  patch(path: string, body: object, manager: string): Promise<void>;
  remove(path: string): Promise<void>;
}

/** Which cluster; without a choice the embedded API server. */
export interface DemoClusterChoice {
  /** A context of the user's kubeconfig. */
  readonly context?: string;
  /** A real kube-apiserver; built with Go where it is missing. */
  readonly real?: true;
}

/** Another program's CustomResourceDefinition stands where ours would. */
class ForeignCrdError extends Error {
  readonly code = "FOREIGN_CRD";
}

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const MANAGED_BY = "app.kubernetes.io/managed-by";
const OURS = { [MANAGED_BY]: "cr-reactor-demo" };
const SERVED_WITHIN_MS = 30_000;
const POLL_MS = 50;

/** Starts or connects to the cluster; `cleanup` removes what the demo makes. Throws BinaryMissingError, KubeconfigError or ApiStatusError. */
export async function openDemoCluster(
  choice: DemoClusterChoice,
  signal: AbortSignal,
  report: Report,
  cleanup: AsyncDisposableStack,
): Promise<DemoCluster> {
  const origin = await openOrigin(choice, report, cleanup);
  const { settings } = origin;
  const apiServer = await connectApiServer(settings);
  cleanup.defer(() => apiServer.close());
  const namespace = origin.outlivesUs ? `cr-reactor-demo-${randomBytes(3).toString("hex")}` : "demo";
  const send: Send = async (method, path, body, manager = "cr-reactor-demo") => {
    const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const query = method === "DELETE" ? {} : { fieldManager: manager };
    await apiServer.json(path, { method, query, contentType, ...(body && { body }) });
  };
  /** A cluster of our own goes as a whole. */
  const removeLater = (path: string) => {
    if (origin.outlivesUs) cleanup.defer(async () => void (await send("DELETE", path).catch(unlessGone)));
  };
  if (await ensureCrd(apiServer, send, signal)) removeLater(`${CRDS}/${databaseCrd.metadata.name}`);
  await send("POST", "/api/v1/namespaces", { metadata: { name: namespace, labels: OURS } });
  removeLater(`/api/v1/namespaces/${namespace}`);
  removeLater(databasePath(namespace));
  const { gitVersion: version } = await apiServer.json<{ gitVersion: string }>("/version");
  const access = settings.kubeconfig ? `--kubeconfig ${settings.kubeconfig}` : `--context ${apiServer.context}`;
  return {
    title: origin.title(version, apiServer.context),
    settings,
    namespace,
    kubectl: `kubectl ${access} -n ${namespace}`,
    create: (path, body, manager) => send("POST", path, body, manager),
    patch: (path, body, manager) => send("PATCH", path, body, manager),
    remove: (path) => send("DELETE", path),
  };
}

interface Origin {
  readonly settings: KubernetesSettings;
  /** Whether what the demo makes would stay when it ends. */
  readonly outlivesUs: boolean;
  readonly title: (version: string, context: string) => string;
}

async function openOrigin(
  { context, real }: DemoClusterChoice,
  report: Report,
  cleanup: AsyncDisposableStack,
): Promise<Origin> {
  if (context !== undefined) {
    const title = (version: string, name: string) => `your cluster, context ${name} (${version})`;
    return { settings: { context }, outlivesUs: true, title };
  }
  if (real) {
    const server = await startKube({ report });
    cleanup.defer(() => server.stop());
    const title = (version: string) => `kube-apiserver ${version} (the real one)`;
    return { settings: { kubeconfig: server.kubeconfigPath }, outlivesUs: false, title };
  }
  const server = await startEmbeddedKube();
  cleanup.use(server);
  const folder = createDataFolder("demo");
  cleanup.defer(() => folder.remove());
  const kubeconfig = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfig, server.kubeconfig());
  return {
    settings: { kubeconfig },
    outlivesUs: false,
    title: () => "the embedded one, in this process: no cluster needed",
  };
}

type Send = (method: "POST" | "PATCH" | "DELETE", path: string, body?: object, manager?: string) => Promise<void>;

/** Makes the CustomResourceDefinition if it is missing; true if it did. One of another origin is left alone. */
async function ensureCrd(apiServer: ApiServer, send: Send, signal: AbortSignal): Promise<boolean> {
  const { name } = databaseCrd.metadata;
  const existing = await apiServer
    .json<{ metadata: { labels?: Record<string, string> } }>(`${CRDS}/${name}`, { signal })
    .catch(unlessGone);
  if (existing !== undefined && existing.metadata.labels?.[MANAGED_BY] !== OURS[MANAGED_BY]) {
    throw new ForeignCrdError(
      `the cluster has a CustomResourceDefinition ${name} that is not the demo's: use another cluster, or the demo without --context`,
    );
  }
  if (existing === undefined) await send("POST", CRDS, { ...databaseCrd, metadata: { name, labels: OURS } });
  const { group, names } = databaseCrd.spec;
  for (
    const deadline = Date.now() + SERVED_WITHIN_MS;
    Date.now() < deadline;
    await sleep(POLL_MS, undefined, { signal })
  ) {
    if (await discover(apiServer, `${group}/v1`, names.kind, signal)) return existing === undefined;
  }
  throw new Error(`the API server does not serve ${name} after ${SERVED_WITHIN_MS / 1000} s`);
}

function unlessGone(error: unknown): undefined {
  if (error instanceof ApiStatusError && error.status === 404) return undefined;
  throw error;
}
