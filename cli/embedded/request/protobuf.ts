/**
 * Bodies in Kubernetes' protobuf, which kubectl's own subcommands send (`create namespace|configmap|secret`, `auth can-i`) and do
 * not send again as JSON. A body of one of the kinds below becomes what the same object is in JSON; fields that are not known are
 * passed over, as the API server does.
 * Read here rather than with protobufjs (4 MB with long) or @bufbuild/protobuf (3 MB): both are well kept, but the tables below had
 * to be written for either, neither knows the envelope nor which zeros Go leaves out of JSON, and what they would spare is the
 * hundred lines of `protobuf-wire.ts`.
 * Source: generated.proto of apimachinery `meta/v1` and `runtime`, and of api `core/v1`, `coordination/v1`, `authorization/v1` and
 * `authentication/v1` (v1.36); apimachinery `pkg/runtime/serializer/protobuf`; apiserver `transformDecodeError`.
 */
import { apiVersionOf, type ResourceKind } from "../object/kind.ts";
import { isObject, type JsonObject } from "../object/object.ts";
import { badRequest, StatusError } from "../object/status-error.ts";
import { type ProtobufField, type ProtobufMessage, type ProtobufType, readMessage } from "./protobuf-wire.ts";

/** The media type of such a body. */
export const PROTOBUF = "application/vnd.kubernetes.protobuf";

const field = (name: string, type: ProtobufType): ProtobufField => ({ name, type });
const pointer = (name: string, type: ProtobufType): ProtobufField => ({ name, type, isPointer: true });
const text = (name: string): ProtobufField => field(name, "text");
const struct = (name: string, message: ProtobufMessage): ProtobufField => field(name, { message });
const list = (name: string, message: ProtobufMessage): ProtobufField => field(name, { list: { message } });
const texts = (name: string): ProtobufField => field(name, { list: "text" });
const textMap = (name: string): ProtobufField => field(name, { map: "text" });
const base64Map = (name: string): ProtobufField => field(name, { map: "base64" });

const OWNER_REFERENCE: ProtobufMessage = {
  1: text("kind"),
  3: text("name"),
  4: text("uid"),
  5: text("apiVersion"),
  6: pointer("controller", "flag"),
  7: pointer("blockOwnerDeletion", "flag"),
};
const MANAGED_FIELDS_ENTRY: ProtobufMessage = {
  1: text("manager"),
  2: text("operation"),
  3: text("apiVersion"),
  4: field("time", "time"),
  6: text("fieldsType"),
  7: field("fieldsV1", "fields-v1"),
  8: text("subresource"),
};
const OBJECT_META = struct("metadata", {
  1: text("name"),
  2: text("generateName"),
  3: text("namespace"),
  5: text("uid"),
  6: text("resourceVersion"),
  7: field("generation", "int64"),
  8: field("creationTimestamp", "time"),
  9: field("deletionTimestamp", "time"),
  10: pointer("deletionGracePeriodSeconds", "int64"),
  11: textMap("labels"),
  12: textMap("annotations"),
  13: list("ownerReferences", OWNER_REFERENCE),
  14: texts("finalizers"),
  17: list("managedFields", MANAGED_FIELDS_ENTRY),
});

const CONFIG_MAP: ProtobufMessage = {
  1: OBJECT_META,
  2: textMap("data"),
  3: base64Map("binaryData"),
  4: pointer("immutable", "flag"),
};
const SECRET: ProtobufMessage = {
  1: OBJECT_META,
  2: base64Map("data"),
  3: text("type"),
  4: textMap("stringData"),
  5: pointer("immutable", "flag"),
};
const NAMESPACE_CONDITION: ProtobufMessage = {
  1: text("type"),
  2: text("status"),
  4: field("lastTransitionTime", "time"),
  5: text("reason"),
  6: text("message"),
};
const NAMESPACE: ProtobufMessage = {
  1: OBJECT_META,
  2: struct("spec", { 1: texts("finalizers") }),
  3: struct("status", { 1: text("phase"), 2: list("conditions", NAMESPACE_CONDITION) }),
};
const OBJECT_REFERENCE: ProtobufMessage = {
  1: text("kind"),
  2: text("namespace"),
  3: text("name"),
  4: text("uid"),
  5: text("apiVersion"),
  6: text("resourceVersion"),
  7: text("fieldPath"),
};
const EVENT: ProtobufMessage = {
  1: OBJECT_META,
  2: struct("involvedObject", OBJECT_REFERENCE),
  3: text("reason"),
  4: text("message"),
  5: struct("source", { 1: text("component"), 2: text("host") }),
  6: field("firstTimestamp", "time"),
  7: field("lastTimestamp", "time"),
  8: field("count", "int32"),
  9: text("type"),
  10: field("eventTime", "micro-time"),
  11: struct("series", { 1: field("count", "int32"), 2: field("lastObservedTime", "micro-time") }),
  12: text("action"),
  13: struct("related", OBJECT_REFERENCE),
  14: text("reportingComponent"),
  15: text("reportingInstance"),
};
const LEASE: ProtobufMessage = {
  1: OBJECT_META,
  2: struct("spec", {
    1: pointer("holderIdentity", "text"),
    2: pointer("leaseDurationSeconds", "int32"),
    3: field("acquireTime", "micro-time"),
    4: field("renewTime", "micro-time"),
    5: pointer("leaseTransitions", "int32"),
    6: pointer("strategy", "text"),
    7: pointer("preferredHolder", "text"),
  }),
};
const REQUIREMENT: ProtobufMessage = { 1: text("key"), 2: text("operator"), 3: texts("values") };
const SELECTOR: ProtobufMessage = { 1: text("rawSelector"), 2: list("requirements", REQUIREMENT) };
const ACCESS_REVIEW: ProtobufMessage = {
  1: OBJECT_META,
  2: struct("spec", {
    1: struct("resourceAttributes", {
      1: text("namespace"),
      2: text("verb"),
      3: text("group"),
      4: text("version"),
      5: text("resource"),
      6: text("subresource"),
      7: text("name"),
      8: struct("fieldSelector", SELECTOR),
      9: struct("labelSelector", SELECTOR),
    }),
    2: struct("nonResourceAttributes", { 1: text("path"), 2: text("verb") }),
  }),
};
const RULES_REVIEW: ProtobufMessage = { 1: OBJECT_META, 2: struct("spec", { 1: text("namespace") }) };
const DELETE_OPTIONS: ProtobufMessage = {
  1: pointer("gracePeriodSeconds", "int64"),
  2: struct("preconditions", { 1: pointer("uid", "text"), 2: pointer("resourceVersion", "text") }),
  3: pointer("orphanDependents", "flag"),
  4: pointer("propagationPolicy", "text"),
  5: texts("dryRun"),
  6: pointer("ignoreStoreReadErrorWithClusterBreakingPotential", "flag"),
};

