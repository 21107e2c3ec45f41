/**
 * Events, which tell people what happened to an object. There are two kinds for one thing: those of the core group, which are the
 * ones that are kept, and those of events.k8s.io, the same under other names.
 * Source: Kubernetes API reference, v1.36; kubernetes `pkg/apis/events/v1/conversion.go`.
 */
import type { Json, JsonObject, KubeObject } from "../object/object.ts";
import type { OpenApiSchema } from "../schema/value-schema.ts";
import { builtIn, strings, struct, time, whole } from "./built-in-kind.ts";

const REFERENCE_FIELDS = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
const objectReference: OpenApiSchema = { ...struct(strings(...REFERENCE_FIELDS)), "x-kubernetes-map-type": "atomic" };
const source = struct(strings("component", "host"));
const shared = {
  related: objectReference,
  series: struct({ count: whole, lastObservedTime: time }),
  eventTime: time,
  ...strings("reason", "type", "action", "reportingInstance"),
};

/** `v1 Event`. */
export const EVENT = builtIn({
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  createsOnUpdate: true,
  selectableFields: [
    ...REFERENCE_FIELDS.map((field) => `involvedObject.${field}`),
    ...["reason", "reportingComponent", "source", "type"],
  ],
  properties: {
    ...shared,
    involvedObject: objectReference,
    source,
    count: whole,
    ...strings("message", "reportingComponent"),
    firstTimestamp: time,
    lastTimestamp: time,
  },
});

/** What events.k8s.io calls by other names: its own name, and the core's. */
const RENAMED: readonly (readonly [string, string])[] = [
  ["regarding", "involvedObject"],
  ["note", "message"],
  ["reportingController", "reportingComponent"],
  ["deprecatedSource", "source"],
  ["deprecatedFirstTimestamp", "firstTimestamp"],
  ["deprecatedLastTimestamp", "lastTimestamp"],
  ["deprecatedCount", "count"],
];

/** `events.k8s.io/v1 Event`. */
export const EVENT_OF_EVENTS = builtIn({
  group: "events.k8s.io",
  kind: "Event",
  plural: "events",
  shortNames: ["ev"],
  createsOnUpdate: true,
  selectableFields: [
    ...REFERENCE_FIELDS.map((field) => `regarding.${field}`),
    ...["reason", "reportingController", "type"],
  ],
  properties: {
    ...shared,
    regarding: objectReference,
    deprecatedSource: source,
    deprecatedCount: whole,
    ...strings("note", "reportingController"),
    deprecatedFirstTimestamp: time,
    deprecatedLastTimestamp: time,
  },
  stored: {
    resource: "/events",
    toStored: (event) => withEventFields({ ...renamed(event, RENAMED), apiVersion: "v1" }),
    fromStored(event) {
      const names = RENAMED.map(([own, core]) => [core, own] as const);
      const shown = renamed(event, names);
      const { regarding = {}, ...rest } = withoutEmpty(shown, ["reportingController", "reportingInstance"]);
      return { ...rest, ...identityOf(shown), apiVersion: "events.k8s.io/v1", regarding };
    },
  },
});

/** A core event with the fields that are there even if nobody gives them. */
export function withEventFields(event: KubeObject): KubeObject {
  const always = {
    involvedObject: {},
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: "",
    reportingInstance: "",
  };
  return { ...identityOf(event), ...always, ...event };
}

const identityOf = ({ apiVersion, kind, metadata }: KubeObject) => ({ apiVersion, kind, metadata });

function renamed(event: KubeObject, names: readonly (readonly [string, string])[]): KubeObject {
  const entries = Object.entries(event).map(([field, value]): [string, Json | undefined] => [
    names.find(([from]) => from === field)?.[1] ?? field,
    value,
  ]);
  return { ...Object.fromEntries(entries), ...identityOf(event) };
}

function withoutEmpty(event: KubeObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(event).filter(([field, value]) => value !== "" || !fields.includes(field)));
}
