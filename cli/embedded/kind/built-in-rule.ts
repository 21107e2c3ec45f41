/**
 * What the API server does to objects of the built-in kinds beyond their schemas: the fields that it fills in, the values that it
 * cannot read (400), the rules that it holds them to (422), and the namespaces that nobody deletes (403).
 * Source: kubernetes `pkg/apis/{core,coordination}/validation`; apiserver `pkg/admission/plugin/namespace/lifecycle`.
 */
import { isDeepStrictEqual } from "node:util";
import { isOf, type ResourceKind } from "../object/kind.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import { badRequest, forbidden, type StatusCause } from "../object/status-error.ts";
import { causeOf, forbiddenValue, invalidValue, requiredValue } from "../schema/schema-cause.ts";
import { CONFIG_MAP, LEASE, NAMESPACE, SECRET } from "./built-in.ts";
import { EVENT, EVENT_OF_EVENTS, withEventFields } from "./event.ts";
import { eventProblems } from "./event-rule.ts";

/** Of the data of a ConfigMap or a Secret: what etcd takes is little more. */
const DATA_BYTES_MAX = 1024 ** 2;
const KEY_CHARACTERS_MAX = 253;
const KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const BASE_64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const SECONDS = "2006-01-02T15:04:05Z07:00";
const MICROSECONDS = "2006-01-02T15:04:05.000000Z07:00";
const TIME = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;
/** Where times are, and how exact they are. */
const TIMES: readonly (readonly [ResourceKind, readonly string[], string])[] = [
  [LEASE, ["spec", "acquireTime"], MICROSECONDS],
  [LEASE, ["spec", "renewTime"], MICROSECONDS],
  [EVENT, ["eventTime"], MICROSECONDS],
  [EVENT, ["series", "lastObservedTime"], MICROSECONDS],
  [EVENT, ["firstTimestamp"], SECONDS],
  [EVENT, ["lastTimestamp"], SECONDS],
  [EVENT_OF_EVENTS, ["eventTime"], MICROSECONDS],
  [EVENT_OF_EVENTS, ["series", "lastObservedTime"], MICROSECONDS],
  [EVENT_OF_EVENTS, ["deprecatedFirstTimestamp"], SECONDS],
  [EVENT_OF_EVENTS, ["deprecatedLastTimestamp"], SECONDS],
];
const IMMORTAL = ["default", "kube-public", "kube-system"];
/** The keys that a Secret of a type must have; of the last ones one is enough. */
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
};
const DOCKER = "kubernetes.io/dockerc";
const BASIC_AUTH_KEYS = ["username", "password"];

const entriesOf = (value: Json | undefined) => (isObject(value) ? Object.entries(value) : []);

/** The object with what the server fills in, its times as the server writes them. Throws badRequest for what it cannot read. */
export function withBuiltInDefaults(kind: ResourceKind, object: KubeObject): KubeObject {
  if (kind.custom) return object;
  const timed = TIMES.filter(([of]) => isOf(kind, of)).reduce(
    (whole, [, path, layout]) => mapField(whole, path, (value) => readTime(kind, value, layout)),
    object,
  );
  if (isOf(kind, SECRET)) return encodedSecret(kind, withTexts(timed, "data", "stringData"));
  if (isOf(kind, CONFIG_MAP)) return readConfigMap(kind, withTexts(timed, "data", "binaryData"));
  if (isOf(kind, LEASE)) return { ...timed, spec: timed["spec"] ?? {} };
  return isOf(kind, EVENT) ? withEventFields(timed) : timed;
}

function unreadable({ kind, version }: ResourceKind, why: string) {
  return badRequest(`${kind} in version "${version}" cannot be handled as a ${kind}: ${why}`);
}

function readConfigMap(kind: ResourceKind, object: KubeObject): KubeObject {
  requireBase64(kind, object["binaryData"]);
  return object;
}

/** As in Go, null is an empty text, and a map without entries is none. */
function withTexts(object: KubeObject, ...fields: readonly string[]): KubeObject {
  const { apiVersion, kind, metadata } = object;
  const entries = Object.entries(object).flatMap(([field, value]): [string, Json | undefined][] => {
    if (!fields.includes(field) || !isObject(value)) return [[field, value]];
    const texts = Object.entries(value).map(([key, text]) => [key, text ?? ""] as const);
    return texts.length === 0 ? [] : [[field, Object.fromEntries(texts)]];
  });
  return { ...Object.fromEntries(entries), apiVersion, kind, metadata };
}

