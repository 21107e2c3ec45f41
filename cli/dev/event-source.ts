/** Where the events of `dev` come from: a recorded file, one's own cluster, or the embedded API server. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ApiServer, connectApiServer } from "../../bridge/kube/api-server.ts";
import { findResource } from "../../bridge/kube/discovery.ts";
import { observe, observedResource } from "../../bridge/observe.ts";
import { readRecorded } from "../../functions/kit/testing/recorded.ts";
import { startEmbeddedKube } from "../embedded/embedded.ts";
import { readTextFile } from "../file.ts";
import type { DevSubscription } from "./dev-message.ts";

/** Events as they happen. */
export interface LiveSource {
  /** One line, for people. */
  readonly title: string;
  /** Watches the kind; answers what that is called, or `undefined` where it does so already. Rejects when it cannot be watched. */
  watch(kind: Pick<DevSubscription, "apiVersion" | "kind">): Promise<string | undefined>;
}

/** What the sources have in common. */
export interface LiveSourceOptions {
  readonly namespace?: string;
  readonly signal: AbortSignal;
  /** One at a time: the next one when this is through. */
  readonly onEvent: (payload: string) => Promise<void>;
  /** What goes on with a watch. */
  readonly onProblem: (problem: string) => void;
}

/** A cluster of one's own: read, never written. Begins with what changes from now on. */
export async function openCluster(
  settings: { readonly context?: string; readonly kubeconfig?: string },
  options: LiveSourceOptions,
  cleanup: AsyncDisposableStack,
): Promise<LiveSource> {
  const apiServer = await connectApiServer(settings);
  cleanup.defer(() => apiServer.close());
  const title = `changes of context ${apiServer.context} (${apiServer.url}), which is only read`;
  return { title, watch: watching(apiServer, options, false) };
}

/** The embedded API server with these manifests in it, and with a definition for each kind that they lack. */
export async function openEmbedded(
  manifests: readonly string[],
  options: LiveSourceOptions,
  cleanup: AsyncDisposableStack,
): Promise<LiveSource> {
  const server = await startEmbeddedKube();
  cleanup.defer(() => server.stop());
  const files = await Promise.all(manifests.map(async (name) => ({ name, text: await readTextFile(name) })));
  await server.load(files);
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-dev-"));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, server.kubeconfig(), { mode: 0o600 });
  const apiServer = await connectApiServer({ kubeconfig });
  cleanup.defer(() => apiServer.close());
  const watch = watching(apiServer, options, true);
  return {
    title: `what you do to the embedded API server: export KUBECONFIG=${kubeconfig}`,
    async watch(kind) {
      if (!(await isServed(apiServer, kind, options.signal))) {
        await server.load([{ name: `the definition of ${kind.kind}`, text: JSON.stringify(definitionOf(kind)) }]);
      }
      return await watch(kind);
    },
  };
}

/** The events of a file. Throws MalformedEventError, which names file and line. */
export const readEvents = readRecorded;

function watching(apiServer: ApiServer, options: LiveSourceOptions, existing: boolean): LiveSource["watch"] {
  const { namespace, signal, onEvent, onProblem } = options;
  const watched = new Set<string>();
  return async ({ apiVersion, kind }) => {
    const key = `${kind}.${apiVersion}`;
    if (watched.has(key)) return undefined;
    const served = await findResource(apiServer, qualified(kind, apiVersion), signal);
    watched.add(key);
    const resource = observedResource(served, { context: apiServer.context, ...(namespace && { namespace }) });
    let problem = "";
    const onState = (state: { readonly type: string; readonly problem?: string }) => {
      if (state.problem !== undefined && state.problem !== problem) onProblem(state.problem);
      problem = state.problem ?? "";
    };
    const follow = async () => {
      for await (const event of observe({ apiServer, resource, existing, signal, onState }))
        await onEvent(JSON.stringify(event));
    };
    follow().catch((error: Error) => {
      watched.delete(key); // the next save asks again
      if (!signal.aborted) onProblem(error.message);
    });
    return [resource.plural, resource.group].filter(Boolean).join(".");
  };
}

async function isServed(
  apiServer: ApiServer,
  { apiVersion, kind }: Pick<DevSubscription, "apiVersion" | "kind">,
  signal: AbortSignal,
): Promise<boolean> {
  return await findResource(apiServer, qualified(kind, apiVersion), signal).then(
    (served) => served.apiVersion === apiVersion,
    () => false,
  );
}

/** `Database.demo.example.com`, or a kind of the core group alone. */
function qualified(kind: string, apiVersion: string): string {
  const [group] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  return group === undefined ? kind : `${kind}.${group}`;
}

/** A definition that takes any object of the kind, with a status as a controller would write it. */
function definitionOf({ apiVersion, kind }: Pick<DevSubscription, "apiVersion" | "kind">): object {
  const [group = "", version = ""] = apiVersion.split("/");
  const singular = kind.toLowerCase();
  const plural = /(s|x|ch|sh)$/.test(singular)
    ? `${singular}es`
    : /[^aeiou]y$/.test(singular)
      ? `${singular.slice(0, -1)}ies`
      : `${singular}s`;
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular, listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}
