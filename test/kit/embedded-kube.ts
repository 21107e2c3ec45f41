/**
 * An embedded API server for one test, and the bridge's own connection to it: histories and faults that no real server shows on
 * demand. What the connection asks for is recorded. Versions count from the server's state when the test began, so that a test can
 * name them: the first write is 1.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ApiRequest, type ApiServer, connectApiServer } from "../../bridge/kube/api-server.ts";
import { type EmbeddedKube, type EmbeddedKubeOptions, startEmbeddedKube } from "../../cli/embedded/embedded.ts";
import { createDataFolder } from "./data-folder.ts";
import { databaseCrd } from "./database-crd.ts";
import { type KubeClient, kubeClient } from "./kube-client.ts";
import { until } from "./until.ts";

/** What the connection asked for. */
export interface AskedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

/** A server that is stopped after its test. */
export interface EmbeddedStage {
  readonly server: EmbeddedKube;
  /** The test's own hand; its requests are not recorded. */
  readonly client: KubeClient;
  readonly kubeconfigPath: string;
  /** The newest version, counted from the beginning of the test. */
  readonly version: number;
  /** A resourceVersion of the server, counted so. */
  relative(resourceVersion: string | undefined): number;
  /** A version counted so, as the server has it. */
  absolute(version: number): string;
  /** The bridge's connection, closed after the test, and what it has asked for so far. */
  connect(): Promise<{ readonly apiServer: ApiServer; readonly requests: readonly AskedRequest[] }>;
  /** Cuts all connections and forgets the history. */
  restart(): Promise<void>;
  /** Cuts off everybody and refuses watches while `writes` are done; after it the history is gone. */
  outage(writes: () => Promise<unknown>): Promise<void>;
}

/** A test, or the hooks of a file. */
interface Ending {
  after(cleanup: () => Promise<void>): void;
}

/** Starts the server; it knows the kind Database of database-crd.ts. */
export async function openEmbedded(t: Ending, options?: EmbeddedKubeOptions): Promise<EmbeddedStage> {
  const server = await startEmbeddedKube(options);
  const client = kubeClient({ url: server.url, token: "", caPem: "" });
  const folder = createDataFolder("embedded");
  t.after(async () => {
    await client.close();
    await server.stop();
    folder.remove();
  });
  const kubeconfigPath = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfigPath, server.kubeconfig());
  await client.applyCrd(databaseCrd);
  const start = server.resourceVersion;
  const restart = async () => {
    server.restart();
    await until(() => answers(client)); // the test's own connections were cut as well
  };
  return {
    server,
    client,
    kubeconfigPath,
    get version() {
      return server.resourceVersion - start;
    },
    relative: (resourceVersion) => Number(resourceVersion) - start,
    absolute: (version) => String(version + start),
    async connect() {
      const apiServer = await connectApiServer({ kubeconfig: kubeconfigPath });
      t.after(() => apiServer.close());
      return recorded(apiServer);
    },
    restart,
    async outage(writes) {
      const effect = { type: "cut", afterBytes: 0 } as const;
      const allow = server.faults.add({ meets: ({ isWatch }) => isWatch, times: Infinity, effect });
      await restart();
      await writes();
      server.compact();
      allow();
    },
  };
}

/** The connection, with what it is asked for. */
export function recorded(apiServer: ApiServer) {
  const requests: AskedRequest[] = [];
  const record = (path: string, { method = "GET", query = {} }: ApiRequest = {}) => {
    requests.push({ method, path, query });
  };
  const recording: ApiServer = {
    ...apiServer,
    open(path, request) {
      record(path, request);
      return apiServer.open(path, request);
    },
    json<T>(path: string, request?: ApiRequest) {
      record(path, request);
      return apiServer.json<T>(path, request);
    },
  };
  return { apiServer: recording, requests };
}

function answers(client: KubeClient): Promise<boolean> {
  return client.get("/version").then(
    () => true,
    () => false,
  );
}
