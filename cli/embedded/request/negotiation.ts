/**
 * Which representation of an object or a list a client gets, by its Accept header: the object itself, a Table for printing, or its
 * metadata alone. The first acceptable range that this server can produce wins: JSON, and of objects YAML too; protobuf and CBOR
 * are passed over for a later one.
 * Source: Kubernetes API concepts, "Alternate representations of resources"; apiserver `pkg/endpoints/handlers/negotiation`.
 */
import { notAcceptable } from "../object/status-error.ts";
import { BODY_TYPES } from "./request.ts";

/** The version of `meta.k8s.io`. */
export type MetaVersion = "v1" | "v1beta1";

/** What an answer looks like. */
export type Representation =
  | { readonly as: "object"; readonly isYaml: boolean }
  | { readonly as: "table"; readonly version: MetaVersion }
  /** `isList` as the client asked: of one object it is refused for a list, and the other way round. */
  | { readonly as: "partial-object-metadata"; readonly version: MetaVersion; readonly isList: boolean };

/** What an answer of `/api` or `/apis` looks like: everything at once, or the groups alone. */
export type DiscoveryForm = "aggregated" | "groups";

/** The media type of the aggregated form, which the answer repeats. 1.36 serves v2 alone. */
export const AGGREGATED_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

const YAML_RANGE = "application/yaml";
const JSON_RANGES: readonly string[] = ["application/json", "application/*", "*/*"];
const OBJECT: Representation = { as: "object", isYaml: false };

interface MediaRange {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The representation of an object, a list or the objects of a watch. Throws notAcceptable. */
export function negotiate(accept: string | undefined): Representation {
  return firstOf(accept, OBJECT, representationOf, [...JSON_RANGES, YAML_RANGE]);
}

/** The form of `/api` and `/apis`. Throws notAcceptable. */
export function negotiateDiscovery(accept: string | undefined): DiscoveryForm {
  return firstOf<DiscoveryForm>(accept, "groups", (parameters) => {
    if (!isConverted(parameters)) return "groups";
    const [group, version, as] = ["g", "v", "as"].map((name) => parameters.get(name));
    return group === "apidiscovery.k8s.io" && version === "v2" && as === "APIGroupDiscoveryList"
      ? "aggregated"
      : undefined;
  });
}

/** For documents that have one form alone. Throws notAcceptable. */
export function requireJson(accept: string | undefined): void {
  firstOf(accept, true, (parameters) => (isConverted(parameters) ? undefined : true));
}

function firstOf<T>(
  accept: string | undefined,
  unasked: T,
  produce: (parameters: ReadonlyMap<string, string>, type: string) => T | undefined,
  ranges: readonly string[] = JSON_RANGES,
): T {
  if (accept === undefined || accept.trim() === "") return unasked;
  for (const { type, parameters } of rangesOf(accept)) {
    if (!ranges.includes(type) || !["", "watch"].includes(parameters.get("stream") ?? "")) continue;
    const produced = produce(parameters, type);
    if (produced !== undefined) return produced;
  }
  throw notAcceptable(BODY_TYPES);
}

function representationOf(parameters: ReadonlyMap<string, string>, type: string): Representation | undefined {
  if (!isConverted(parameters)) return { as: "object", isYaml: type === YAML_RANGE };
  const version = parameters.get("v");
  if (parameters.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return undefined;
  switch (parameters.get("as")) {
    case "Table":
      return { as: "table", version };
    case "PartialObjectMetadata":
      return { as: "partial-object-metadata", version, isList: false };
    case "PartialObjectMetadataList":
      return { as: "partial-object-metadata", version, isList: true };
    default:
      return undefined;
  }
}

/** Whether another kind than the object's own is asked for. */
function isConverted(parameters: ReadonlyMap<string, string>): boolean {
  return ["as", "g", "v"].some((name) => parameters.has(name));
}

/** The ranges, the most wanted first; as the API server reads them: case matters, and `q=0` is merely the last. */
function rangesOf(accept: string): readonly MediaRange[] {
  const ranges = accept.split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
    const pairs = parameters.map((parameter) => parameter.split("=").map((part) => part.trim()));
    return { type, parameters: new Map(pairs.map(([name = "", value = ""]) => [name, value])) };
  });
  return ranges.toSorted((a, b) => qualityOf(b) - qualityOf(a));
}

function qualityOf({ parameters }: MediaRange): number {
  const quality = Number(parameters.get("q") ?? 1);
  return Number.isFinite(quality) ? quality : 1;
}
