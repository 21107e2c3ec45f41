/**
 * What one watch event tells, with memory in the place of the log: the decision and the seal are the bridge's own, so what comes
 * out is what the bridge would publish. Where the last state of an object is beyond the store's limit, as much is told as can be.
 */
import { type BackoffOptions, createBackoff, REFLECTOR_BACKOFF } from "./backoff.ts";
import type { WatchedResource } from "./capture/resource.ts";
import { absenceOf, keyOf, missingFrom, occurrenceOf } from "./capture/sighting.ts";
import { type Decision, decide, type Sighting, versionOf } from "./event/occurrence.ts";
import { type ObservedState, type Occurrence, type SealedEvent, seal } from "./event/seal.ts";
import type { ApiServer } from "./kube/api-server.ts";
import { apiVersionOf } from "./kube/kube-object.ts";
import type { ReflectorState, WatchEvent } from "./kube/reflector.ts";
import { resourceVersionOf } from "./log/epoch.ts";
import { absenceAfter, type KnownObject, type Store } from "./log/store.ts";
import { parseObjectSubject } from "./log/subject.ts";

/** What the observer of one watch works with. */
export interface ObserverOptions {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  /** What is known of each object; the observer is the only one who writes it. */
  readonly store: Store;
  /** Only objects of this name. Default: all. */
  readonly name?: string;
  readonly signal: AbortSignal;
  readonly onState: (state: ReflectorState) => void;
  /** Default: client-go's. */
  readonly backoff?: BackoffOptions;
}

/** Handles one watch event and yields what it tells. `firstSight`: no list has been finished yet. */
export type Observer = (event: WatchEvent, firstSight: boolean) => AsyncGenerator<SealedEvent, void, void>;

/** Reads of objects that a list did not have, at once: gentle on the API server, and a thousand take seconds. */
const READS_MAX = 16;

/** Makes the observer of one watch; its events must be handed over one after the other. */
export function createObserver(options: ObserverOptions): Observer {
  const { resource, store, name } = options;
  const seen = new Set<string>();
  let epoch = 1;
  const finishList = async function* (listVersion: string): AsyncGenerator<SealedEvent> {
    const missing = [...missingFrom(seen, store)];
    seen.clear();
    for (let first = 0; first < missing.length; first += READS_MAX) {
      const absences = missing.slice(first, first + READS_MAX).map(async (key) => {
        return { key, absence: await findAbsence(options, key, store.get(key), listVersion, epoch) };
      });
      for (const { key, absence } of await Promise.all(absences)) {
        if (absence !== undefined) yield* tell(resource, store, key, absence);
      }
    }
  };
  return async function* (event, firstSight) {
    switch (event.type) {
      case "listing":
        return seen.clear();
      case "listed":
        return yield* finishList(event.resourceVersion);
      case "bookmark":
        return;
      case "rewound":
        epoch++;
        return;
      case "initial":
      case "added":
      case "modified":
      case "deleted": {
        if (name !== undefined && event.object.metadata.name !== name) return;
        const object = resource.redaction.redact(event.object);
        const key = keyOf(resource, object);
        if (event.type === "initial") seen.add(key);
        const sighting =
          event.type === "initial"
            ? { type: event.type, object, firstSight, epoch }
            : { type: event.type, object, epoch };
        return yield* tell(resource, store, key, sighting);
      }
      default:
        return event satisfies never;
    }
  };
}

/** Everything that the sighting tells and memory does not have yet. */
function* tell(resource: WatchedResource, store: Store, key: string, sighting: Sighting): Generator<SealedEvent> {
  for (;;) {
    const known = store.get(key);
    const decision = decide(known, sighting);
    if (decision === undefined) break;
    const event = seal(resource, occurrenceOfMemory(resource, store, key, sighting, decision));
    if (event === undefined) {
      if (known !== undefined) store.set(key, { ...known, resourceVersion: versionOf(sighting) });
      continue;
    }
    const { op, resourceVersion, after, payload } = event;
    const { uid } = after.object.metadata;
    store.set(key, { uid, resourceVersion, sequence: 0, fence: 0, absence: absenceAfter(op) }, after, payload.length);
    yield event;
  }
  // One watch never goes back in time, so no late event of a dead object can come; its tombstone would only grow memory.
  if (store.get(key)?.absence) store.delete(key);
}

/** What happened, with the state before; where that is beyond the limit, as much of it as can be told. */
function occurrenceOfMemory(
  resource: WatchedResource,
  store: Store,
  key: string,
  sighting: Sighting,
  decision: Decision,
): Occurrence {
  const known = store.get(key);
  const before = known === undefined || known.absence ? undefined : store.stateOf(key);
  if (known === undefined || known.absence || before !== undefined)
    return occurrenceOf(sighting, decision, before, Date.now());
  switch (decision.op) {
    case "updated":
      return occurrenceOf(sighting, { op: "existing", gap: true }, undefined, Date.now());
    case "gone":
      return occurrenceOf(sighting, decision, identityOf(resource, key, known), Date.now());
    case "created":
    case "existing":
    case "deleted":
    case "unselected":
      return occurrenceOf(sighting, decision, undefined, Date.now());
    default:
      return decision.op satisfies never;
  }
}

/** The object as far as its name and version tell. */
function identityOf(resource: WatchedResource, key: string, { uid, resourceVersion }: KnownObject): ObservedState {
  const { namespace, name } = parseObjectSubject(key);
  const metadata = { name, ...(namespace && { namespace }), uid, resourceVersion: resourceVersionOf(resourceVersion) };
  return { object: { apiVersion: apiVersionOf(resource), kind: resource.kind, metadata }, phase: undefined };
}

/** Asks until there is an answer: without it nothing can be said about the object. `undefined` also when told to stop. */
async function findAbsence(
  { apiServer, resource, signal, onState, backoff = REFLECTOR_BACKOFF }: ObserverOptions,
  key: string,
  known: KnownObject | undefined,
  listVersion: string,
  epoch: number,
): Promise<Sighting | undefined> {
  const pause = createBackoff(backoff);
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await absenceOf({ apiServer, resource, key, known, listVersion, epoch, signal });
    } catch (error) {
      if (signal.aborted) break;
      onState({ type: "waiting", reason: "other", problem: (error as Error).message, attempt });
      await pause.wait(signal).catch(() => undefined);
    }
  }
  return undefined;
}
