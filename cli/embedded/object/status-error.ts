/**
 * What the API server answers when it refuses: a Status object with the code, reason, message and details that clients act upon.
 * Source: apimachinery `pkg/api/errors`, `pkg/apis/meta/v1/types.go` (StatusReason, CauseType).
 */
import type { JsonObject } from "./object.ts";

/** One thing that is wrong, and where. */
export interface StatusCause extends JsonObject {
  /** Such as `FieldValueInvalid`, `FieldValueRequired`, `FieldValueTypeInvalid`, `FieldManagerConflict`. */
  readonly reason: string;
  readonly message: string;
  /** `spec.replicas`, `spec.list[0].name`; `<nil>` for the object as a whole. */
  readonly field?: string;
}

/** The parts of a kind that messages and details name. */
export interface NamedKind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
}

interface StatusDetails extends JsonObject {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** A refusal; the boundary of the server answers `status` with its code. */
export class StatusError extends Error {
  readonly code = "STATUS";
  override readonly name = "StatusError";
  readonly status: JsonObject & { readonly code: number };
  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message,
      ...(reason && { reason }),
      ...(details && { details }),
      code,
    };
  }
}

const details = ({ group, plural }: NamedKind, name: string) => ({
  ...(name && { name }),
  ...(group && { group }),
  kind: plural,
});
const qualified = ({ group, plural }: NamedKind) => (group === "" ? plural : `${plural}.${group}`);

/** 404: there is no object of this name. */
export function notFound(kind: NamedKind, name: string): StatusError {
  return new StatusError(404, "NotFound", `${qualified(kind)} "${name}" not found`, details(kind, name));
}

/** 404: the server serves nothing at this path. */
export function pathNotFound(): StatusError {
  return new StatusError(404, "NotFound", "the server could not find the requested resource", {});
}

/** 409: the name is taken, also by an object that is being deleted and not gone yet. */
export function alreadyExists(kind: NamedKind, name: string, isTerminating = false): StatusError {
  const message = `${isTerminating ? "object is being deleted: " : ""}${qualified(kind)} "${name}" already exists`;
  return new StatusError(409, "AlreadyExists", message, details(kind, name));
}

/** 409: somebody else was faster, or owns what is to be applied. */
export function conflict(kind: NamedKind, name: string, why: string): StatusError {
  const message = `Operation cannot be fulfilled on ${qualified(kind)} "${name}": ${why}`;
  return new StatusError(409, "Conflict", message, details(kind, name));
}

/** 409 of server-side apply: other managers own fields that are to be changed. The causes of one manager stand together. */
export function applyConflict(causes: readonly StatusCause[]): StatusError {
  const owners = [...new Set(causes.map(({ message }) => message))];
  const listed = owners.flatMap((owner) => [
    `${owner.replace("conflict", "conflicts")}:`,
    ...causes.filter(({ message }) => message === owner).map(({ field }) => `- ${field}`),
  ]);
  const [first] = causes;
  const message =
    causes.length === 1
      ? `Apply failed with 1 conflict: ${first?.message}: ${first?.field}`
      : `Apply failed with ${causes.length} conflicts: ${listed.join("\n")}`;
  return new StatusError(409, "Conflict", message, { causes });
}

/** 422: the object breaks its schema or a rule; `group` is the API group, `kind` the kind here. */
export function invalid({ group, kind }: NamedKind, name: string, causes: readonly StatusCause[]): StatusError {
  const listed = causes.map(({ field, message }) =>
    field === undefined || field === "<nil>" ? message : `${field}: ${message}`,
  );
  const problems = listed.length === 1 ? listed[0] : `[${listed.join(", ")}]`;
  const title = group === "" ? kind : `${kind}.${group}`;
  return new StatusError(422, "Invalid", `${title} "${name}" is invalid: ${problems}`, {
    ...(name && { name }),
    ...(group && { group }),
    kind,
    causes,
  });
}

/** 422: options of a request are not what they may be; `kind` is such as `CreateOptions`. */
export function invalidOptions(kind: string, causes: readonly StatusCause[]): StatusError {
  return invalid({ group: "meta.k8s.io", kind, plural: "" }, "", causes);
}

/** 409: the object is not the one that a deletion means. */
export function preconditionFailed({ group, kind }: NamedKind, name: string, why: string): StatusError {
  return conflict({ group, kind, plural: kind }, name, why);
}

/** 500: what the real server does not expect from its clients, either. */
export function unexpected(message: string): StatusError {
  return new StatusError(500, "", message);
}

/** 400. */
export function badRequest(message: string): StatusError {
  return new StatusError(400, "BadRequest", message);
}

/** 403. */
export function forbidden(kind: NamedKind, name: string, why: string): StatusError {
  return new StatusError(403, "Forbidden", `${qualified(kind)} "${name}" is forbidden: ${why}`, details(kind, name));
}

/** 410: the resourceVersion or continue token is older than the history. */
export function expired(message: string): StatusError {
  return new StatusError(410, "Expired", message);
}

/** 504: the server is not yet where the client wants it to be. */
export function tooLargeResourceVersion(asked: number, current: number): StatusError {
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  return new StatusError(504, "Timeout", `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes,
    retryAfterSeconds: 1,
  });
}

/** 405. */
export function methodNotAllowed(): StatusError {
  return new StatusError(
    405,
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {},
  );
}

/** 406. */
export function notAcceptable(accepted: readonly string[]): StatusError {
  return new StatusError(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

/** 415. */
export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );
}

/** 413. */
export function bodyTooLarge(bytesMax: number): StatusError {
  return new StatusError(413, "RequestEntityTooLarge", `Request entity too large: limit is ${bytesMax}`);
}