const MESSAGES: ReadonlyMap<string, ProtobufMessage> = new Map([
  ["v1/ConfigMap", CONFIG_MAP],
  ["v1/Event", EVENT],
  ["v1/Namespace", NAMESPACE],
  ["v1/Secret", SECRET],
  ["coordination.k8s.io/v1/Lease", LEASE],
  ["authorization.k8s.io/v1/SelfSubjectAccessReview", ACCESS_REVIEW],
  ["authorization.k8s.io/v1/SelfSubjectRulesReview", RULES_REVIEW],
  ["authentication.k8s.io/v1/SelfSubjectReview", { 1: OBJECT_META }],
]);

const MAGIC = Buffer.from("k8s\0");
const UNKNOWN: ProtobufMessage = {
  1: struct("typeMeta", { 1: text("apiVersion"), 2: text("kind") }),
  2: field("raw", "base64"),
};
const SUMMARY_BYTES_MAX = 30;

/** A kind, as far as a body names it. */
export type BodyKind = Pick<ResourceKind, "group" | "version" | "kind">;

/** Whether `parseProtobuf` knows the kind: the built-in ones but for CustomResourceDefinition. */
export function hasProtobuf(kind: BodyKind): boolean {
  return MESSAGES.has(`${apiVersionOf(kind)}/${kind.kind}`);
}

/**
 * The body as JSON, with the `apiVersion` and `kind` that it names, or those expected where it names none; of another kind it is
 * these two alone. Throws StatusError 400.
 */
export function parseProtobuf(body: Buffer, expected: BodyKind): JsonObject {
  const unrecognized = `the object provided is unrecognized (must be of type ${expected.kind})`;
  const envelope = named(
    (why) => `${unrecognized}: ${why} (${summaryOf(body)})`,
    () => openEnvelope(body),
  );
  const expectedVersion = apiVersionOf(expected);
  const { apiVersion = expectedVersion, kind = expected.kind } = envelope.typeMeta;
  const message = MESSAGES.get(`${expectedVersion}/${expected.kind}`);
  if (message === undefined || apiVersion !== expectedVersion || kind !== expected.kind) return { apiVersion, kind };
  const title = `${expected.kind} in version "${expected.version}" cannot be handled as a ${expected.kind}`;
  return {
    apiVersion,
    kind,
    ...named(
      (why) => `${title}: ${why}`,
      () => readMessage(envelope.raw, message),
    ),
  };
}

/** A body that is a DeleteOptions, as JSON. Throws StatusError 400. */
export function parseProtobufOptions(body: Buffer): JsonObject {
  const { typeMeta, raw } = openEnvelope(body);
  const { apiVersion = "", kind = "DeleteOptions" } = typeMeta;
  if (kind !== "DeleteOptions") throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}"`);
  return readMessage(raw, DELETE_OPTIONS);
}

interface Envelope {
  /** What is empty is left out. */
  readonly typeMeta: { readonly apiVersion?: string; readonly kind?: string };
  readonly raw: Buffer;
}

function openEnvelope(body: Buffer): Envelope {
  if (body.length === 0) throw badRequest("empty data");
  if (!body.subarray(0, MAGIC.length).equals(MAGIC))
    throw badRequest(
      `provided data does not appear to be a protobuf message, expected prefix [${[...MAGIC].join(" ")}]`,
    );
  if (body.length === MAGIC.length) throw badRequest("empty body");
  const { typeMeta, raw } = readMessage(body.subarray(MAGIC.length), UNKNOWN);
  const { apiVersion, kind } = isObject(typeMeta) ? typeMeta : {};
  return {
    typeMeta: { ...(typeof apiVersion === "string" && { apiVersion }), ...(typeof kind === "string" && { kind }) },
    raw: Buffer.from(typeof raw === "string" ? raw : "", "base64"),
  };
}

/** Lets a 400 tell what could not be read. */
function named<T>(name: (why: string) => string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof StatusError ? badRequest(name(error.message)) : error;
  }
}

function summaryOf(body: Buffer): string {
  if (body.length === 0) return "<empty>";
  const start = body.subarray(0, SUMMARY_BYTES_MAX);
  return `${start.toString(start.toString("latin1").startsWith("{") ? "utf8" : "hex")}${body.length > SUMMARY_BYTES_MAX ? " ..." : ""}`;
}
