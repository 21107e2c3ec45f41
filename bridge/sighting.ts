/**
 * From what was seen of an object to the event about it: the steps that capturing into the log and observing in memory share, so
 * that both tell the same. What a sighting means is decided in `occurrence.ts`; here it gets the object and the version that go
 * with it, and an object that a list did not have is looked for before anybody calls it deleted.
 */
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import { versionIn } from "./epoch.ts";
import { compareResourceVersions, type KubeObject } from "./kube-object.ts";
import { type Decision, type Sighting, versionOf } from "./occurrence.ts";
import { describeProblem } from "./reflector.ts";
import { resourcePath, type WatchedResource } from "./resource.ts";
import type { ObservedState, Occurrence } from "./seal.ts";
import type { KnownObject, Store } from "./store.ts";
import { objectSubject, parseObjectSubject } from "./subject.ts";

/** The object's key in a store: the first six tokens of its subjects. */
export function keyOf(resource: WatchedResource, { metadata }: KubeObject): string {
  return objectSubject({ ...resource, namespace: metadata.namespace ?? "", name: metadata.name });
}

/**
 * What `seal` needs; of a vanished object its last state, `before`, is all there is. Throws an Error when an object vanished and
 * there is no state.
 */
export function occurrenceOf(
  sighting: Sighting,
  { op, gap }: Decision,
  before: ObservedState | undefined,
  seenAtMs: number,
): Occurrence {
  const common = { before, gap, seenAtMs, resourceVersion: versionOf(sighting) };
  if (op !== "gone" && sighting.type !== "absent") return { ...common, op, object: sighting.object };
  if (before === undefined) throw new Error("a deletion is inferred from a known state only");
  return { ...common, op: "deleted", object: before.object };
}

/** The keys of the living objects that a finished list did not have: `seen` are those it had. */
export function* missingFrom(seen: ReadonlySet<string>, store: Store): Generator<string, void, void> {
  for (const [key, { deleted }] of store.entries()) {
    if (!deleted && !seen.has(key)) yield key;
  }
}

/** Where an object is looked for. */
export interface AbsenceQuestion {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  readonly key: string;
  readonly known: KnownObject | undefined;
  /** The list that did not have it, and its epoch. */
  readonly listVersion: string;
  readonly epoch: number;
  readonly signal: AbortSignal;
}

/**
 * Looks for a known object that a list did not have. `undefined` when it is there after all, or newer than the list. Throws an
 * Error with the problem and the next step when the API server does not answer.
 */
export async function absenceOf(question: AbsenceQuestion): Promise<Sighting | undefined> {
  const { known, listVersion, epoch } = question;
  if (known === undefined || known.deleted) return undefined;
  if (compareResourceVersions(known.resourceVersion, versionIn(epoch, listVersion)) > 0) return undefined;
  const current = await readObject(question);
  if (current?.metadata.uid === known.uid) return undefined;
  return { type: "absent", uid: known.uid, resourceVersion: listVersion, epoch };
}

/**
 * A consistent read (a GET without resourceVersion); `undefined` when the object is not there. Throws as `absenceOf` does.
 */
export async function readObject({
  apiServer,
  resource,
  key,
  signal,
}: Pick<AbsenceQuestion, "apiServer" | "resource" | "key" | "signal">): Promise<KubeObject | undefined> {
  try {
    const object = await apiServer.json<KubeObject>(resourcePath(resource, parseObjectSubject(key)), { signal });
    return resource.redaction.redact(object);
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw new Error(describeProblem(error, resource), { cause: error });
  }
}
