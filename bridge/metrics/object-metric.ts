/**
 * What the configuration wants to know of each object of a kind: a value as a gauge, and pairs of places that should agree. Values are
 * read as kube-state-metrics reads them: numbers, quantities (`500m`, `2Gi`), booleans, and times as seconds since 1970.
 * Source: kube-state-metrics, CustomResourceState (its types Gauge, StateSet and Info).
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { FieldPath, parseFieldPath, type Segments, valueAt } from "../event/field-path.ts";
import type { Json, KubeObject } from "../kube/kube-object.ts";
import { isSameAmount, quantityNumber } from "../kube/quantity.ts";

/** Set by us on each series. */
const OWN_LABELS = ["resource", "namespace", "name"];
const KEY_LABEL = "key";
const STATE_LABEL = "state";
const LABEL_NAME = /^[a-zA-Z][a-zA-Z0-9_]*$/;

/** Each is a series an object, so a few. */
const METRICS_MAX = 16;
const LABELS_MAX = 8;
const STATES_MAX = 16;
/** A label that is longer is cut: it is of somebody else's choosing. */
const LABEL_LENGTH_MAX = 128;
/** One bit each. */
const PAIRS_MAX = 16;

/** A gauge `cr_reactor_resource_<name>` with a series for each object that has a value, or for each element of a list or map in it. */
export const ObjectMetric = z
  .strictObject({
    name: z
      .string()
      .regex(/^(?!values_dropped$)[a-z][a-z0-9_]{0,99}$/, "expected a metric's name: lower-case letters, digits and _"),
    /** Of the value. Left out: the value is 1, and the labels are what is told. */
    path: FieldPath.exactOptional(),
    /** A list or map: `path` and `labels` begin at its elements. A map's keys are the label `key`. */
    each: FieldPath.exactOptional(),
    /** A series for each of these, as the label `state`: 1 for the one that the value is, 0 for the others. */
    states: z.array(z.string().min(1).max(LABEL_LENGTH_MAX)).min(1).max(STATES_MAX).exactOptional(),
    /** Labels, by the paths of their values. */
    labels: z.record(z.string(), FieldPath).default({}),
  })
  .superRefine(refuseLabels)
  .refine(({ path, labels }) => path !== undefined || Object.keys(labels).length > 0, {
    path: ["path"],
    message: "expected a path of a value, or labels",
  })
  .refine(({ path, states }) => path !== undefined || states === undefined, {
    path: ["states"],
    message: "needs path: where the state stands",
  });
export type ObjectMetric = z.infer<typeof ObjectMetric>;

/** Two places that should agree, usually of the spec and of the status. */
export const DivergedPair = z.strictObject({ spec: FieldPath, status: FieldPath });
export type DivergedPair = z.infer<typeof DivergedPair>;

/** What an entry of the configuration's `resources` may ask for. */
export const ObjectMetricLists = {
  /** Gauges of values in each object: a series an object. */
  metrics: z.array(ObjectMetric).max(METRICS_MAX).superRefine(refuseSameNames).default([]),
  /** How many objects have different values in both places. */
  diverged: z.array(DivergedPair).max(PAIRS_MAX).default([]),
};

/** The wishes of one entry. */
export interface ObjectWishes {
  readonly metrics: readonly ObjectMetric[];
  readonly diverged: readonly DivergedPair[];
}

/** One value of an object. */
export interface ObjectValue {
  /** Its place among the metrics. */
  readonly metric: number;
  /** With `states` the place of the state, -1 for another one. */
  readonly value: number;
  /** In the order of `labelNamesOf`, without the state. */
  readonly labels: readonly string[];
}

/** Reads one object as the wishes want it. */
export interface ObjectReader {
  /** `undefined` when there is none at all. */
  values(object: KubeObject): readonly ObjectValue[] | undefined;
  /** A bit for each pair that differs. */
  diverged(object: KubeObject): number;
}

/** Elements of one object: more are somebody's table. */
const ELEMENTS_MAX = 32;

/** Prepares the paths. */
export function objectReader({ metrics, diverged }: ObjectWishes): ObjectReader {
  const wanted = metrics.map(valueReader);
  const pairs = diverged.map(({ spec, status }) => [parseFieldPath(spec), parseFieldPath(status)] as const);
  return {
    values(object) {
      if (wanted.length === 0) return undefined;
      const values = wanted.flatMap((read, metric) => read(object).map((each) => ({ metric, ...each })));
      return values.length === 0 ? undefined : values;
    },
    diverged(object) {
      let bits = 0;
      for (const [index, [spec, status]] of pairs.entries()) {
        if (differs(valueAt(object, spec), valueAt(object, status))) bits |= 1 << index;
      }
      return bits;
    },
  };
}

