/**
 * An object as a client sends it, held to where it is sent: its kind, version, namespace and name. Every write comes through
 * here, each with its own words for what does not fit, because clients show them.
 * Source: apiserver `pkg/endpoints/handlers/{create,update,patch}.go`; apiextensions-apiserver `customresource_handler.go`.
 */
import { apiVersionOf, type ResourceKind } from "../object/kind.ts";
import { metadataTypeProblem, tidyMetadata } from "../object/metadata.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import { badRequest, invalid, type StatusError } from "../object/status-error.ts";
import { invalidValue } from "../schema/schema-cause.ts";

/** Where the object is sent; without a name into the collection. */
export interface Place {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** The body of a POST or PUT. Throws StatusError. */
export function postedObject(body: Json, kind: ResourceKind, place: Place): KubeObject {
  if (!isObject(body)) throw unrecognized(kind, `json: cannot unmarshal ${typeNameOf(body)} into Go value`);
  const [givenKind, givenVersion] = [body["kind"], body["apiVersion"]];
  const isAnonymous = !givenKind && !givenVersion && !kind.custom;
  if (!givenKind && !isAnonymous) throw unrecognized(kind, "Object 'Kind' is missing in the body");
  const apiVersion = apiVersionOf(kind);
  if (!isAnonymous && givenVersion !== apiVersion)
    throw badRequest(
      `the API version in the data (${String(givenVersion ?? "")}) does not match the expected API version (${apiVersion})`,
    );
  if (!isAnonymous && givenKind !== kind.kind) throw anotherKind(body, kind, place);
  return atPlace(body, kind, place);
}

/** What a patch makes of an object. Throws StatusError. */
export function patchedObject(body: Json, kind: ResourceKind, place: Place): KubeObject {
  if (!isObject(body)) throw unrecognized(kind, `json: cannot unmarshal ${typeNameOf(body)} into Go value`);
  if (body["kind"] !== kind.kind) throw anotherKind(body, kind, place);
  const apiVersion = apiVersionOf(kind);
  if (body["apiVersion"] !== apiVersion) {
    const [group = ""] = String(body["apiVersion"] ?? "").split("/");
    const cause = invalidValue("apiVersion", body["apiVersion"] ?? "", `must be ${apiVersion}`);
    throw invalid({ ...kind, group }, place.name ?? "", [cause]);
  }
  return atPlace(body, kind, place);
}

/** The body of a server-side apply; whether its kind fits is for the apply to say. Throws StatusError. */
export function appliedObject(body: Json, kind: ResourceKind, place: Place): KubeObject {
  if (!isObject(body)) throw badRequest(`error decoding YAML: a ${kind.kind} must be an object`);
  return {
    ...atPlace(body, kind, place),
    kind: String(body["kind"] ?? ""),
    apiVersion: String(body["apiVersion"] ?? ""),
  };
}

/** 400: the body is nothing that could be such an object. */
export function unrecognized(kind: ResourceKind, why: string): StatusError {
  const type = kind.custom ? kind.kind : `${kind.version}.${kind.kind}`;
  return badRequest(`the object provided is unrecognized (must be of type ${type}): ${why}`);
}

function anotherKind(body: JsonObject, kind: ResourceKind, { name }: Place): StatusError {
  const given = String(body["kind"] ?? "");
  if (!kind.custom) {
    const title = `${given} in version "${kind.version}" cannot be handled as a ${kind.kind}`;
    return badRequest(`${title}: converting (${kind.version}.${given}) to (core.${kind.kind}): unknown conversion`);
  }
  const metadata = isObject(body["metadata"]) ? body["metadata"] : {};
  return invalid({ ...kind, kind: given }, name ?? String(metadata["name"] ?? ""), [
    invalidValue("kind", given, `must be ${kind.kind}`),
  ]);
}

function atPlace(body: JsonObject, kind: ResourceKind, place: Place): KubeObject {
  const metadata = body["metadata"] ?? {};
  const problem = metadataTypeProblem(metadata);
  if (problem !== undefined || !isObject(metadata)) {
    const title = `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}`;
    throw badRequest(`${title}: json: cannot unmarshal ${problem ?? "it"}`);
  }
  const name = typeof metadata["name"] === "string" ? metadata["name"] : "";
  const { namespace } = metadata;
  if (place.name !== undefined && name !== "" && name !== place.name)
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${place.name})`);
  if (kind.namespaced && namespace && namespace !== place.namespace)
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  return {
    ...body,
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: { ...tidyMetadata(metadata), name: name || (place.name ?? "") },
  };
}

function typeNameOf(value: Json): string {
  return Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
}
