/**
 * The rules for Events: an event is about an object of its own namespace, and one with an `eventTime` says who reports what action. What
 * comes through events.k8s.io is held to more: nothing of it but the series changes. Fields are named as the core group names them.
 * Source: kubernetes `pkg/apis/core/validation/events.go`.
 */
import { isDeepStrictEqual } from "node:util";
import type { ResourceKind } from "../object/kind.ts";
import { labelKeyProblems } from "../object/label-syntax.ts";
import { isObject, type Json, type KubeObject } from "../object/object.ts";
import type { StatusCause } from "../object/status-error.ts";
import { invalidValue, requiredValue } from "../schema/schema-cause.ts";

const NAME_BYTES_MAX = 128; // of reportingInstance, action and reason
const MESSAGE_BYTES_MAX = 1_024;
const FIXED = ["involvedObject", "reason", "message", "source", "firstTimestamp", "lastTimestamp", "count", "type"];
const FIXED_LATER = ["eventTime", "action", "related", "reportingComponent", "reportingInstance"];

const textOf = (value: Json | undefined) => (typeof value === "string" ? value : "");

/** What is wrong with an event of either kind; `before` is what it replaces. */
export function eventProblems(kind: ResourceKind, given: KubeObject, before?: KubeObject): readonly StatusCause[] {
  const { stored } = kind;
  const event = stored ? stored.toStored(given) : given;
  const common = [
    ...namespaceProblems(event),
    ...(event["eventTime"] ? reportProblems(event, stored ? "reportingController" : "reportingComponent") : []),
  ];
  if (stored === undefined) return common;
  return [...common, ...(before ? fixedProblems(event, stored.toStored(before)) : newProblems(event))];
}

function namespaceProblems({ metadata, involvedObject, eventTime }: KubeObject): readonly StatusCause[] {
  const about = isObject(involvedObject) ? textOf(involvedObject["namespace"]) : "";
  const namespace = metadata.namespace ?? "";
  const isSystem = namespace === "default" || (namespace === "kube-system" && Boolean(eventTime));
  const fits = about === "" ? isSystem : Boolean(eventTime) || about === namespace;
  return fits ? [] : [invalidValue("involvedObject.namespace", about, "does not match event.namespace")];
}

function reportProblems(event: KubeObject, controllerField: string): readonly StatusCause[] {
  const controller = textOf(event["reportingComponent"]);
  const named = ["reportingInstance", "action", "reason"].flatMap((field) => {
    const text = textOf(event[field]);
    if (text === "") return [requiredValue(field)];
    return tooLong(text, NAME_BYTES_MAX)
      ? [invalidValue(field, "", `can have at most ${NAME_BYTES_MAX} characters`)]
      : [];
  });
  return [
    ...(controller === "" ? [requiredValue(controllerField)] : []),
    ...labelKeyProblems(controller).map((why) => invalidValue(controllerField, controller, why)),
    ...named,
    ...(tooLong(textOf(event["message"]), MESSAGE_BYTES_MAX)
      ? [invalidValue("message", "", `can have at most ${MESSAGE_BYTES_MAX} characters`)]
      : []),
  ];
}

const tooLong = (text: string, bytesMax: number) => Buffer.byteLength(text) > bytesMax;

function newProblems(event: KubeObject): readonly StatusCause[] {
  const type = textOf(event["type"]);
  const { source } = event;
  const isUsed = (field: string) => Boolean(event[field]);
  return [
    ...seriesProblems(event),
    ...(event["eventTime"] ? [] : [requiredValue("eventTime")]),
    ...(type === "Normal" || type === "Warning" ? [] : [invalidValue("type", "", `has invalid value: ${type}`)]),
    ...["firstTimestamp", "lastTimestamp", "count"]
      .filter(isUsed)
      .map((field) => invalidValue(field, "", "needs to be unset")),
    ...(isObject(source) && Object.keys(source).length > 0 ? [invalidValue("source", "", "needs to be unset")] : []),
  ];
}

function seriesProblems({ series }: KubeObject): readonly StatusCause[] {
  if (!isObject(series)) return [];
  return [
    ...(Number(series["count"] ?? 0) < 2 ? [invalidValue("series.count", "", "should be at least 2")] : []),
    ...(series["lastObservedTime"] ? [] : [requiredValue("series.lastObservedTime")]),
  ];
}

function fixedProblems(event: KubeObject, before: KubeObject): readonly StatusCause[] {
  const changed = [...FIXED, ...FIXED_LATER].filter((field) => !isDeepStrictEqual(event[field], before[field]));
  return [
    ...(isDeepStrictEqual(event["series"], before["series"]) ? [] : seriesProblems(event)),
    ...changed.map((field) => invalidValue(field, event[field] ?? null, "field is immutable")),
  ];
}
