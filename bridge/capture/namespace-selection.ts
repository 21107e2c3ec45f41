/**
 * Namespaces by their labels: an entry with a `namespaceSelector` means those that match now, each with a watch of its own, so that beyond
 * listing namespaces the bridge needs permissions in those alone. While they cannot be listed, those that were found last stay: an error
 * stops no watch.
 */
import type { ApiServer } from "../kube/api-server.ts";
import { metadataPages } from "../kube/metadata-list.ts";
import { problemOf, type WatchProblem } from "../kube/problem.ts";
import type { ResourceEntry } from "./resource-entry.ts";

/** The entries with their namespaces. */
export interface NamespaceSelection {
  readonly entries: readonly ResourceEntry[];
  /** Entries whose namespaces are not known now. */
  readonly unknown: readonly ResourceEntry[];
}

/** Selects once; tells `onProblem` why namespaces are not known. Throws only when `signal` aborts. */
export type SelectNamespaces = (
  entries: readonly ResourceEntry[],
  signal: AbortSignal,
  onProblem: (entry: ResourceEntry, found: WatchProblem) => void,
) => Promise<NamespaceSelection>;

const NAMESPACES = { group: "", version: "v1", plural: "namespaces", namespace: undefined } as const;

/** Remembers what each selector has found last. */
export function createNamespaceSelection(apiServer: ApiServer): SelectNamespaces {
  const last = new Map<string, readonly string[]>();
  return async (entries, signal, onProblem) => {
    const found: ResourceEntry[] = [];
    const unknown: ResourceEntry[] = [];
    for (const entry of entries) {
      const { namespaceSelector } = entry;
      if (namespaceSelector === undefined) {
        found.push(entry);
        continue;
      }
      try {
        last.set(namespaceSelector, await readNamespaces(apiServer, namespaceSelector, signal));
      } catch (error) {
        signal.throwIfAborted();
        onProblem(entry, problemOf(error, NAMESPACES));
        unknown.push(entry);
      }
      found.push({ ...entry, namespaces: [...(last.get(namespaceSelector) ?? [])] });
    }
    return { entries: found, unknown };
  };
}

async function readNamespaces(apiServer: ApiServer, labelSelector: string, signal: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  for await (const { items } of metadataPages({ apiServer, resource: { ...NAMESPACES, labelSelector }, signal }))
    names.push(...(items ?? []).map(({ metadata }) => metadata.name));
  return names;
}
