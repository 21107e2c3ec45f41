/** The kinds that the server serves right now: the built-in ones, and those of the definitions in its storage. */
import { BUILT_IN_KINDS, CUSTOM_RESOURCE_DEFINITION } from "../kind/built-in.ts";
import { kindsOf } from "../kind/crd.ts";
import { hasCondition } from "../kind/crd-status.ts";
import { type ResourceKind, storageKeyOf } from "../object/kind.ts";
import { isObject, type KubeObject } from "../object/object.ts";
import type { Storage } from "./storage.ts";

/** Looks kinds up. */
export interface Catalog {
  /** All that are served, the built-in ones first. */
  kinds(): readonly ResourceKind[];
  find(group: string, version: string, plural: string): ResourceKind | undefined;
}

/** A catalog that follows the definitions in the storage. */
export function createCatalog(storage: Storage): Catalog {
  const definitions = storageKeyOf(CUSTOM_RESOURCE_DEFINITION);
  const made = new WeakMap<object, readonly ResourceKind[]>(); // by spec: a status or a label does not change the kinds
  let known: { readonly version: number; readonly kinds: readonly ResourceKind[] } | undefined;
  let changedAt = 0;
  storage.subscribe(({ key, resourceVersion }) => {
    if (key.resource === definitions) changedAt = resourceVersion;
  });

  const kindsOfCrd = (crd: KubeObject): readonly ResourceKind[] => {
    const spec = crd["spec"];
    if (!isObject(spec) || !hasCondition(crd, "Established")) return [];
    const kinds = made.get(spec) ?? kindsOf(crd);
    made.set(spec, kinds);
    return hasCondition(crd, "Terminating") ? kinds.map((kind) => ({ ...kind, isTerminating: true })) : kinds;
  };
  const kinds = () => {
    if (known?.version !== changedAt) {
      const custom = storage.list(definitions, undefined).flatMap(({ object }) => kindsOfCrd(object));
      known = { version: changedAt, kinds: [...BUILT_IN_KINDS, ...custom] };
    }
    return known.kinds;
  };
  return {
    kinds,
    find: (group, version, plural) =>
      kinds().find((kind) => kind.group === group && kind.version === version && kind.plural === plural),
  };
}
