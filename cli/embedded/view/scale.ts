/**
 * The scale subresource: the number of replicas of any kind under one shape, as autoscalers and `kubectl scale` use it.
 * Source: Kubernetes "Extend the API with CustomResourceDefinitions", "Scale subresource"; autoscaling/v1 Scale.
 */
import type { ScalePaths } from "../object/kind.ts";
import { isObject, type Json, type JsonObject, type KubeObject } from "../object/object.ts";
import { invalid, type NamedKind, StatusError } from "../object/status-error.ts";
import { invalidValue } from "../schema/schema-cause.ts";

/** The object as a Scale. Throws the StatusError of an object that does not tell its replicas. */
export function toScale(object: KubeObject, paths: ScalePaths): JsonObject {
  const replicas = valueAt(object, paths.specReplicasPath);
  if (replicas === undefined) throw noReplicas(paths.specReplicasPath);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = paths.labelSelectorPath === undefined ? undefined : valueAt(object, paths.labelSelectorPath);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, ...(namespace && { namespace }), uid, resourceVersion, creationTimestamp },
    spec: { replicas },
    status: {
      replicas: valueAt(object, paths.statusReplicasPath) ?? 0,
      ...(typeof selector === "string" && selector !== "" && { selector }),
    },
  };
}

/** The object with the replicas of a Scale. */
export function withScale(object: KubeObject, scale: Json, paths: ScalePaths): KubeObject {
  const spec = isObject(scale) ? scale["spec"] : undefined;
  const replicas = isObject(spec) ? (spec["replicas"] ?? 0) : 0;
  const given = isObject(scale) && isObject(scale["metadata"]) ? scale["metadata"]["resourceVersion"] : undefined;
  const scaled = setAt(object, segmentsOf(paths.specReplicasPath), replicas);
  const { resourceVersion = object.metadata.resourceVersion } =
    typeof given === "string" && given !== "" ? { resourceVersion: given } : {};
  return { ...object, ...scaled, metadata: { ...object.metadata, ...(resourceVersion && { resourceVersion }) } };
}

/** Throws the Status of a Scale that cannot be. */
export function checkScale(kind: NamedKind, name: string, scale: Json): void {
  const spec = isObject(scale) && isObject(scale["spec"]) ? scale["spec"] : {};
  const { replicas } = spec;
  if (typeof replicas !== "number" || replicas >= 0) return;
  throw invalid(kind, name, [invalidValue(".spec.replicas", replicas, "should be a non-negative integer")]);
}

function noReplicas(path: string): StatusError {
  const why = `the spec replicas field ${JSON.stringify(path)} does not exist`;
  const causes = [{ reason: "", message: why }];
  return new StatusError(500, "InternalError", `Internal error occurred: ${why}`, { causes });
}

/** A definition allows nothing but dots and names here. */
function segmentsOf(path: string): readonly string[] {
  return path.split(".").filter(Boolean);
}

function valueAt(object: JsonObject, path: string): Json | undefined {
  let value: Json | undefined = object;
  for (const segment of segmentsOf(path)) value = isObject(value) ? value[segment] : undefined;
  return value;
}

function setAt(object: JsonObject, [first = "", ...rest]: readonly string[], value: Json): JsonObject {
  if (rest.length === 0) return { ...object, [first]: value };
  const child = object[first];
  return { ...object, [first]: setAt(isObject(child) ? child : {}, rest, value) };
}
