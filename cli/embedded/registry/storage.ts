/**
 * The state of the embedded API server and its history: every write gets the next resourceVersion and is kept for a while, so
 * that a watch can resume and a list can be continued as of an older version. What is older than the history is compacted, and
 * asking for it is `expired`. It stands in for etcd and the API server's watch cache; nothing survives the process.
 * Source: Kubernetes API concepts, "Resource versions", "410 Gone responses"; etcd's MVCC.
 */
import { type JsonObject, type KubeObject, withMetadata } from "../object/object.ts";

/** Where one object is: `resource` as `storageKeyOf` has it, `namespace` empty for cluster-scoped kinds. */
export interface ObjectKey {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

/** One write. */
export interface Revision {
  readonly type: "added" | "modified" | "deleted";
  readonly resourceVersion: number;
  readonly key: ObjectKey;
  /** The state after it; of a deletion the last one, under the resourceVersion of the deletion. */
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
}

/** Objects, and what happened to them. */
export interface Storage {
  /** Of the newest write. */
  readonly resourceVersion: number;
  /** The oldest version that a watch can start from, or a list can show. */
  readonly compactedVersion: number;
  get(key: ObjectKey): KubeObject | undefined;
  /** Stores the object under the next resourceVersion and answers it as stored. */
  put(key: ObjectKey, object: KubeObject): KubeObject;
  /** Answers the last state, under the resourceVersion of the deletion; `undefined` when there is nothing. */
  remove(key: ObjectKey): KubeObject | undefined;
  /** In the order of namespace and name, as they are or as they were at a version that is not compacted. */
  list(resource: string, namespace: string | undefined, atVersion?: number): readonly StoredObject[];
  /** The writes to a resource behind a version that is not compacted. */
  since(resource: string, version: number): readonly Revision[];
  /** Tells every write, at once and in order; answers how to stop that. */
  subscribe(listener: (revision: Revision) => void): () => void;
  /** Forgets the history, as etcd's compaction and every restart of an API server do. */
  compact(): void;
  /** Goes back to an earlier version, as an etcd that is restored from a backup. Throws RangeError when it is compacted or to come. */
  restore(version: number): void;
}

/** An object and the key that it sorts by: `<namespace>/<name>`. */
export interface StoredObject {
  readonly key: string;
  readonly object: KubeObject;
}

/** An API server that has just been installed is beyond its first versions: what a client makes up is too old. */
const FIRST_VERSION = 100;
/** Some minutes of a busy test; with the next limit it bounds the memory of the history. */
const HISTORY_REVISIONS_MAX = 20_000;
const HISTORY_BYTES_MAX = 128 * 1024 ** 2;

/** An empty storage. */
export function createStorage(): Storage {
  let resourceVersion = FIRST_VERSION;
  let compactedVersion = FIRST_VERSION;
  let history: Revision[] = [];
  let historyBytes = 0;
  const resources = new Map<string, Map<string, KubeObject>>();
  const listeners = new Set<(revision: Revision) => void>();

  const objectsOf = (resource: string): Map<string, KubeObject> => {
    const objects = resources.get(resource) ?? new Map<string, KubeObject>();
    resources.set(resource, objects);
    return objects;
  };
  const commit = (type: Revision["type"], key: ObjectKey, object: KubeObject, before: KubeObject | undefined) => {
    const revision: Revision = { type, resourceVersion, key, object, before };
    history.push(revision);
    historyBytes += jsonOf(object).length;
    if (history.length > HISTORY_REVISIONS_MAX || historyBytes > HISTORY_BYTES_MAX) dropOldHalf();
    for (const listener of listeners) listener(revision);
  };
  const dropOldHalf = () => {
    history = history.slice(Math.ceil(history.length / 2));
    compactedVersion = (history[0]?.resourceVersion ?? resourceVersion + 1) - 1;
    historyBytes = history.reduce((sum, { object }) => sum + jsonOf(object).length, 0);
  };
  const snapshot = (resource: string, version: number): Map<string, KubeObject> => {
    const objects = new Map(objectsOf(resource));
    for (const { key, before, resourceVersion: written } of history.toReversed()) {
      if (written <= version) break;
      if (key.resource !== resource) continue;
      if (before === undefined) objects.delete(pathOf(key));
      else objects.set(pathOf(key), before);
    }
    return objects;
  };

  return {
    get resourceVersion() {
      return resourceVersion;
    },
    get compactedVersion() {
      return compactedVersion;
    },
    get: (key) => objectsOf(key.resource).get(pathOf(key)),
    put(key, object) {
      const objects = objectsOf(key.resource);
      const before = objects.get(pathOf(key));
      const stored = stamp(object, ++resourceVersion);
      objects.set(pathOf(key), stored);
      commit(before === undefined ? "added" : "modified", key, stored, before);
      return stored;
    },
    remove(key) {
      const objects = objectsOf(key.resource);
      const before = objects.get(pathOf(key));
      if (before === undefined) return undefined;
      const last = stamp(before, ++resourceVersion);
      objects.delete(pathOf(key));
      commit("deleted", key, last, before);
      return last;
    },
    list(resource, namespace, atVersion) {
      const objects = atVersion === undefined ? objectsOf(resource) : snapshot(resource, atVersion);
      const prefix = namespace === undefined ? "" : `${namespace}/`;
      return [...objects]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([key, object]) => ({ key, object }));
    },
    since: (resource, version) =>
      history.filter((revision) => revision.resourceVersion > version && revision.key.resource === resource),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    compact() {
      history = [];
      historyBytes = 0;
      compactedVersion = resourceVersion;
    },
    restore(version) {
      if (version < compactedVersion || version > resourceVersion)
        throw new RangeError(
          `no way back to ${version}: the history goes from ${compactedVersion} to ${resourceVersion}`,
        );
      for (const resource of resources.keys()) resources.set(resource, snapshot(resource, version));
      history = history.filter((revision) => revision.resourceVersion <= version);
      resourceVersion = version;
    },
  };
}

const texts = new WeakMap<JsonObject, string>(); // stored objects never change, and each is sent to every watcher

/** The object as JSON, made once. */
export function jsonOf(object: JsonObject): string {
  const known = texts.get(object);
  if (known !== undefined) return known;
  const text = JSON.stringify(object);
  texts.set(object, text);
  return text;
}

function pathOf({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}

function stamp(object: KubeObject, resourceVersion: number): KubeObject {
  return withMetadata(object, { resourceVersion: String(resourceVersion) });
}
