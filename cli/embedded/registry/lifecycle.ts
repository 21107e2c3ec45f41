/**
 * What controllers do in a cluster, as far as the API server is no use without it: a CustomResourceDefinition is established and
 * takes its objects with it when it goes; a namespace that is deleted is emptied and then goes. Nothing else runs here: owners
 * are not garbage collected, and no operator brings a Database up.
 * Source: apiextensions-apiserver `pkg/controller/{establish,finalizer}`; kube-controller-manager's namespace controller.
 */
import { isDeepStrictEqual } from "node:util";
import { CUSTOM_RESOURCE_DEFINITION, FIRST_NAMESPACES, NAMESPACE } from "../kind/built-in.ts";
import { kindsOf } from "../kind/crd.ts";
import { CLEANUP, hasCondition, liveStatus, terminatingStatus } from "../kind/crd-status.ts";
import { type ResourceKind, storageKeyOf } from "../object/kind.ts";
import { isObject, type Json, type KubeObject, withMetadata } from "../object/object.ts";
import type { Catalog } from "./catalog.ts";
import type { Registry } from "./registry.ts";
import type { ObjectKey, Revision, Storage } from "./storage.ts";
import { born } from "./strategy.ts";

const NAMESPACES = storageKeyOf(NAMESPACE);
const DEFINITIONS = storageKeyOf(CUSTOM_RESOURCE_DEFINITION);
/** Starts following the storage, and makes the namespaces that every cluster has. */
export function startLifecycle(storage: Storage, catalog: Catalog, registry: Registry, now: () => number): void {
  let isDue = false;
  const settleSoon = () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      settle();
    });
  };
  /** A write of our own must not come between a write and those who hear of it: everything is done when that is over. */
  storage.subscribe((revision) => {
    if (concerns(revision)) settleSoon();
  });
  const concerns = ({ key, type }: Revision) =>
    key.resource === NAMESPACES || key.resource === DEFINITIONS || type === "deleted";
  const settle = () => {
    for (const { object } of storage.list(DEFINITIONS, undefined)) settleDefinition(object);
    for (const { object } of storage.list(NAMESPACES, undefined)) settleNamespace(object);
  };

  function settleDefinition(crd: KubeObject): void {
    const { name, deletionTimestamp, finalizers = [] } = crd.metadata;
    if (deletionTimestamp !== undefined) {
      if (finalizers.includes(CLEANUP)) settleTerminating(crd);
      return;
    }
    const definitions = storage.list(DEFINITIONS, undefined).map(({ object }) => object);
    const others = definitions.filter((other) => other.metadata.name !== name && groupOf(other) === groupOf(crd));
    const status = liveStatus(crd, others, now());
    if (!isDeepStrictEqual(crd["status"], status)) storage.put(definitionKey(crd), { ...crd, status });
  }

  /** The objects go first: while finalizers hold one of them, the definition stays, and says so. */
  function settleTerminating(crd: KubeObject): void {
    const { finalizers = [] } = crd.metadata;
    if (hasCondition(crd, "Established")) {
      const [kind] = kindsOf(crd);
      const status = terminatingStatus(crd, now());
      if (!isDeepStrictEqual(crd["status"], status)) return void storage.put(definitionKey(crd), { ...crd, status });
      if (kind !== undefined) removeAll(kind, undefined);
      if (kind !== undefined && storage.list(storageKeyOf(kind), undefined).length > 0) return;
    }
    if (finalizers.length === 1) storage.remove(definitionKey(crd));
    else
      storage.put(definitionKey(crd), withMetadata(crd, { finalizers: finalizers.filter((each) => each !== CLEANUP) }));
  }

  function settleNamespace(namespace: KubeObject): void {
    const { name, deletionTimestamp } = namespace.metadata;
    if (deletionTimestamp === undefined) return;
    const key: ObjectKey = { resource: NAMESPACES, namespace: "", name };
    const kinds = catalog.kinds().filter(({ namespaced }) => namespaced);
    for (const kind of kinds) removeAll(kind, name);
    if (kinds.some((kind) => storage.list(storageKeyOf(kind), name).length > 0)) return;
    if ((namespace.metadata.finalizers ?? []).length > 0) return;
    storage.put(key, { ...namespace, spec: {} });
    storage.remove(key);
  }

  function removeAll(kind: ResourceKind, within: string | undefined): void {
    for (const { object } of storage.list(storageKeyOf(kind), within)) {
      const { name, namespace = "", deletionTimestamp } = object.metadata;
      if (deletionTimestamp === undefined)
        registry.remove({ kind, namespace, name, subresource: "" }, { dryRun: false });
    }
  }

  for (const name of FIRST_NAMESPACES) {
    const object: KubeObject = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    storage.put({ resource: NAMESPACES, namespace: "", name }, born(NAMESPACE, object, "", now()));
  }
}

const definitionKey = ({ metadata }: KubeObject): ObjectKey => ({
  resource: DEFINITIONS,
  namespace: "",
  name: metadata.name,
});

function groupOf({ spec }: KubeObject): Json | undefined {
  return isObject(spec) ? spec["group"] : undefined;
}
