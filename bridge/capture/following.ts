/**
 * Keeps the watches at what the configuration asks for while the API server's kinds come, change and go: a new kind is watched within
 * seconds, one that is read in another version goes on in it, one that is gone is watched no more, and how lists are compared follows
 * each kind's schema.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { createBackoff, REFLECTOR_BACKOFF } from "../backoff.ts";
import { type Catalog, createCatalogReader, LOOK_MS } from "../kube/catalog.ts";
import { discover } from "../kube/discovery.ts";
import { groupOf } from "../kube/kube-object.ts";
import { COMMON_SHAPE } from "../kube/list-shape.ts";
import { problemOf, type WatchProblem } from "../kube/problem.ts";
import { createSchemaPublishing } from "../schema/kind-schema-publishing.ts";
import type { CaptureState } from "./capture-state.ts";
import { createNamespaceSelection } from "./namespace-selection.ts";
import { tellRemovedKinds } from "./removed-kind.ts";
import { isPattern, meansGroup, type ResourceEntry } from "./resource-entry.ts";
import { type Selection, selectWatches, type WantedWatch, watchesOf } from "./selection.ts";
import { type FollowedKind, keepWatching, type WatchContext } from "./watch.ts";
import { createWatchSet } from "./watch-set.ts";

/** While a kind that is named is not served, it is looked for as often as this. */
const MISSING_LOOK_MS = 2_000;

/** Runs until `signal` of the context aborts and every watch has ended. */
export async function followResources(context: WatchContext): Promise<void> {
  const { apiServer, config, logger, states, signal } = context;
  const reader = createCatalogReader(apiServer, (group) => config.resources.some((entry) => meansGroup(entry, group)));
  const kinds = new Map<string, FollowedKind>();
  const watches = createWatchSet(
    (wanted, until) => keepWatching(context, wanted, kindOf(kinds, wanted), until),
    signal,
  );
  const tell = createTeller(context);
  const selectNamespaces = createNamespaceSelection(apiServer);
  const schemas = createSchemaPublishing(context);
  const backoff = createBackoff(REFLECTOR_BACKOFF);
  let isOneGone = true; // perhaps before this process
  let isFirstLook = true;
  const follow = async () => {
    for (let attempt = 1; !signal.aborted; ) {
      try {
        const catalog = await reader.look(signal);
        const { entries, unknown } = await selectNamespaces(config.resources, signal, tell.missing);
        const selection = await withOthers(context, selectWatches(entries, catalog), tell.missing);
        // A kind without a namespace that matches is there all the same: it is not new when one does.
        const meant = [...selectWatches(config.resources, catalog).watches, ...selection.watches];
        await followKinds(kinds, catalog, meant, isFirstLook);
        schemas.follow(catalog, meant);
        isFirstLook = false;
        isOneGone = watches.reconcile(selection.watches) || isOneGone;
        tell.selection({ ...selection, missing: [...selection.missing, ...unknown] });
        if (isOneGone) await tellRemovedKinds(context, catalog, selection.watches);
        isOneGone = false;
        attempt = 1;
        await sleep(selection.missing.length > 0 ? MISSING_LOOK_MS : LOOK_MS, undefined, { signal });
      } catch (error) {
        if (signal.aborted) break;
        const found = problemOf(error, { plural: "the API server's kinds", group: "", namespace: undefined });
        logger.warn({ attempt }, found.problem);
        // Until the first look there is no watch that could say so.
        if (states.size === 0 || attempt > 1) states.set("kinds", { type: "waiting", ...found, attempt });
        attempt++;
        await backoff.wait(signal).catch(() => undefined);
      }
    }
    await watches.ended();
  };
  await Promise.race([follow(), watches.failed]);
}

