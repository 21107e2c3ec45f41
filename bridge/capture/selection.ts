/**
 * Which watches the configuration asks for, given what the API server serves: each kind in each of its namespaces once. A kind that is
 * named belongs to the entries that name it, any other to the first pattern that means it.
 */
import type { Catalog } from "../kube/catalog.ts";
import type { ServedResource } from "../kube/discovery.ts";
import { apiVersionOf, groupOf } from "../kube/kube-object.ts";
import { isSecret } from "./resource.ts";
import { isPattern, meansGroup, type ResourceEntry, versionOf } from "./resource-entry.ts";

/** A watch that is asked for. */
export interface WantedWatch {
  readonly entry: ResourceEntry;
  readonly resource: ServedResource;
  /** `undefined`: all namespaces, or a cluster-scoped kind. */
  readonly namespace: string | undefined;
}

/** What is asked for. */
export interface Selection {
  readonly watches: readonly WantedWatch[];
  /** Entries that name a kind which is not served. */
  readonly missing: readonly ResourceEntry[];
}

/** Selects. */
export function selectWatches(
  entries: readonly ResourceEntry[],
  catalog: Pick<Catalog, "find" | "preferred">,
): Selection {
  const watches: WantedWatch[] = [];
  const missing: ResourceEntry[] = [];
  const taken = new Set<string>();
  for (const entry of entries.filter((each) => !isPattern(each))) {
    const resource = catalog.find(entry.apiVersion, entry.kind);
    if (resource === undefined) missing.push(entry);
    else watches.push(...watchesOf(entry, resource));
    taken.add(kindKey(entry));
  }
  for (const entry of entries.filter(isPattern)) {
    const found = [...matching(entry, catalog)].filter((resource) => !taken.has(kindKey(resource)));
    watches.push(...found.flatMap((resource) => watchesOf(entry, resource)));
    for (const resource of found) taken.add(kindKey(resource));
  }
  return { watches, missing };
}

/** The watches of one kind. A cluster-scoped one is in no namespace: one watch sees all of it. */
export function watchesOf(entry: ResourceEntry, resource: ServedResource): WantedWatch[] {
  const namespaces = resource.namespaced ? (entry.namespaces ?? [undefined]) : [undefined];
  return [...new Set(namespaces)].map((namespace) => ({ entry, resource, namespace }));
}

function* matching(entry: ResourceEntry, catalog: Pick<Catalog, "find" | "preferred">): Generator<ServedResource> {
  const version = versionOf(entry);
  for (const resource of catalog.preferred) {
    const group = groupOf(resource.apiVersion);
    if (!meansGroup(entry, group) || isSecret(group, resource.kind)) continue;
    if (entry.kind !== "*" && entry.kind !== resource.kind) continue;
    if (version === undefined) yield resource;
    else {
      const found = catalog.find(apiVersionOf({ group, version }), resource.kind);
      if (found !== undefined) yield found;
    }
  }
}

/** A kind, whatever its version. */
function kindKey({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): string {
  return `${groupOf(apiVersion)}/${kind}`;
}
