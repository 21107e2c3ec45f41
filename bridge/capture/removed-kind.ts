/**
 * Kinds that have left the cluster while nobody watched: with its CustomResourceDefinition every object of a kind is gone, so each one that
 * the log knows alive is told as deleted, with a gap. A kind counts as gone when no version of its group has it and its definition is not
 * there, and only if the configuration still means it: what was taken out of the configuration is not deleted.
 * Source: DESIGN "The bridge" (a deletion is inferred); Kubernetes deletes the objects of a definition before the definition itself.
 */
import { ApiStatusError } from "../kube/api-server.ts";
import type { Catalog } from "../kube/catalog.ts";
import { groupOf } from "../kube/kube-object.ts";
import { type CheckpointedWatch, forgetCheckpoint, loadCheckpoints } from "../log/checkpoint.ts";
import { epochOf, resourceVersionOf } from "../log/epoch.ts";
import { readKnown } from "../log/event-log.ts";
import { createStore, type Store } from "../log/store.ts";
import { configuredResource } from "./configured-resource.ts";
import { createLanes } from "./lane.ts";
import { newestOf } from "./progress.ts";
import { createPublisher } from "./publisher.ts";
import { clusterKeys, resourceSubjects, resourceTitle } from "./resource.ts";
import { meansKind, type ResourceEntry } from "./resource-entry.ts";
import type { WantedWatch } from "./selection.ts";
import type { WatchContext } from "./watch.ts";

/** Objects told at once: gentle, because nothing is urgent about the dead. */
const AT_ONCE = 64;

/** Tells the objects of all such kinds. Throws when the API server or NATS does not answer; what was told is not told again. */
export async function tellRemovedKinds(
  context: WatchContext,
  catalog: Catalog,
  watches: readonly WantedWatch[],
): Promise<void> {
  const { jetStream, config } = context;
  for (const [key, { watch }] of await loadCheckpoints(jetStream, clusterKeys(config.cluster))) {
    if (watch === undefined) continue; // saved by an older version, which did not say what it watched
    const group = groupOf(watch.apiVersion);
    const isSame = (other: WantedWatch) =>
      groupOf(other.resource.apiVersion) === group && other.resource.plural === watch.plural;
    const entry = config.resources.find((each) => meansKind(each, group, watch.kind));
    if (entry === undefined || watches.some(isSame) || catalog.has(group, watch.plural)) continue;
    if (!(await isDefinitionGone(context, watch.plural, group))) continue;
    await tellDeletions(context, entry, watch);
    await forgetCheckpoint(jetStream, key);
  }
}

/** Who may not read definitions has what the API server serves to go by. */
async function isDefinitionGone({ apiServer, signal }: WatchContext, plural: string, group: string): Promise<boolean> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${plural}.${group}`;
  try {
    await apiServer.json(path, { signal });
    return false;
  } catch (error) {
    if (error instanceof ApiStatusError && [403, 404].includes(error.status)) return true;
    throw error;
  }
}

async function tellDeletions(context: WatchContext, entry: ResourceEntry, watch: CheckpointedWatch): Promise<void> {
  const { config, redactionKeys, log, logger, signal } = context;
  const wanted = { entry, resource: watch, namespace: watch.namespace };
  const resource = configuredResource(config, wanted, { redactionKeys });
  const store = createStore(config.stateBytesMax);
  await readKnown(log, resourceSubjects(resource), store, signal);
  signal.throwIfAborted(); // the index ends early then
  const newest = newestOf(store);
  if (newest === undefined) return;
  const publisher = createPublisher({ ...context, resource, store, onStored: () => undefined });
  const lanes = createLanes(AT_ONCE);
  const version = { resourceVersion: resourceVersionOf(newest), epoch: epochOf(newest) };
  const alive = aliveIn(store);
  for (const [object, uid] of alive)
    await lanes.enqueue(object, () => publisher.publish(object, { type: "absent", uid, ...version }));
  await lanes.idle();
  if (alive.length === 0) return;
  logger.warn(
    { resource: resourceTitle(resource), objects: alive.length },
    "its CustomResourceDefinition is gone, and with it every object: they are told as deleted",
  );
}

function aliveIn(store: Store): (readonly [object: string, uid: string])[] {
  return [...store.entries()].flatMap(([object, { uid, absence }]) => (absence ? [] : [[object, uid] as const]));
}
