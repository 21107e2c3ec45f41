/**
 * Reads and writes objects by the API server's rules, one at a time: existence, preconditions, the rules of `strategy.ts`, field
 * managers, finalizers. A write that changes nothing writes nothing; a dry run does everything but the write.
 * Source: apiserver `pkg/registry/generic/registry/store.go`; Kubernetes API concepts, "Dry-run", "Server-side apply".
 */
import { isDeepStrictEqual } from "node:util";
import { applyConfiguration } from "../field/apply.ts";
import { recordUpdate } from "../field/managed-fields.ts";
import { withManagedFields, withoutNewTimes } from "../field/managers.ts";
import { requireMortal } from "../kind/built-in-rule.ts";
import { type ResourceKind, storageKeyOf } from "../object/kind.ts";
import { deletionProblems } from "../object/metadata.ts";
import { type JsonObject, type KubeObject, kubeTime, withMetadata } from "../object/object.ts";
import { alreadyExists, notFound, unexpected } from "../object/status-error.ts";
import { heldObject, isReleased, removedStatus, terminatingObject } from "./deletion.ts";
import { requireNamespace, requirePreconditions, requireSame, requireVersion } from "./precondition.ts";
import type { ObjectKey, Storage } from "./storage.ts";
import { born, changed, check, enforce, type Given, presented, storable } from "./strategy.ts";
import type { Address, RemoveOptions, WriteForm, WriteOptions, Written } from "./write.ts";

/** As the API server: more draws would not help where so many names are taken. */
const NAME_DRAWS_MAX = 8;

/** The rules over the storage. Each method throws StatusError. */
export interface Registry {
  get(address: Address): KubeObject;
  create(address: Omit<Address, "name" | "subresource">, given: Given, options: WriteOptions): Written;
  /** Replaces the object by what `next` makes of its present state. */
  update(address: Address, next: (current: KubeObject) => KubeObject, options: WriteOptions, form?: WriteForm): Written;
  /** A PUT; some kinds are created by it. */
  replace(address: Address, given: Given, options: WriteOptions): Written;
  /** Server-side apply. */
  apply(address: Address, applied: KubeObject, options: WriteOptions & { readonly force: boolean }): Written;
  /** Answers the object while finalizers hold it, else a Status. */
  remove(address: Address, options: RemoveOptions): JsonObject;
}

