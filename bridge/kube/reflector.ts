/**
 * Follows one resource of the API server for ever, as an async iterable: a list when there is nothing to resume from, then the
 * watch, resumed from the last resourceVersion however often it ends, and a new list when that version is too old. It is pulled,
 * so a slow reader slows the server down and memory stays bounded; one that does not come back has its watch closed, and resumed
 * when it does. It never gives up: every failure is waited out with client-go's backoff, and told through `onState`.
 * Source: client-go `tools/cache/reflector.go`; KEP-3157 (streaming list), KEP-956 (bookmarks); Kubernetes API concepts,
 * "Efficient detection of changes".
 */
import { type BackoffOptions, createBackoff, REFLECTOR_BACKOFF } from "../backoff.ts";
import type { Gate } from "../capture/gate.ts";
import { resourcePath, selectorQuery, type WatchedResource } from "../capture/resource.ts";
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import { attended, ReaderAwayError } from "./attended.ts";
import { apiVersionOf, compareResourceVersions, KubeObject } from "./kube-object.ts";
import { readLines } from "./line.ts";
import { problemOf, type WatchProblem } from "./problem.ts";

/**
 * What is seen of the resource. A list is `listing`, its objects, and `listed`; if it fails it starts over with `listing`. `bytes` are
 * those of the JSON that the object came in, to bound what is in memory at once.
 */
export type WatchEvent =
  | { readonly type: "listing" }
  /** resourceVersions have gone back: etcd was restored from a backup. A list follows. */
  | { readonly type: "rewound" }
  | { readonly type: "initial"; readonly object: KubeObject; readonly bytes: number }
  | { readonly type: "listed"; readonly resourceVersion: string }
  | { readonly type: "added" | "modified" | "deleted"; readonly object: KubeObject; readonly bytes: number }
  | { readonly type: "bookmark"; readonly resourceVersion: string };

/**
 * What the reflector is doing, for health and logs; `paused`: nothing is read, because the reader does not come back from what it has;
 * `waiting` says why and what to do about it.
 */
export type ReflectorState =
  | { readonly type: "watching" | "paused" }
  /** `expired`: again, because the API server has no history from where the watch was. */
  | { readonly type: "listing"; readonly expired?: true }
  | ({ readonly type: "waiting"; readonly attempt: number } & WatchProblem);

/** Injected: the connection, the clock's jitter, and whom to tell. */
export interface ReflectorOptions {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  /** Resume the watch behind this resourceVersion; left out: list first. */
  readonly resumeFrom?: string;
  /** The newest resourceVersion that was ever seen: if the API server is not even there, its etcd was restored. */
  readonly newestVersion?: string;
  readonly signal: AbortSignal;
  readonly onState: (state: ReflectorState) => void;
  /** Waited for before each list. */
  readonly listGate?: Gate;
  readonly random?: () => number;
  /** Default: client-go's. */
  readonly backoff?: BackoffOptions;
  /** A reader that is away with one event for so long has its watch closed. Default: 10 s. */
  readonly readerAwayMs?: number;
}

/** Pages of a list: client-go's default, and small enough that one fits in memory many times over. */
const PAGE_OBJECTS_MAX = 500;
/** The server ends a watch after a random 5 to 10 minutes, so that load spreads over its replicas again (client-go). */
const WATCH_SECONDS_MIN = 300;
/** A watch that ended sooner than this without an event is a failure in disguise (client-go's VeryShortWatchError). */
const WATCH_SHORT_MS = 1_000;
/** Not known, not switched on, and 504: the watch cache is behind etcd. Pages are read from etcd, and where it cannot be read they say why. */
const NO_STREAMING_LIST: ReadonlySet<number> = new Set([400, 422, 504]);
/** Longer than NATS takes to elect a leader or to start again; sooner than an API server's buffer for a slow watch fills up. */
const READER_AWAY_MS = 10_000;
const INITIAL_EVENTS_END = "k8s.io/initial-events-end";

/** The version to resume from is too old for the server: list again. */
class ExpiredError extends Error {}
/** What the server sent is not what the protocol says. */
class ProtocolError extends Error {}

interface Position {
  resourceVersion: string | undefined;
  /** Known to have been there. */
  newestVersion: string | undefined;
  streamingList: boolean;
  /** What was read last was too old. */
  expired: boolean;
}