/** Reads the values of one metric. Of elements with the same labels, whose series would be one, the first counts. */
function valueReader({ path, each, states, labels }: ObjectMetric) {
  const valuePath = path === undefined ? undefined : parseFieldPath(path);
  const elementsPath = each === undefined ? undefined : parseFieldPath(each);
  const labelPaths = Object.values(labels).map(parseFieldPath);
  const numberIn = (value: Json | undefined) =>
    states === undefined ? numberOf(value) : typeof value === "string" ? states.indexOf(value) : undefined;
  const read = (place: unknown, key: readonly string[]) => {
    const value = valuePath === undefined ? 1 : numberIn(valueAt(place, valuePath));
    return value === undefined ? [] : [{ value, labels: [...key, ...labelPaths.map((own) => labelOf(place, own))] }];
  };
  return (object: KubeObject): readonly Omit<ObjectValue, "metric">[] => {
    if (elementsPath === undefined) return read(object, []);
    const seen = new Set<string>();
    return elementsOf(valueAt(object, elementsPath))
      .flatMap(([key, element]) => read(element, [key]))
      .filter(({ labels: own }) => seen.size < seen.add(JSON.stringify(own)).size);
  };
}

/** With their keys; those of a list have none. */
function elementsOf(value: Json | undefined): (readonly [key: string, element: Json])[] {
  if (Array.isArray(value)) return value.slice(0, ELEMENTS_MAX).map((element) => ["", element] as const);
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value)
    .slice(0, ELEMENTS_MAX)
    .map(([key, element]) => [key.slice(0, LABEL_LENGTH_MAX), element] as const);
}

/** The labels of a metric's series that the configuration is the reason for, in the order of their values; `state` is the last one. */
export function labelNamesOf({ each, states, labels }: ObjectMetric): readonly string[] {
  return [...(each ? [KEY_LABEL] : []), ...Object.keys(labels), ...(states ? [STATE_LABEL] : [])];
}

/** A spec that says nothing asks for nothing; amounts agree when they are as much. */
function differs(wanted: Json | undefined, told: Json | undefined): boolean {
  return wanted !== undefined && !isDeepStrictEqual(wanted, told) && !isSameAmount(wanted, told);
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** The value as a number; `undefined` for what is none. */
export function numberOf(value: Json | undefined): number | undefined {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "string") {
    if (/^(true|false)$/i.test(value)) return Number(value.toLowerCase() === "true");
    if (TIME.test(value)) {
      const ms = Date.parse(value);
      return Number.isNaN(ms) ? undefined : ms / 1000;
    }
  }
  return quantityNumber(value);
}

function labelOf(place: unknown, path: Segments): string {
  const value = valueAt(place, path);
  if (value === undefined || value === null) return "";
  return (typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, LABEL_LENGTH_MAX);
}

/** Their series would be the same. */
function refuseSameNames(metrics: readonly ObjectMetric[], context: z.RefinementCtx): void {
  for (const [index, { name }] of metrics.entries()) {
    if (metrics.findIndex((each) => each.name === name) === index) continue;
    context.addIssue({
      code: "custom",
      path: [index, "name"],
      message: `"${name}" is there already: choose another name`,
    });
  }
}

function refuseLabels({ labels, each, states }: Parts, context: z.RefinementCtx): void {
  const names = Object.keys(labels);
  const own = [...OWN_LABELS, ...(each ? [KEY_LABEL] : []), ...(states ? [STATE_LABEL] : [])];
  if (names.length > LABELS_MAX)
    context.addIssue({ code: "custom", path: ["labels"], message: `expected at most ${LABELS_MAX} labels` });
  for (const name of names) {
    if (!own.includes(name) && LABEL_NAME.test(name)) continue;
    const message = own.includes(name)
      ? `${own.join(", ")} are set already: choose another name`
      : "expected a label's name: letters, digits and _";
    context.addIssue({ code: "custom", path: ["labels", name], message });
  }
}

interface Parts {
  readonly labels: Readonly<Record<string, string>>;
  readonly each?: string;
  readonly states?: readonly string[];
}