/** What the catalog does not have may be served all the same: by an aggregated API without an OpenAPI document. */
async function withOthers(
  { apiServer, signal }: WatchContext,
  { watches, missing }: Selection,
  onMissing: (entry: ResourceEntry, found: WatchProblem) => void,
): Promise<Selection> {
  const found: WantedWatch[] = [];
  const still: ResourceEntry[] = [];
  for (const entry of missing) {
    const title = `${entry.kind} of ${entry.apiVersion}`;
    try {
      const resource = await discover(apiServer, entry.apiVersion, entry.kind, signal);
      if (resource !== undefined) {
        found.push(...watchesOf(entry, { ...resource, apiVersion: entry.apiVersion, kind: entry.kind }));
        continue;
      }
      onMissing(entry, {
        reason: "not-served",
        problem: `${title} is not served: waiting for its CustomResourceDefinition (check apiVersion and kind if it should be there)`,
      });
    } catch (error) {
      signal.throwIfAborted();
      onMissing(entry, problemOf(error, { plural: title, group: "", namespace: undefined }));
    }
    still.push(entry);
  }
  return { watches: [...watches, ...found], missing: still };
}

/** Brings what is known of the kinds up to date; one that was not there at the first look has come since. */
async function followKinds(
  kinds: Map<string, FollowedKind>,
  catalog: Catalog,
  watches: readonly WantedWatch[],
  isFirstLook: boolean,
): Promise<void> {
  const found = new Map<string, FollowedKind>();
  for (const { resource } of watches) {
    const key = `${resource.apiVersion}/${resource.kind}`;
    const known = kinds.get(key);
    const isNew = known?.isNew ?? (!isFirstLook && !isKnownIn(kinds, resource));
    const shape = known?.shape ?? { current: COMMON_SHAPE };
    shape.current = await catalog.shape(resource);
    found.set(key, { shape, isNew });
  }
  kinds.clear(); // one that comes back is new again
  for (const [key, kind] of found) kinds.set(key, kind);
}

/** In whatever version: one that is read in another version now is not new. */
function isKnownIn(kinds: ReadonlyMap<string, FollowedKind>, { apiVersion, kind }: WantedWatch["resource"]): boolean {
  return [...kinds.keys()].some((key) => groupOf(key) === groupOf(apiVersion) && key.endsWith(`/${kind}`));
}

/** Shared by the watches of all its namespaces. */
function kindOf(kinds: ReadonlyMap<string, FollowedKind>, { resource }: WantedWatch): FollowedKind {
  return kinds.get(`${resource.apiVersion}/${resource.kind}`) ?? { shape: { current: COMMON_SHAPE }, isNew: false };
}

/** Says once what is new, and keeps /readyz up to date about what is missing. */
function createTeller({ logger, states, metrics }: WatchContext) {
  const missing = new Map<string, string>();
  const scopeless = new Set<string>();
  const titleOf = ({ apiVersion, kind }: Pick<ResourceEntry, "apiVersion" | "kind">) => `${kind} of ${apiVersion}`;
  return {
    missing(entry: ResourceEntry, found: WatchProblem) {
      const title = titleOf(entry);
      if (missing.get(title) !== found.problem) logger.warn({ resource: title, attempt: 1 }, found.problem);
      missing.set(title, found.problem);
      const state: CaptureState = { type: "waiting", ...found, attempt: 1 };
      states.set(title, state);
      metrics.state(title, state);
    },
    selection({ watches, missing: still }: Selection) {
      states.delete("kinds");
      for (const title of missing.keys()) {
        if (still.some((entry) => titleOf(entry) === title)) continue;
        missing.delete(title);
        states.delete(title);
        metrics.state(title, { type: "watching" }); // by the watches of its kind, under their own titles
        metrics.forget(title);
      }
      for (const { entry, resource } of watches) {
        if (resource.namespaced || entry.namespaces === undefined || isPattern(entry) || scopeless.has(entry.kind))
          continue;
        scopeless.add(entry.kind);
        logger.warn(`${entry.kind} is cluster-scoped: its namespaces count for nothing; leave them out of its entry`);
      }
    },
  };
}