function mapField(
  object: KubeObject,
  [field = "", ...rest]: readonly string[],
  change: (value: Json) => Json,
): KubeObject {
  const value = object[field];
  if (value === undefined) return object;
  const [inner] = rest;
  if (inner === undefined) return { ...object, [field]: change(value) };
  if (!isObject(value) || value[inner] === undefined) return object;
  return { ...object, [field]: { ...value, [inner]: change(value[inner]) } };
}

/** A time as the server writes it: UTC, in whole seconds or in microseconds. */
function readTime(kind: ResourceKind, value: Json, layout: string): Json {
  if (typeof value !== "string") return value;
  const [, moment = "", fraction = "", zone = ""] = TIME.exec(value) ?? [];
  const epochMs = Date.parse(`${moment}${zone}`);
  if (Number.isNaN(epochMs) || (layout === MICROSECONDS && fraction.length !== 6)) {
    throw unreadable(kind, `parsing time ${JSON.stringify(value)} as "${layout}": cannot parse it`);
  }
  const seconds = new Date(epochMs).toISOString().slice(0, 19);
  return layout === MICROSECONDS ? `${seconds}.${fraction}Z` : `${seconds}Z`;
}

/** `stringData` is for writing only: it ends up in `data`, base64. */
function encodedSecret(kind: ResourceKind, object: KubeObject): KubeObject {
  requireBase64(kind, object["data"]);
  const { stringData, apiVersion, metadata, ...rest } = object;
  const secret: KubeObject = { ...rest, apiVersion, kind: object.kind, metadata, type: object["type"] || "Opaque" };
  const isText = entriesOf(stringData).every(([, value]) => typeof value === "string");
  if (stringData === undefined || !isText) return stringData === undefined ? secret : { ...secret, stringData };
  const texts = entriesOf(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString("base64")]);
  const data: JsonObject = { ...(isObject(secret["data"]) ? secret["data"] : {}), ...Object.fromEntries(texts) };
  return Object.keys(data).length === 0 ? secret : { ...secret, data };
}

function requireBase64(kind: ResourceKind, data: Json | undefined): void {
  for (const [, value] of entriesOf(data)) {
    const text = typeof value === "string" ? value.replace(/[\r\n]/g, "") : "";
    if (BASE_64.test(text)) continue;
    const wrong = text.search(/[^A-Za-z0-9+/]/);
    throw unreadable(
      kind,
      `illegal base64 data at input byte ${wrong === -1 ? text.length - (text.length % 4) : wrong}`,
    );
  }
}

/** What is wrong with an object whose types are right; `before` is what it replaces. */
export function builtInProblems(kind: ResourceKind, object: KubeObject, before?: KubeObject): readonly StatusCause[] {
  if (isOf(kind, CONFIG_MAP)) return [...immutableProblems(object, before), ...configMapProblems(object)];
  if (isOf(kind, SECRET))
    return [...typeProblems(object, before), ...immutableProblems(object, before), ...secretProblems(object)];
  if (isOf(kind, LEASE)) return leaseProblems(object);
  return isOf(kind, EVENT) || isOf(kind, EVENT_OF_EVENTS) ? eventProblems(kind, object, before) : [];
}

function immutableProblems(object: KubeObject, before: KubeObject | undefined): readonly StatusCause[] {
  if (before?.["immutable"] !== true) return [];
  const changed = ["data", "binaryData"].filter((field) => !isDeepStrictEqual(object[field], before[field]));
  const fields = [...(object["immutable"] === true ? [] : ["immutable"]), ...changed];
  const why = "field is immutable when `immutable` is set";
  return fields.map((field) => forbiddenValue(field, why));
}

