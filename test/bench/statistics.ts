/**
 * What the benchmark makes of its measurements: medians, percentiles, and whether a series drifts. Robust ones throughout, since on a machine that
 * does something else as well a mean tells of that.
 */

/** Repeated measurements of one thing. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

/** A value and when it was measured. */
export interface Point {
  readonly seconds: number;
  readonly value: number;
}

/** Which way a series goes. */
export interface Drift {
  /** The median of the slopes between all pairs of points (Theil and Sen), in units of the value. */
  readonly perHour: number;
  /** Mann and Kendall's test, in standard deviations: above 0 it rises. */
  readonly z: number;
  /** Whether it rises, so that chance would do it once in a hundred times, by more than what does not matter. */
  readonly rises: boolean;
}

/** One-sided, 1 %. */
const RISE_Z_MIN = 2.326;

/** The middle, and how far apart the others are. Throws RangeError without values. */
export function summaryOf(values: readonly number[]): Summary {
  const sorted = values.toSorted((one, other) => one - other);
  return {
    median: percentile(sorted, 50),
    min: at(sorted, 0),
    max: at(sorted, sorted.length - 1),
    count: sorted.length,
  };
}

/** Of sorted values, between two of them in proportion. Throws RangeError without values. */
export function percentile(sorted: readonly number[], percent: number): number {
  const place = ((sorted.length - 1) * percent) / 100;
  const below = at(sorted, Math.floor(place));
  return below + (at(sorted, Math.ceil(place)) - below) * (place - Math.floor(place));
}

/** Judges a series of at least three points. A rise of less than `negligiblePerHour` does not matter. */
export function driftOf(points: readonly Point[], negligiblePerHour: number): Drift {
  const slopes: number[] = [];
  let score = 0;
  for (const [index, later] of points.entries())
    for (const earlier of points.slice(0, index)) {
      slopes.push((later.value - earlier.value) / (later.seconds - earlier.seconds));
      score += Math.sign(later.value - earlier.value);
    }
  const perHour = summaryOf(slopes).median * 3600;
  const z = score === 0 ? 0 : (score - Math.sign(score)) / Math.sqrt(varianceOf(points));
  return { perHour, z, rises: z > RISE_Z_MIN && perHour > negligiblePerHour };
}

/** The smallest value of each window: of a process that collects garbage, what it holds. */
export function lowestOfEach(points: readonly Point[], windowSeconds: number): Point[] {
  const windows = Map.groupBy(points, ({ seconds }) => Math.floor(seconds / windowSeconds));
  return [...windows.values()].map((window) => window.reduce((low, each) => (each.value < low.value ? each : low)));
}

/** Of the score when nothing drifts, less for values that are equal. */
function varianceOf(points: readonly Point[]): number {
  const term = (n: number) => n * (n - 1) * (2 * n + 5);
  const ties = [...Map.groupBy(points, ({ value }) => value).values()].map(({ length }) => term(length));
  return Math.max(1, (term(points.length) - ties.reduce((sum, each) => sum + each, 0)) / 18);
}

function at(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError("there are no values");
  return value;
}
