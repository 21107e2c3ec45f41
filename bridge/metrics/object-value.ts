/**
 * The values that the configuration asks for of each object, as metrics: a series an object or element, so their number is bounded and what is left out
 * is counted.
 */

import { resourceTitle } from "../capture/resource.ts";
import type { Census } from "./census.ts";
import type { MetricFamily, Sample } from "./exposition.ts";
import { labelNamesOf, type ObjectMetric, type ObjectValue } from "./object-metric.ts";

/** Series of one metric: beyond them Prometheus would suffer more than it helps. */
const SERIES_MAX = 10_000;

type Family = MetricFamily & { readonly samples: Sample[] };

/** Of all objects now; empty where none is asked for. */
export function valueFamilies(censuses: readonly Census[]): readonly MetricFamily[] {
  const families = new Map<string, Family>();
  let dropped = 0;
  for (const census of censuses) {
    const { wishes, resource } = census;
    if (wishes.metrics.length === 0) continue;
    const wanted = wishes.metrics.map((metric) => ({ metric, family: familyFor(metric, families) }));
    const title = resourceTitle({ ...resource, namespace: undefined });
    for (const [namespace, name, { values = [] }] of census.objects()) {
      for (const value of values) {
        const { metric, family } = wanted[value.metric] ?? {};
        if (metric === undefined || family === undefined) continue;
        const samples = samplesOf(metric, value, { resource: title, namespace, name });
        if (family.samples.length + samples.length <= SERIES_MAX) family.samples.push(...samples);
        else dropped += samples.length;
      }
    }
  }
  const lost: MetricFamily = {
    name: "cr_reactor_resource_values_dropped",
    help: `Series of configured metrics that are left out, because each metric has at most ${SERIES_MAX}.`,
    type: "gauge",
    samples: [{ labels: {}, value: dropped }],
  };
  return families.size === 0 ? [] : [...families.values(), lost];
}

/** Two resources may have a metric of the same name. */
function familyFor({ name: short, path, each }: ObjectMetric, families: Map<string, Family>): Family {
  const name = `cr_reactor_resource_${short}`;
  const place = each === undefined ? "" : ` of each in ${each}`;
  const help = path === undefined ? `Its labels${place}.` : `The value at ${path}${place}.`;
  const family: Family = families.get(name) ?? { name, help, type: "gauge", samples: [] };
  families.set(name, family);
  return family;
}

/** One, or with states one for each. */
function samplesOf(
  metric: ObjectMetric,
  { value, labels }: ObjectValue,
  own: Readonly<Record<string, string>>,
): Sample[] {
  const names = labelNamesOf(metric);
  const labelled = (texts: readonly string[]) => ({
    ...own,
    ...Object.fromEntries(names.map((label, place) => [label, texts[place] ?? ""])),
  });
  if (metric.states === undefined) return [{ labels: labelled(labels), value }];
  return metric.states.map((state, place) => ({
    labels: labelled([...labels, state]),
    value: Number(place === value),
  }));
}
