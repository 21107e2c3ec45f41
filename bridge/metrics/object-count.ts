/**
 * The objects of all watches, counted when somebody asks: by namespace and phase, by condition, and what is worth a look. However many
 * phases and namespaces there are, the series are few: the most common ones keep their names, the rest is `other`. What an object was counted
 * in is gone with it.
 */
import { resourceTitle } from "../capture/resource.ts";
import type { Census, CountedObject } from "./census.ts";
import type { MetricFamily, Sample } from "./exposition.ts";
import { valueFamilies } from "./object-value.ts";

/** One resource, of however many watches. */
export interface ResourceCount {
  /** Such as `databases.demo.example.com`. */
  readonly resource: string;
  readonly kind: string;
  objects: number;
  readonly byNamespace: Map<string, Map<string, number>>;
  readonly byPhase: Map<string, PhaseCount>;
  /** By type, then by status. */
  readonly conditions: Map<string, Map<string, number>>;
  readonly terminating: Held;
  readonly ahead: Held;
  /** By the pair's two paths. */
  readonly diverged: Map<string, { readonly spec: string; readonly status: string; objects: number }>;
}

/** How many objects, and since when the longest of them (seconds since 1970; Infinity without one). */
export interface Held {
  objects: number;
  since: number;
}

/** The objects in a phase. */
export type PhaseCount = Held;

/** Series of phases a resource, of namespaces, and of types of condition; what is beyond them is `other`. */
const PHASES_MAX = 20;
const NAMESPACES_MAX = 50;
const CONDITIONS_MAX = 20;
const STATUSES = new Set(["True", "False", "Unknown"]);
const OTHER = "other";

/** Counts everything. */
export function countObjects(censuses: Iterable<Census>): readonly ResourceCount[] {
  const counts = new Map<string, ResourceCount>();
  for (const census of censuses) {
    const { resource, wishes } = census;
    const title = resourceTitle({ ...resource, namespace: undefined });
    const count = counts.get(title) ?? emptyCount(title, resource.kind);
    counts.set(title, count);
    const pairs = wishes.diverged.map(({ spec, status }) => {
      const pair = count.diverged.get(`${spec} ${status}`) ?? { spec, status, objects: 0 };
      count.diverged.set(`${spec} ${status}`, pair);
      return pair;
    });
    for (const [namespace, , object] of census.objects()) {
      add(count, namespace, object);
      for (const [index, pair] of pairs.entries()) pair.objects += (object.diverged >> index) & 1;
    }
  }
  return [...counts.values()];
}

function emptyCount(resource: string, kind: string): ResourceCount {
  const none = () => ({ objects: 0, since: Number.POSITIVE_INFINITY });
  return {
    ...{ resource, kind, objects: 0, byNamespace: new Map(), byPhase: new Map(), conditions: new Map() },
    ...{ terminating: none(), ahead: none(), diverged: new Map() },
  };
}

function add(count: ResourceCount, namespace: string, object: CountedObject): void {
  const { standing, phaseSince, aheadSince, terminatingSince } = object;
  const phase = standing.phase ?? "";
  count.objects++;
  increase(nested(count.byNamespace, namespace), phase);
  if (standing.phase !== undefined) hold(count.byPhase, phase, phaseSince);
  for (const [type, status] of standing.conditions)
    increase(nested(count.conditions, type), STATUSES.has(status) ? status : OTHER);
  if (terminatingSince > 0) lengthen(count.terminating, terminatingSince);
  if (aheadSince > 0) lengthen(count.ahead, aheadSince);
}

function nested(maps: Map<string, Map<string, number>>, key: string): Map<string, number> {
  const found = maps.get(key) ?? new Map<string, number>();
  maps.set(key, found);
  return found;
}

