/**
 * From what was seen of an object to the event about it: the steps that capturing into the log and observing in memory share, so
 * that both tell the same. What a sighting means is decided in `occurrence.ts`; here it gets the object and the version that go
 * with it, and an object that a list did not have is looked for before anybody calls it deleted.
 */
import { type Decision, type Sighting, versionOf } from "../event/occurrence.ts";
import type { ObservedState, Occurrence } from "../event/seal.ts";
import { type ApiServer, ApiStatusError } from "../kube/api-server.ts";
import { apiVersionOf, compareResourceVersions, type KubeObject } from "../kube/kube-object.ts";
import { describeProblem } from "../kube/problem.ts";
import { versionIn } from "../log/epoch.ts";
import type { KnownObject, Store } from "../log/store.ts";
import { objectSubject, parseObjectSubject } from "../log/subject.ts";
import { resourcePath, selectorQuery, type WatchedResource } from "./resource.ts";

type Deletion = Extract<Sighting, { readonly type: "added" | "modified" | "deleted" | "unselected" }>;

/** Between the API server's clock, which stamps objects, and ours, which stamps checkpoints. */
const CLOCK_SKEW_MS_MAX = 60_000;

/** The object's key in a store: the first six tokens of its subjects. */
export function keyOf({ cluster, group, kind }: WatchedResource, { metadata }: KubeObject): string {
  return objectSubject({ cluster, group, kind, namespace: metadata.namespace ?? "", name: metadata.name });
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
  if (before === undefined) throw new Error("an absence is inferred from a known state only");
  return { ...common, op: op === "unselected" ? op : "deleted", object: before.object };
}

/** The keys of the living objects that a finished list did not have: `seen` are those it had. */
export function* missingFrom(seen: ReadonlySet<string>, store: Store): Generator<string, void, void> {
  for (const [key, { absence }] of store.entries()) {
    if (absence === undefined && !seen.has(key)) yield key;
  }
}

/** Where an object is looked for. */
export interface ObjectQuestion {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  readonly key: string;
  readonly signal: AbortSignal;
}

/** An object that a list did not have. */
export interface AbsenceQuestion extends ObjectQuestion {
  readonly known: KnownObject | undefined;
  /** The list that did not have it, and its epoch. */
  readonly listVersion: string;
  readonly epoch: number;
}

/**
 * Looks for a known object that a list did not have: it is gone, or has left the selection. `undefined` when it is there after all
 * although there is no selection, or newer than the list. Throws an Error with the problem and the next step when the API server does not
 * answer.
 */
export async function absenceOf(question: AbsenceQuestion): Promise<Sighting | undefined> {
  const { known, listVersion, epoch } = question;
  if (known === undefined || known.absence) return undefined;
  if (compareResourceVersions(known.resourceVersion, versionIn(epoch, listVersion)) > 0) return undefined;
  const current = await readObject(question);
  const isThere = current?.metadata.uid === known.uid;
  if (isThere && !question.resource.selects) return undefined;
  return { type: "absent", uid: known.uid, resourceVersion: listVersion, epoch, isThere };
}

/** To a watch with a selection, an object that leaves it looks deleted: tells which it was. Throws as `absenceOf` does. */
export async function departureOf(question: ObjectQuestion, sighting: Deletion): Promise<Sighting> {
  const current = await readObject(question);
  const { uid } = sighting.object.metadata;
  return current?.metadata.uid === uid ? { ...sighting, type: "unselected" } : sighting;
}

/**
 * Whether an object that the log does not know has come into the selection, and is older than that: when it comes live, it was written
 * after its creation; in a list, it is older than what was captured last (`capturedUntil`, epoch milliseconds).
 */
export function hasEntered(resource: WatchedResource, { metadata }: KubeObject, capturedUntil?: number): boolean {
  if (!resource.selects) return false;
  const createdAtMs = Date.parse(metadata.creationTimestamp ?? "");
  if (Number.isNaN(createdAtMs)) return false;
  if (capturedUntil !== undefined) return createdAtMs < capturedUntil - CLOCK_SKEW_MS_MAX;
  return (metadata.managedFields ?? []).some(({ time }) => Date.parse(time ?? "") > createdAtMs);
}

/** As `readObject`, but only an object that is in the selection of its watch: the API server itself judges that. */
export async function readSelected(question: ObjectQuestion): Promise<KubeObject | undefined> {
  const { apiServer, resource, key, signal } = question;
  if (!resource.selects) return await readObject(question);
  const { namespace, name } = parseObjectSubject(key);
  const { labelSelector, fieldSelector } = selectorQuery(resource);
  const query = {
    ...(labelSelector && { labelSelector }),
    fieldSelector: [`metadata.name=${name}`, ...(fieldSelector ? [fieldSelector] : [])].join(","),
  };
  const path = resourcePath({ ...resource, namespace: namespace || undefined });
  try {
    const { items } = await apiServer.json<{ readonly items: readonly KubeObject[] | null }>(path, { signal, query });
    const [found] = items ?? [];
    if (found === undefined) return undefined;
    // A list leaves them out of its items.
    return resource.redaction.redact({ ...found, apiVersion: apiVersionOf(resource), kind: resource.kind });
  } catch (error) {
    throw new Error(describeProblem(error, resource), { cause: error });
  }
}

/**
 * A consistent read (a GET without resourceVersion); `undefined` when the object is not there. Throws as `absenceOf` does.
 */
export async function readObject({
  apiServer,
  resource,
  key,
  signal,
}: ObjectQuestion): Promise<KubeObject | undefined> {
  try {
    const object = await apiServer.json<KubeObject>(resourcePath(resource, parseObjectSubject(key)), { signal });
    return resource.redaction.redact(object);
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw new Error(describeProblem(error, resource), { cause: error });
  }
}