function keyProblems(bag: string, key: string): readonly StatusCause[] {
  const wrong = [
    ...(key.length > KEY_CHARACTERS_MAX ? [`must be no more than ${KEY_CHARACTERS_MAX} characters`] : []),
    ...(KEY.test(key) ? [] : [KEY_RULE]),
    ...(key === "." ? ["must not be '.'"] : []),
    ...(key === ".." ? ["must not be '..'"] : []),
    ...(key.startsWith("..") && key !== ".." ? ["must not start with '..'"] : []),
  ];
  return wrong.map((why) => invalidValue(`${bag}[${key}]`, key, why));
}

function configMapProblems({ data, binaryData }: KubeObject): readonly StatusCause[] {
  const binary = isObject(binaryData) ? binaryData : {};
  const twice = "duplicate of key present in binaryData";
  const bytes =
    entriesOf(data).reduce((sum, [, value]) => sum + Buffer.byteLength(String(value)), 0) + bytesOfBase64(binaryData);
  return [
    ...entriesOf(data).flatMap(([key]) => [
      ...keyProblems("data", key),
      ...(Object.hasOwn(binary, key) ? [invalidValue(`data[${key}]`, key, twice)] : []),
    ]),
    ...entriesOf(binaryData).flatMap(([key]) => keyProblems("binaryData", key)),
    ...(bytes > DATA_BYTES_MAX ? [tooLong("[]")] : []),
  ];
}

const tooLong = (field: string) =>
  causeOf("FieldValueTooLong", field, null, `may not be more than ${DATA_BYTES_MAX} bytes`);

function bytesOfBase64(data: Json | undefined): number {
  return entriesOf(data).reduce((sum, [, value]) => sum + Buffer.byteLength(String(value), "base64"), 0);
}

function typeProblems({ type }: KubeObject, before: KubeObject | undefined): readonly StatusCause[] {
  if (before === undefined || type === before["type"]) return [];
  return [invalidValue("type", type ?? "", "field is immutable")];
}

function secretProblems({ data, type, metadata }: KubeObject): readonly StatusCause[] {
  const has = (key: string) => isObject(data) && Object.hasOwn(data, key);
  const account = "kubernetes.io/service-account.name";
  const isNameless = type === "kubernetes.io/service-account-token" && !metadata.annotations?.[account];
  const isBasic = type === "kubernetes.io/basic-auth" && !BASIC_AUTH_KEYS.some(has);
  const wanted = isBasic ? BASIC_AUTH_KEYS : (SECRET_KEYS[String(type)] ?? []);
  return [
    ...entriesOf(data).flatMap(([key]) => keyProblems("data", key)),
    ...(bytesOfBase64(data) > DATA_BYTES_MAX ? [tooLong("data")] : []),
    ...(isNameless ? [requiredValue(`metadata.annotations[${account}]`)] : []),
    ...wanted.filter((key) => !has(key)).map((key) => requiredValue(`data[${key}]`)),
    ...(String(type).startsWith(DOCKER) ? wanted.filter((key) => has(key) && !isJsonObject(data, key)) : []).map(
      (key) => invalidValue(`data[${key}]`, "<secret contents redacted>", "not a JSON object"),
    ),
  ];
}

function isJsonObject(data: Json | undefined, key: string): boolean {
  try {
    const value = isObject(data) ? data[key] : "";
    return isObject(JSON.parse(Buffer.from(String(value), "base64").toString("utf8")));
  } catch {
    return false;
  }
}

function leaseProblems({ spec }: KubeObject): readonly StatusCause[] {
  if (!isObject(spec)) return [];
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions, preferredHolder, strategy } = spec;
  const at = "spec.leaseDurationSeconds";
  const isTooMuch = Boolean(preferredHolder) && !strategy;
  return [
    ...(typeof seconds === "number" && seconds <= 0 ? [invalidValue(at, seconds, "must be greater than 0")] : []),
    ...(typeof transitions === "number" && transitions < 0
      ? [invalidValue("spec.leaseTransitions", transitions, "must be greater than or equal to 0")]
      : []),
    ...(isTooMuch ? [forbiddenValue("spec.preferredHolder", "may only be specified if `strategy` is defined")] : []),
  ];
}

/** Throws forbidden for the namespaces that every cluster keeps. */
export function requireMortal(kind: ResourceKind, name: string): void {
  if (isOf(kind, NAMESPACE) && IMMORTAL.includes(name))
    throw forbidden(kind, name, "this namespace may not be deleted");
}
