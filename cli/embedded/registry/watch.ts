/**
 * WATCH: every later write to the selected objects, in order, as it happens. An object that comes into the selection is `ADDED`,
 * one that leaves it is `DELETED` in its last selected state; bookmarks say how far the watch has come when nothing happens.
 * Source: Kubernetes API concepts, "Efficient detection of changes", "Watch bookmarks"; KEP-3157 (streaming lists).
 */
import { apiVersionOf, type ResourceKind, storageKeyOf } from "../object/kind.ts";
import type { JsonObject, KubeObject } from "../object/object.ts";
import { withMetadata } from "../object/object.ts";
import { expired, type StatusError, tooLargeResourceVersion, unexpected } from "../object/status-error.ts";
import type { ReadOptions } from "../request/read-options.ts";
import type { Revision, Storage } from "./storage.ts";
import { presented } from "./strategy.ts";

/** What a watch tells; the object of an error is a Status. */
export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: JsonObject;
}

/** Whom a watch tells, and the clockwork around it. */
export interface Watcher {
  /** Is called at once, and in order. */
  readonly tell: (event: WatchEvent) => void;
  /** The watch is over: its time is up, its kind is gone, or it has told an error. */
  readonly end: () => void;
  /** Whether there still is such a kind; asked after each write to another one. */
  readonly isServed: () => boolean;
  /** Between two bookmarks, in milliseconds. */
  readonly bookmarkMs: number;
}

/** The last bookmark comes this long before the end, so that a client resumes from where it was told. */
const LAST_BOOKMARK_MS = 2_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** Starts the watch; answers how to stop it. */
export function watch(
  storage: Storage,
  kind: ResourceKind,
  namespace: string | undefined,
  options: ReadOptions,
  { tell, end, isServed, bookmarkMs }: Watcher,
): () => void {
  const resource = storageKeyOf(kind);
  const asked = watchVersion(options.resourceVersion);
  const fromState = options.sendInitialEvents === true || asked === 0;
  const timers: NodeJS.Timeout[] = [];
  let unsubscribe = () => {};
  const stop = () => {
    unsubscribe();
    for (const timer of timers) clearTimeout(timer);
  };
  const over = () => {
    stop();
    end();
  };
  const problem = startProblem(asked, fromState, storage);
  if (problem !== undefined) {
    tell({ type: "ERROR", object: problem.status });
    end();
    return stop;
  }

  const bookmark = (annotations?: JsonObject) =>
    tell({ type: "BOOKMARK", object: bookmarkObject(kind, storage.resourceVersion, annotations) });
  const forward = (revision: Revision) => {
    if (revision.key.resource !== resource) return isServed() ? undefined : over();
    if (revision.resourceVersion <= asked) return;
    if (namespace !== undefined && revision.key.namespace !== namespace) return;
    const event = toEvent(kind, revision, options.selects);
    if (event !== undefined) tell(event);
  };
  if (fromState && options.sendInitialEvents !== false) {
    for (const { object } of storage.list(resource, namespace)) {
      const shown = presented(kind, object);
      if (options.selects(shown)) tell({ type: "ADDED", object: shown });
    }
    if (options.allowBookmarks) bookmark({ [INITIAL_EVENTS_END]: "true" });
  } else if (!fromState) {
    for (const revision of storage.since(resource, asked)) forward(revision);
  }
  unsubscribe = storage.subscribe(forward);
  if (options.allowBookmarks) timers.push(setInterval(bookmark, bookmarkMs));
  if (options.timeoutMs !== undefined) {
    if (options.allowBookmarks && options.timeoutMs > LAST_BOOKMARK_MS)
      timers.push(setTimeout(bookmark, options.timeoutMs - LAST_BOOKMARK_MS));
    timers.push(setTimeout(over, options.timeoutMs));
  }
  for (const timer of timers) timer.unref();
  return stop;
}

/** Where a watch starts behind; 0 is the present state. Throws StatusError. */
function watchVersion(text: string): number {
  if (text === "") return 0;
  if (/^\d+$/.test(text)) return Number(text);
  const quoted = JSON.stringify(text);
  throw unexpected(`resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`);
}

/** A watch from a version that is no more is told so at once; from one that is not yet, only where it begins with a state. */
function startProblem(asked: number, fromState: boolean, storage: Storage): StatusError | undefined {
  const { resourceVersion, compactedVersion } = storage;
  if (fromState) return asked > resourceVersion ? tooLargeResourceVersion(asked, resourceVersion) : undefined;
  if (asked >= compactedVersion) return undefined;
  return expired(`too old resource version: ${asked} (${compactedVersion})`);
}

function toEvent(
  kind: ResourceKind,
  { type, object, before }: Revision,
  selects: (object: KubeObject) => boolean,
): WatchEvent | undefined {
  const after = presented(kind, object);
  const earlier = before && presented(kind, before);
  const was = earlier !== undefined && selects(earlier);
  const is = type !== "deleted" && selects(after);
  if (is) return { type: was ? "MODIFIED" : "ADDED", object: after };
  if (!was) return undefined;
  const { resourceVersion } = object.metadata;
  return {
    type: "DELETED",
    object: type === "deleted" ? after : withMetadata(earlier, { ...(resourceVersion && { resourceVersion }) }),
  };
}

function bookmarkObject(kind: ResourceKind, version: number, annotations?: JsonObject): JsonObject {
  const metadata = { resourceVersion: String(version), ...(annotations && { annotations }) };
  return {
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: kind.custom ? metadata : { ...metadata, creationTimestamp: null },
  };
}