/** Follows the resource until `signal` aborts. */
export async function* reflect(options: ReflectorOptions): AsyncGenerator<WatchEvent, void, void> {
  const { signal, onState, random = Math.random } = options;
  const backoff = createBackoff(options.backoff ?? REFLECTOR_BACKOFF, random);
  const position: Position = {
    resourceVersion: options.resumeFrom,
    newestVersion: options.newestVersion ?? options.resumeFrom,
    streamingList: true,
    expired: false,
  };
  let attempt = 0;
  const note = (event: WatchEvent) => {
    if (position.resourceVersion !== undefined) position.newestVersion = position.resourceVersion;
    if (!isProgress(event)) return;
    if (event.type !== "listed") position.expired = false;
    // What works again has recovered: cuts that follow each other must not add up to a wait that outlasts the watch history.
    backoff.reset();
    attempt = 0;
  };
  while (!signal.aborted) {
    const startedMs = Date.now();
    let events = 0;
    try {
      for await (const batch of connection(options, position)) {
        for (const event of batch) {
          events++;
          note(event);
          yield event;
        }
      }
      if (events > 0 || Date.now() - startedMs >= WATCH_SHORT_MS) continue;
      throw new ProtocolError("the API server ended the watch at once");
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ReaderAwayError || hasAnotherWay(error, position)) continue;
      onState({ type: "waiting", ...problemOf(error, options.resource), attempt: ++attempt });
      const retryAfterMs = error instanceof ApiStatusError ? error.retryAfterMs : 0;
      await backoff.wait(signal, retryAfterMs).catch(() => undefined);
    }
  }
}

/** Whether the position now is one from which it goes on at once: a list, or a list in pages. */
function hasAnotherWay(error: unknown, position: Position): boolean {
  if (error instanceof ExpiredError) {
    const wasExpired = position.expired;
    position.resourceVersion = undefined;
    position.expired = true;
    return !wasExpired; // else at the backoff's pace: whatever is read is too old
  }
  const isStreamed = position.streamingList && position.resourceVersion === undefined;
  if (!isStreamed || !(error instanceof ApiStatusError) || !NO_STREAMING_LIST.has(error.status)) return false;
  position.streamingList = false;
  return true;
}

/** Whether it shows that the connection works: the beginning of a list does not, which may be refused for days. */
function isProgress({ type }: WatchEvent): boolean {
  return type !== "listing" && type !== "rewound" && type !== "initial";
}

/** What has come together. Each is read from its text when it is asked for, and the position is behind the one that was given last. */
type Batch<T> = Iterable<T>;

/** One list or watch, after a look whether the history still is the one that was seen. */
async function* connection(options: ReflectorOptions, position: Position): AsyncGenerator<Batch<WatchEvent>> {
  if (await isRewound(options, position)) {
    position.resourceVersion = undefined;
    position.newestVersion = undefined;
    yield [{ type: "rewound" }];
  }
  const isList = position.resourceVersion === undefined;
  yield* isList ? list(options, position) : watch(options, position);
}

/**
 * Whether the API server is behind what it has told before. A watch from a version that is not there yet would be answered, and
 * skip in silence everything up to it.
 */
async function isRewound(options: ReflectorOptions, { newestVersion }: Position): Promise<boolean> {
  if (newestVersion === undefined) return false;
  const { metadata } = await readPage(options, { limit: "1" });
  return compareResourceVersions(metadata.resourceVersion, newestVersion) < 0;
}

/** A list: streamed where the server can, else in pages. Leaves the position at the list's version, and the gate when all is read. */
async function* list(options: ReflectorOptions, position: Position): AsyncGenerator<Batch<WatchEvent>> {
  options.onState({ type: "listing", ...(position.expired && { expired: true }) });
  yield [{ type: "listing" }];
  const leave = (await options.listGate?.enter(options.signal)) ?? (() => undefined);
  try {
    yield* position.streamingList ? streamedList(options, position, leave) : pagedList(options, position, leave);
  } finally {
    leave();
  }
}

/** Synthetic "added" events up to the bookmark that ends them, where `leave` is called; the stream then goes on as the watch. */
async function* streamedList(
  options: ReflectorOptions,
  position: Position,
  leave: () => void,
): AsyncGenerator<Batch<WatchEvent>> {
  const query = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan", resourceVersion: "" };
  let initial = true;
  const told = function* (lines: Batch<string>): Generator<WatchEvent> {
    for (const line of lines) {
      const event = toStreamedEvent(line);
      if (initial && event.type === "added") {
        yield { type: "initial", object: event.object, bytes: event.bytes };
      } else if (initial && event.type === "bookmark") {
        if (!event.endsInitial) continue;
        initial = false;
        position.resourceVersion = event.resourceVersion;
        leave();
        yield { type: "listed", resourceVersion: event.resourceVersion };
        options.onState({ type: "watching" });
      } else if (!initial) {
        position.resourceVersion = versionOf(event);
        yield event;
      }
    }
  };
  for await (const batch of watchLines(options, query)) yield told(batch);
  if (initial) throw new ProtocolError("the list ended before it was complete");
}

async function* pagedList(
  options: ReflectorOptions,
  position: Position,
  leave: () => void,
): AsyncGenerator<Batch<WatchEvent>> {
  const { resource } = options;
  let token = "";
  let resourceVersion = "";
  do {
    const query = { limit: String(PAGE_OBJECTS_MAX), ...(token && { continue: token }) };
    const page = await readPage(options, query).catch((error: unknown) => {
      throw isExpired(error) ? new ExpiredError("the list's continue token is too old") : error;
    });
    yield listedIn(page, resource);
    resourceVersion = page.metadata.resourceVersion;
    token = page.metadata.continue ?? "";
  } while (token !== "");
  position.resourceVersion = resourceVersion;
  leave();
  yield [{ type: "listed", resourceVersion }];
}