function increase(counts: Map<string, number>, key: string, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

function hold(held: Map<string, Held>, key: string, since: number, objects = 1): void {
  const found = held.get(key) ?? { objects: 0, since: Number.POSITIVE_INFINITY };
  held.set(key, found);
  lengthen(found, since, objects);
}

function lengthen(held: Held, since: number, objects = 1): void {
  held.objects += objects;
  held.since = Math.min(held.since, since);
}

/** The keys that keep their names: those with most objects, in order of their names where they have as many. */
function mostCommon(counts: Iterable<readonly [string, number]>, max: number): ReadonlySet<string> {
  const sorted = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return new Set(sorted.slice(0, max).map(([key]) => key));
}

/** The metrics of all objects now (seconds since 1970). */
export function objectFamilies(censuses: readonly Census[], now: number): readonly MetricFamily[] {
  const counts = countObjects(censuses).map((count) => ({ ...count, ...limited(count) }));
  const seconds = (since: number) => (Number.isFinite(since) ? Math.max(0, now - since) : 0);
  const gauge = (name: string, help: string, samples: readonly Sample[]): MetricFamily => ({
    ...{ name: `cr_reactor_${name}`, help, type: "gauge", samples },
  });
  const each = (samplesOf: (count: (typeof counts)[number]) => readonly Sample[]) => counts.flatMap(samplesOf);
  const one = (read: (count: (typeof counts)[number]) => number) =>
    counts.map((count) => ({ labels: { resource: count.resource }, value: read(count) }));
  return [
    gauge(
      "objects",
      "Objects in the cluster, by namespace and phase; the phase is empty where there is none.",
      each(placeSamples),
    ),
    gauge(
      "phase_longest_seconds",
      "How long the object has held its phase that holds it longest.",
      each(({ resource, phases }) =>
        [...phases].map(([phase, { since }]) => ({ labels: { resource, phase }, value: seconds(since) })),
      ),
    ),
    gauge("object_conditions", "Objects with this condition, by its status.", each(conditionSamples)),
    gauge(
      "objects_terminating",
      "Objects whose deletion has begun.",
      one(({ terminating }) => terminating.objects),
    ),
    gauge(
      "terminating_longest_seconds",
      "How long ago the oldest deletion began that is not finished; 0 without one.",
      one(({ terminating }) => seconds(terminating.since)),
    ),
    gauge(
      "objects_unobserved",
      "Objects whose spec is newer than what their status is about.",
      one(({ ahead }) => ahead.objects),
    ),
    gauge(
      "unobserved_longest_seconds",
      "How long the spec of an object has been ahead of its status, of the one where it is longest; 0 without one.",
      one(({ ahead }) => seconds(ahead.since)),
    ),
    gauge(
      "objects_diverged",
      "Objects in which the two places of a configured pair differ.",
      each(({ resource, diverged }) =>
        [...diverged.values()].map(({ spec, status, objects }) => ({
          labels: { resource, spec, status },
          value: objects,
        })),
      ),
    ),
    ...valueFamilies(censuses),
  ];
}

type Limited = Pick<ResourceCount, "resource" | "conditions"> & {
  readonly phases: ReadonlyMap<string, Held>;
  readonly places: ReadonlyMap<string, ReadonlyMap<string, number>>;
};

function limited(count: ResourceCount): Omit<Limited, "resource" | "conditions"> {
  const phasesKept = mostCommon(
    [...count.byPhase].map(([phase, { objects }]) => [phase, objects]),
    PHASES_MAX,
  );
  const phaseName = (phase: string) => (phase === "" || phasesKept.has(phase) ? phase : OTHER);
  const sizes = [...count.byNamespace].map(([namespace, phases]) => [namespace, sum(phases.values())] as const);
  const namespacesKept = mostCommon(sizes, NAMESPACES_MAX);
  const phases = new Map<string, Held>();
  for (const [phase, { objects, since }] of count.byPhase) hold(phases, phaseName(phase), since, objects);
  const places = new Map<string, Map<string, number>>();
  for (const [namespace, inside] of count.byNamespace) {
    const place = nested(places, namespacesKept.has(namespace) ? namespace : OTHER);
    for (const [phase, objects] of inside) increase(place, phaseName(phase), objects);
  }
  return { phases, places };
}

function placeSamples({ resource, places }: Limited): readonly Sample[] {
  return [...places].flatMap(([namespace, phases]) =>
    [...phases].map(([phase, value]) => ({ labels: { resource, namespace, phase }, value })),
  );
}

function conditionSamples({ resource, conditions }: Limited): readonly Sample[] {
  const kept = mostCommon(
    [...conditions].map(([type, statuses]) => [type, sum(statuses.values())]),
    CONDITIONS_MAX,
  );
  return [...conditions]
    .filter(([type]) => kept.has(type))
    .flatMap(([type, statuses]) =>
      [...statuses].map(([status, value]) => ({ labels: { resource, type, status }, value })),
    );
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
