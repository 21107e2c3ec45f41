/**
 * What the configuration wants to know of each object of a kind: a value as a gauge, and pairs of places that should agree. Values are
 * read as kube-state-metrics reads them: numbers, quantities (`500m`, `2Gi`), booleans, and times as seconds since 1970.
 * Source: kube-state-metrics, CustomResourceState (type Gauge).
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { FieldPath, parseFieldPath, type Segments, valueAt } from "../event/field-path.ts";
import type { Json, KubeObject } from "../kube/kube-object.ts";
import { isSameAmount, quantityNumber } from "../kube/quantity.ts";

/** Set by us on each series. */
const OWN_LABELS = ["resource", "namespace", "name"];
const LABEL_NAME = /^[a-zA-Z][a-zA-Z0-9_]*$/;

/** Each is a series an object, so a few. */
const METRICS_MAX = 16;
const LABELS_MAX = 8;
/** One bit each. */
const PAIRS_MAX = 16;

/** A gauge `cr_reactor_resource_<name>` with one series for each object that has a value. */
export const ObjectMetric = z.strictObject({
  name: z
    .string()
    .regex(/^(?!values_dropped$)[a-z][a-z0-9_]{0,99}$/, "expected a metric's name: lower-case letters, digits and _"),
  path: FieldPath,
  /** Labels, by the paths of their values. */
  labels: z.record(z.string(), FieldPath).superRefine(refuseLabels).default({}),
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

/** The value of one metric of an object. */
export interface ObjectValue {
  readonly value: number;
  /** In the order of the metric's labels. */
  readonly labels: readonly string[];
}

/** Reads one object as the wishes want it. */
export interface ObjectReader {
  /** One for each metric, `undefined` where the object has no such value; `undefined` when there is none at all. */
  values(object: KubeObject): readonly (ObjectValue | undefined)[] | undefined;
  /** A bit for each pair that differs. */
  diverged(object: KubeObject): number;
}

/** A label that is longer is cut: it is of somebody else's choosing. */
const LABEL_LENGTH_MAX = 128;

/** Prepares the paths. */
export function objectReader({ metrics, diverged }: ObjectWishes): ObjectReader {
  const wanted = metrics.map(({ path, labels }) => ({
    path: parseFieldPath(path),
    labels: Object.values(labels).map(parseFieldPath),
  }));
  const pairs = diverged.map(({ spec, status }) => [parseFieldPath(spec), parseFieldPath(status)] as const);
  return {
    values(object) {
      if (wanted.length === 0) return undefined;
      const values = wanted.map(({ path, labels }) => {
        const value = numberOf(valueAt(object, path));
        return value === undefined ? undefined : { value, labels: labels.map((each) => labelOf(object, each)) };
      });
      return values.every((value) => value === undefined) ? undefined : values;
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

function labelOf(object: KubeObject, path: Segments): string {
  const value = valueAt(object, path);
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

function refuseLabels(labels: Readonly<Record<string, string>>, context: z.RefinementCtx): void {
  const names = Object.keys(labels);
  if (names.length > LABELS_MAX) context.addIssue({ code: "custom", message: `expected at most ${LABELS_MAX} labels` });
  for (const name of names) {
    const message = OWN_LABELS.includes(name)
      ? `${OWN_LABELS.join(", ")} are set already: choose another name`
      : "expected a label's name: letters, digits and _";
    if (OWN_LABELS.includes(name) || !LABEL_NAME.test(name))
      context.addIssue({ code: "custom", path: [name], message });
  }
}