function* listedIn(page: ListPage, resource: WatchedResource): Generator<WatchEvent> {
  for (const item of page.items ?? []) {
    const object = toObject({ apiVersion: apiVersionOf(resource), kind: resource.kind, ...item });
    yield { type: "initial", object, bytes: JSON.stringify(item).length };
  }
}

async function* watch(options: ReflectorOptions, position: Position): AsyncGenerator<Batch<WatchEvent>> {
  const told = function* (lines: Batch<string>): Generator<WatchEvent> {
    for (const line of lines) {
      const event = toStreamedEvent(line);
      position.resourceVersion = versionOf(event);
      yield event;
    }
  };
  for await (const batch of watchLines(options, { resourceVersion: position.resourceVersion ?? "" })) yield told(batch);
}

interface ListPage {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  readonly items: readonly Record<string, unknown>[] | null;
}

async function readPage(
  { apiServer, resource, signal }: ReflectorOptions,
  query: Readonly<Record<string, string>>,
): Promise<ListPage> {
  const page = await apiServer.json<Partial<ListPage> | null>(resourcePath(resource), {
    signal,
    query: { ...selectorQuery(resource), ...query },
  });
  if (!page?.metadata?.resourceVersion) throw new ProtocolError("the answer is not a list");
  return page as ListPage;
}

type StreamedEvent =
  | { readonly type: "added" | "modified" | "deleted"; readonly object: KubeObject; readonly bytes: number }
  | { readonly type: "bookmark"; readonly resourceVersion: string; readonly endsInitial: boolean };

async function* watchLines(
  options: ReflectorOptions,
  query: Readonly<Record<string, string>>,
): AsyncGenerator<Batch<string>> {
  const { apiServer, resource, signal, random = Math.random, readerAwayMs = READER_AWAY_MS } = options;
  const timeoutSeconds = String(Math.floor(WATCH_SECONDS_MIN * (1 + random())));
  const streaming = query["sendInitialEvents"] !== undefined;
  const body = await apiServer
    .open(resourcePath(resource), {
      signal,
      query: { watch: "true", allowWatchBookmarks: "true", timeoutSeconds, ...selectorQuery(resource), ...query },
    })
    .catch((error: unknown) => {
      if (isExpired(error)) throw new ExpiredError("the resourceVersion is too old");
      throw error;
    });
  if (!streaming) options.onState({ type: "watching" });
  const giveUp = () => {
    body.destroy();
    options.onState({ type: "paused" });
  };
  try {
    yield* attended(readLines(body), readerAwayMs, giveUp);
  } finally {
    body.destroy();
  }
}

function toStreamedEvent(line: string): StreamedEvent {
  let event: { type?: unknown; object?: Record<string, unknown> };
  try {
    event = JSON.parse(line) as typeof event;
  } catch (cause) {
    throw new ProtocolError(`a line of the watch is not JSON (${line.length} characters)`, { cause });
  }
  switch (event.type) {
    case "ADDED":
      return { type: "added", object: toObject(event.object), bytes: line.length };
    case "MODIFIED":
      return { type: "modified", object: toObject(event.object), bytes: line.length };
    case "DELETED":
      return { type: "deleted", object: toObject(event.object), bytes: line.length };
    case "BOOKMARK": {
      const { resourceVersion, annotations } = (event.object?.["metadata"] ?? {}) as {
        resourceVersion?: string;
        annotations?: Record<string, string>;
      };
      if (!resourceVersion) throw new ProtocolError("a bookmark has no resourceVersion");
      return { type: "bookmark", resourceVersion, endsInitial: annotations?.[INITIAL_EVENTS_END] === "true" };
    }
    case "ERROR": {
      const status = event.object as { code?: number; reason?: string; message?: string } | undefined;
      if (status?.code === 410) throw new ExpiredError(status.message);
      throw new ApiStatusError(
        status?.code ?? 500,
        status?.reason ?? "",
        status?.message ?? "the watch ended with an error",
      );
    }
    default:
      throw new ProtocolError(`a watch event has the unknown type ${JSON.stringify(event.type)}`);
  }
}

/** The hot path checks identity only: the rest of the object is the API server's word. */
function toObject(value: unknown): KubeObject {
  const object = value as KubeObject | undefined;
  const { uid, name, resourceVersion } = object?.metadata ?? {};
  if (typeof uid === "string" && typeof name === "string" && typeof resourceVersion === "string")
    return object as KubeObject;
  const problem = KubeObject.safeParse(value).error?.issues[0];
  throw new ProtocolError(`an object lacks its identity: ${problem?.path.join(".")}: ${problem?.message}`);
}

function versionOf(event: StreamedEvent): string {
  return event.type === "bookmark" ? event.resourceVersion : event.object.metadata.resourceVersion;
}

function isExpired(error: unknown): boolean {
  return error instanceof ApiStatusError && (error.status === 410 || error.reason === "Expired");
}