/** Opens the registry. `now` is the clock, in epoch milliseconds. */
export function createRegistry(storage: Storage, now: () => number): Registry {
  const find = (address: Address) => storage.get(keyOf(address));
  const existing = (address: Address): KubeObject => {
    const object = find(address);
    if (object === undefined) throw notFound(address.kind, address.name);
    return object;
  };

  /** A generated name that is taken is drawn anew, as Kubernetes does since 1.31 (KEP-4420). */
  function bornUnderAFreeName(kind: ResourceKind, given: KubeObject, namespace: string): KubeObject {
    for (let draw = 1; ; draw++) {
      const object = born(kind, given, namespace, now());
      const address: Address = { kind, namespace, name: object.metadata.name, subresource: "" };
      if (given.metadata.name || draw === NAME_DRAWS_MAX || find(address) === undefined) return object;
    }
  }

  function create(
    { kind, namespace }: Omit<Address, "name" | "subresource">,
    given: Given,
    options: WriteOptions,
    isApply = false,
  ): Written {
    if (/^[1-9]\d*$/.test(given.object.metadata.resourceVersion ?? ""))
      throw unexpected("resourceVersion should not be set on objects to be created");
    const { object: enforced, warnings } = enforce(kind, given, options.fieldValidation, "body");
    const object = bornUnderAFreeName(kind, enforced, namespace);
    if (kind.namespaced) requireNamespace(storage, kind, namespace, object.metadata.name);
    check(kind, object);
    const address: Address = { kind, namespace, name: object.metadata.name, subresource: "" };
    const taken = find(address);
    if (taken !== undefined)
      throw alreadyExists(kind, object.metadata.name, taken.metadata.deletionTimestamp !== undefined);
    const labelled = withMetadata(enforced, { labels: object.metadata.labels });
    const managed = withManagedFields(
      object,
      isApply
        ? (given.object.metadata.managedFields ?? [])
        : recordUpdate({ ...manager(address, options), before: undefined, after: labelled }),
    );
    const stored = storable(kind, managed);
    return { created: true, warnings, object: options.dryRun ? stored : storage.put(keyOf(address), stored) };
  }

  /** The part of every write to something that is there. `managedFields` are given by an apply, which has computed them. */
  function store(
    address: Address,
    current: KubeObject,
    given: Given,
    options: WriteOptions,
    form: WriteForm | "apply",
  ): Written {
    const { kind, name, subresource } = address;
    requireSame(address, current, given.object, form);
    const { object: enforced, warnings } = enforce(kind, given, options.fieldValidation, form);
    const before = presented(kind, current);
    const after = changed(kind, enforced, before, subresource);
    check(kind, after, before, deletionProblems(given.object, current));
    const managedFields =
      form === "apply"
        ? (given.object.metadata.managedFields ?? [])
        : recordUpdate({ ...manager(address, options), before, after: enforced });
    const object = storable(kind, withoutNewTimes(withManagedFields(after, managedFields), current));
    if (isDeepStrictEqual(object, current)) return { created: false, object: current, warnings };
    if (options.dryRun) return { created: false, object, warnings };
    const stored = isReleased(kind, object) ? storage.remove(keyOf(address)) : storage.put(keyOf(address), object);
    if (stored === undefined) throw notFound(kind, name);
    return { created: false, object: isReleased(kind, object) ? object : stored, warnings };
  }

  const manager = ({ kind, subresource }: Address, options: WriteOptions) => ({
    kind,
    manager: options.manager,
    subresource,
    time: kubeTime(now()),
  });

  return {
    get: (address) => presented(address.kind, existing(address)),
    create: (address, given, options) => create(address, given, options),
    update(address, next, options, form = "patch") {
      const current = existing(address);
      const object = next(presented(address.kind, current));
      return store(address, current, { object, duplicates: [] }, options, form);
    },
    replace(address, given, options) {
      const { object } = given;
      const current = find(address);
      if (current === undefined) {
        if (!address.kind.createsOnUpdate || address.subresource !== "") throw notFound(address.kind, address.name);
        return create(address, { ...given, object: withMetadata(object, { resourceVersion: undefined }) }, options);
      }
      requireVersion(address, object);
      return store(address, current, given, options, "body");
    },
    apply(address, applied, { force, ...options }) {
      const current = find(address);
      if (current === undefined && address.subresource !== "") throw notFound(address.kind, address.name);
      const { object } = applyConfiguration({
        ...manager(address, options),
        current: current && presented(address.kind, current),
        applied,
        force,
      });
      const given: Given = { object, duplicates: [] };
      if (current === undefined) return create(address, given, options, true);
      return store(address, current, given, options, "apply");
    },
    remove(address, options) {
      const current = existing(address);
      const { kind } = address;
      requireMortal(kind, address.name);
      requirePreconditions(address, current, options);
      const held = heldObject(kind, current, options.propagation);
      if (isReleased(kind, held, true)) {
        if (!options.dryRun) storage.remove(keyOf(address));
        return removedStatus(address, current);
      }
      if (current.metadata.deletionTimestamp !== undefined) return presented(kind, current);
      const terminating = terminatingObject(kind, held, now());
      return presented(kind, options.dryRun ? terminating : storage.put(keyOf(address), terminating));
    },
  };
}

function keyOf({ kind, namespace, name }: Address): ObjectKey {
  return { resource: storageKeyOf(kind), namespace: kind.namespaced ? namespace : "", name };
}
