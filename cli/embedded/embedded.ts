/**
 * The embedded API server: an API server for demo, development and tests that starts in milliseconds and needs nothing. It has
 * custom resources and what they live among; it behaves as kube-apiserver does, which one suite of cases holds both to. It is in
 * memory, for one user on this machine: no authentication, no admission webhooks, no controllers but for namespaces and CRDs.
 */
import { createServer } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { stringify } from "yaml";
import { createFaults, type Faults } from "./fault.ts";
import { loadManifests, type ManifestFile } from "./manifest.ts";
import { type Catalog, createCatalog } from "./registry/catalog.ts";
import { startLifecycle } from "./registry/lifecycle.ts";
import { createRegistry } from "./registry/registry.ts";
import { createStorage } from "./registry/storage.ts";
import { serve } from "./server.ts";

export type { Fault, FaultEffect, FaultedRequest } from "./fault.ts";

/** All optional. */
export interface EmbeddedKubeOptions {
  /** @default 0: any free port */
  readonly port?: number;
  /** Between two bookmarks of a watch, in milliseconds. @default 60_000, as the API server */
  readonly bookmarkMs?: number;
  /** What a watcher may leave unread, in bytes, before it is cut off. @default 32 MiB */
  readonly unreadBytesMax?: number;
}

/** The server cannot listen where it is told to; the message says what to do. */
export class ListenError extends Error {
  readonly code = "CANNOT_LISTEN";
  override readonly name = "ListenError";
}

/** A running server. */
export interface EmbeddedKube extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly version: string;
  /** The newest resourceVersion. */
  readonly resourceVersion: number;
  /** The text of a kubeconfig with the one context `embedded`. */
  kubeconfig(): string;
  readonly faults: Faults;
  /** Applies the objects of manifests (YAML, several documents each); answers how many. Rejects with ManifestError. */
  load(files: readonly ManifestFile[]): Promise<number>;
  /** Forgets the history: a watch from before, or a later page of a list, is `410 Expired`. */
  compact(): void;
  /** Cuts all connections and forgets the history, as a restarted API server. */
  restart(): void;
  /** Goes back to an earlier version, as an etcd that is restored from a backup, and restarts. Throws RangeError when it is compacted. */
  restore(resourceVersion: number): void;
  /** Lets the process end although the server runs. */
  unref(): void;
  stop(): Promise<void>;
}

/** The version whose behaviour is meant. */
const GIT_VERSION = "v1.36.3+embedded";
const BOOKMARK_MS = 60_000;
const UNREAD_BYTES_MAX = 32 * 1024 ** 2;

/** Starts the server on 127.0.0.1. Rejects with ListenError when the port is taken. */
export async function startEmbeddedKube(options: EmbeddedKubeOptions = {}): Promise<EmbeddedKube> {
  const now = Date.now;
  const storage = createStorage();
  let currentCatalog = createCatalog(storage);
  const catalog: Catalog = {
    kinds: () => currentCatalog.kinds(),
    find: (group, version, plural) => currentCatalog.find(group, version, plural),
  };
  const registry = createRegistry(storage, now);
  const faults = createFaults();
  startLifecycle(storage, catalog, registry, now);
  storage.compact();
  const { port = 0, bookmarkMs = BOOKMARK_MS, unreadBytesMax = UNREAD_BYTES_MAX } = options;
  const context = { storage, catalog, registry, faults, gitVersion: GIT_VERSION, bookmarkMs, unreadBytesMax, now };
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => void serve(context, request, response));
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.requestTimeout = 0; // a request that a fault lets hang is the client's to give up
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => reject(cannotListen(port, cause)));
    server.listen(port, "127.0.0.1", resolve);
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const cutConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cutConnections();
    await closed;
  };
  return {
    url,
    version: GIT_VERSION,
    get resourceVersion() {
      return storage.resourceVersion;
    },
    kubeconfig: () => kubeconfigText(url),
    faults,
    load: (files) => loadManifests(files, catalog, registry),
    compact: storage.compact,
    restart() {
      storage.compact();
      cutConnections();
    },
    restore(resourceVersion) {
      storage.restore(resourceVersion);
      storage.compact();
      currentCatalog = createCatalog(storage); // what the old one knows goes by versions that will be given again
      cutConnections();
    },
    unref() {
      server.unref();
      server.on("connection", (socket) => socket.unref());
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function cannotListen(port: number, cause: NodeJS.ErrnoException): ListenError {
  const reason = cause.code === "EADDRINUSE" ? "address already in use" : cause.message;
  const advice = "choose another port, or none for any that is free";
  return new ListenError(`the embedded API server cannot listen on 127.0.0.1:${port}: ${reason}: ${advice}`, { cause });
}

function kubeconfigText(url: string): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    // Without TLS there is nothing to verify, and client-node wants to be told so.
    clusters: [{ name: "embedded", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "embedded", user: {} }],
    contexts: [{ name: "embedded", context: { cluster: "embedded", user: "embedded" } }],
    "current-context": "embedded",
  });
}
