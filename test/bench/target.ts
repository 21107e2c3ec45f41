/**
 * What is promised: ratios of ours to the floor's in the same run, and a few bounds of our own. A target that was not measured, because its
 * scenario was left out or a peer could not be built, is neither met nor missed.
 */
import type { Row } from "./measure.ts";

/** One promise about the rows of one measure. */
export interface Target {
  readonly scenario: string;
  readonly measure: string;
  /** Which rows; left out: all of that measure. */
  readonly work?: RegExp;
  readonly promise: string;
  /** Ours against the named column, or against the fastest of the others, or by itself. */
  readonly against: "floor" | "fastest other" | "nothing";
  /** Of the ratio, or of the value where it is against nothing. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** A target and what came of it. */
export interface Verdict {
  readonly promise: string;
  readonly work: string;
  /** The ratio or value that decides; `undefined` where nothing was measured. */
  readonly found: number | undefined;
  readonly result: "met" | "not met" | "not measured";
}

/** The targets of this project. */
export const TARGETS: readonly Target[] = [
  { scenario: "drain", measure: "rate", promise: "at least 2 × the floor's rate", against: "floor", atLeast: 2 },
  { scenario: "drain", measure: "CPU", promise: "at most 0.5 × the floor's CPU", against: "floor", atMost: 0.5 },
  { scenario: "capture", measure: "CPU", promise: "at most 0.5 × the floor's CPU", against: "floor", atMost: 0.5 },
  { scenario: "capture", measure: "lost", promise: "nothing lost", against: "nothing", atMost: 0 },
  { scenario: "capture", measure: "doubled", promise: "nothing doubled", against: "nothing", atMost: 0 },
  { scenario: "latency", measure: "p99", promise: "at most 1.25 × the floor's p99", against: "floor", atMost: 1.25 },
  {
    ...{ scenario: "start", measure: "restart: lists", promise: "no list when the checkpoint is fresh" },
    ...{ against: "nothing", atMost: 0 },
  },
  {
    ...{ scenario: "start", measure: "restart: synced", promise: "restarted in less time than the floor's list" },
    ...{ against: "floor", atMost: 1 },
  },
  {
    ...{ scenario: "start", work: /^100,000 objects of 2 KB$/, measure: "first: RSS in step" },
    ...{ promise: "at most a quarter of the floor's memory", against: "floor", atMost: 0.25 },
  },
  {
    ...{ scenario: "start", work: /^100,000 objects of 2 KB$/, measure: "first: highest RSS" },
    ...{ promise: "at most a quarter of the floor's peak", against: "floor", atMost: 0.25 },
  },
  { scenario: "functions", measure: "idle RSS", promise: "idle under 60 MB", against: "nothing", atMost: 57.2 },
  { scenario: "functions", measure: "wake-up", promise: "awake within 300 ms", against: "nothing", atMost: 300 },
  {
    ...{ scenario: "diff", work: /^20 KB/, measure: "time", promise: "at least 3 × as fast as the fastest library" },
    ...{ against: "fastest other", atMost: 1 / 3 },
  },
];

/** Judges each target on each row that it is about, in the order of the targets. */
export function judge(rows: readonly Row[], targets: readonly Target[] = TARGETS): Verdict[] {
  return targets.flatMap((target) => {
    const { scenario, measure, promise, work = /./ } = target;
    const found = rows.filter((row) => row.scenario === scenario && row.measure === measure && work.test(row.work));
    if (found.length === 0)
      return [{ promise: `${scenario}: ${promise}`, work: "", found: undefined, result: "not measured" }];
    return found.map((row) => {
      const value = valueFor(row, target.against);
      return { promise: `${scenario}: ${promise}`, work: row.work, found: value, result: resultOf(value, target) };
    });
  });
}

/** Ours divided by the other's median; `undefined` where one of them is missing. */
export function valueFor({ cells }: Row, against: Target["against"]): number | undefined {
  const { us, ...others } = cells;
  if (us === undefined) return undefined;
  if (against === "nothing") return us.median;
  const medians = Object.values(others).map(({ median }) => median);
  const other = against === "floor" ? others["floor"]?.median : medians.length > 0 ? Math.min(...medians) : undefined;
  return other === undefined || other === 0 ? undefined : us.median / other;
}

function resultOf(
  value: number | undefined,
  { atLeast = 0, atMost = Number.POSITIVE_INFINITY }: Target,
): Verdict["result"] {
  if (value === undefined) return "not measured";
  return value >= atLeast && value <= atMost ? "met" : "not met";
}
