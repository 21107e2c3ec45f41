/**
 * The embedded API server in a thread of its own, whose storage is filled directly: 100,000 objects are there in seconds, where writing them to
 * etcd takes many minutes, and it answers a list or a backlog faster than any reader takes it. It counts what it is asked and what it sends.
 * Started by `stand.ts`.
 */
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { stringify } from "yaml";
import { createFaults } from "../../cli/embedded/fault.ts";
import { storageKeyOf } from "../../cli/embedded/object/kind.ts";
import { createCatalog } from "../../cli/embedded/registry/catalog.ts";
import { startLifecycle } from "../../cli/embedded/registry/lifecycle.ts";
import { createRegistry } from "../../cli/embedded/registry/registry.ts";
import { createStorage } from "../../cli/embedded/registry/storage.ts";
import { serve } from "../../cli/embedded/server.ts";
import { asServed, bytesOfServed, objectAt } from "./object.ts";

/** What the thread that started it may ask for; each is answered with what has been asked and sent so far. */
export type StandOrder =
  /** So many objects, of about so many bytes each. */
  | { readonly type: "fill"; readonly group: string; readonly objects: number; readonly bytes: number }
  /** So many writes, one object after the other, and round again. */
  | { readonly type: "change"; readonly count: number }
  /** Forgets the history, so that the next 20,000 writes are kept. */
  | { readonly type: "compact" }
  | { readonly type: "look" };

/** What clients have caused. */
export interface Traffic {
  readonly requests: number;
  /** Lists from the beginning, and watches that begin with all objects; those of one object do not count. */
  readonly lists: number;
  readonly sentBytes: number;
}

const BOOKMARK_MS = 60_000;
/** The limit of what a watcher leaves unread must not decide. */
const UNREAD_BYTES_MAX = 8 * 1024 ** 3;

const storage = createStorage();
const catalog = createCatalog(storage);
const registry = createRegistry(storage, Date.now);
startLifecycle(storage, catalog, registry, Date.now);
const context = {
  ...{ storage, catalog, registry, faults: createFaults(), gitVersion: "v1.36.3+embedded", now: Date.now },
  ...{ bookmarkMs: BOOKMARK_MS, unreadBytesMax: UNREAD_BYTES_MAX },
};
const sockets = new Set<Socket>();
let requests = 0;
let lists = 0;
let closedBytes = 0;
let filled = { key: "", group: "", objects: 0, bytes: 0 };
let changes = 0;

const server = createServer((request, response) => {
  requests++;
  if (isList(request)) lists++;
  void serve(context, request, response);
});
server.on("connection", (socket) => {
  sockets.add(socket);
  socket.once("close", () => {
    closedBytes += socket.bytesWritten;
    sockets.delete(socket);
  });
});
server.requestTimeout = 0;
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(workerData as string, kubeconfigText(url));
  parentPort?.postMessage(url);
});
parentPort?.on("message", (order: StandOrder) => {
  obey(order);
  parentPort?.postMessage(traffic());
});

function obey(order: StandOrder): void {
  switch (order.type) {
    case "fill": {
      const { group, objects, bytes } = order;
      const kind = catalog.find(group, "v1", "databases");
      if (kind === undefined) throw new Error(`no definition of databases.${group}`);
      filled = { key: storageKeyOf(kind), group, objects, bytes };
      changes = 0;
      for (let index = 0; index < objects; index++) put(index, 0);
      return;
    }
    case "change":
      for (let done = 0; done < order.count; done++, changes++)
        put(changes % filled.objects, 1 + Math.floor(changes / filled.objects));
      return;
    case "compact":
      storage.compact();
      return;
    case "look":
      return;
    default:
      order satisfies never;
  }
}

function put(index: number, change: number): void {
  const object = asServed(objectAt(index, change, bytesOfServed(filled.bytes), filled.group));
  const { name, namespace = "" } = object.metadata;
  storage.put({ resource: filled.key, namespace, name }, object as unknown as Parameters<typeof storage.put>[1]);
}

function traffic(): Traffic {
  return { requests, lists, sentBytes: [...sockets].reduce((sum, each) => sum + each.bytesWritten, closedBytes) };
}

function isList({ method, url = "" }: IncomingMessage): boolean {
  const { pathname, searchParams: query } = new URL(url, "http://embedded.invalid");
  if (method !== "GET" || !pathname.endsWith("/databases") || query.has("continue") || query.get("limit") === "1")
    return false;
  return !query.has("watch") || query.get("sendInitialEvents") === "true";
}

function kubeconfigText(url: string): string {
  return stringify({
    ...{ apiVersion: "v1", kind: "Config", "current-context": "embedded" },
    clusters: [{ name: "embedded", cluster: { server: url, "insecure-skip-tls-verify": true } }],
    users: [{ name: "embedded", user: {} }],
    contexts: [{ name: "embedded", context: { cluster: "embedded", user: "embedded" } }],
  });
}
