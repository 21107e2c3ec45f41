/**
 * What must hold before a write: the namespace is there, the object is the one that the client means and as it knows it.
 * Source: apiserver `pkg/registry/generic/registry/store.go` (Update, Delete); Kubernetes API conventions, "Concurrency control".
 */
import { NAMESPACE } from "../kind/built-in.ts";
import { type ResourceKind, storageKeyOf } from "../object/kind.ts";
import { isObject, type KubeObject } from "../object/object.ts";
import {
  conflict,
  forbidden,
  invalid,
  notFound,
  preconditionFailed,
  StatusError,
  unexpected,
} from "../object/status-error.ts";
import { invalidValue } from "../schema/schema-cause.ts";
import type { Storage } from "./storage.ts";
import type { Address, RemoveOptions, WriteForm } from "./write.ts";

/** Throws notFound, and forbidden while the namespace is being deleted. */
export function requireNamespace(storage: Storage, kind: ResourceKind, namespace: string, name: string): void {
  const found = storage.get({ resource: storageKeyOf(NAMESPACE), namespace: "", name: namespace });
  if (found === undefined) throw notFound(NAMESPACE, namespace);
  if (found.metadata.deletionTimestamp === undefined) return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const refused = forbidden(kind, name, why);
  const details = isObject(refused.status["details"]) ? refused.status["details"] : {};
  const message = `namespace ${namespace} is being terminated`;
  const causes = [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }];
  throw new StatusError(403, "Forbidden", refused.message, { ...details, causes });
}

/** The built-in kinds that somebody always means to change as a whole. */
const VERSION_REQUIRED: readonly string[] = ["Lease", "CustomResourceDefinition"];

/** Throws invalid when a PUT does not name the resourceVersion that it replaces, where it has to. */
export function requireVersion({ kind, name }: Address, { metadata }: KubeObject): void {
  if (metadata.resourceVersion || (!kind.custom && !VERSION_REQUIRED.includes(kind.kind))) return;
  const cause = invalidValue("metadata.resourceVersion", 0, "must be specified for an update");
  throw invalid({ ...kind, kind: kind.plural }, name, [cause]);
}

/** An update is of the object that it was made from: the same uid, and the resourceVersion if it names one. Throws StatusError. */
export function requireSame(address: Address, current: KubeObject, given: KubeObject, form: WriteForm | "apply"): void {
  const { kind, name } = address;
  const { uid, resourceVersion } = given.metadata;
  if (resourceVersion && !/^\d+$/.test(resourceVersion))
    throw unexpected(`strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  const isOther = uid !== undefined && uid !== "" && uid !== current.metadata.uid;
  if (isOther && form !== "body") {
    throw invalid(kind, name, [invalidValue("metadata.uid", uid, "field is immutable")]);
  }
  if (isOther)
    throw conflict(
      kind,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== current.metadata.resourceVersion)
    throw conflict(
      kind,
      name,
      "the object has been modified; please apply your changes to the latest version and try again",
    );
}

/** Throws the conflict of a deletion that means another object, or another state of it. */
export function requirePreconditions({ kind, name }: Address, current: KubeObject, options: RemoveOptions): void {
  const { uid, resourceVersion } = current.metadata;
  if (options.uid !== undefined && options.uid !== uid)
    throw preconditionFailed(
      kind,
      name,
      `the UID in the precondition (${options.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  if (options.resourceVersion !== undefined && options.resourceVersion !== resourceVersion)
    throw preconditionFailed(
      kind,
      name,
      `the ResourceVersion in the precondition (${options.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
}
