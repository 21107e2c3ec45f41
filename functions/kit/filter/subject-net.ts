/**
 * What NATS can decide of a filter: patterns of subjects, through which every event gets that the filter matches, and perhaps some
 * that it does not. None covers another, which the server refuses (error 10138), and there are as few as possible.
 * Source: the eleven tokens of `bridge/log/subject.ts`; NATS wildcards, `*` is one token.
 */
import type { Op } from "#contract";

/** The server takes thousands, but compares each with each when the consumer is made (1,000 take 79 ms); more than these are widened. */
const SUBJECTS_MAX = 64;
/** Each is compared with each; more, as from a list of thousands of phases, are widened before. */
const COMPARED_MAX = 1_024;

/** The tokens that filters speak about; the others are the same in every pattern of a plan. */
const DIMENSIONS = ["cluster", "namespace", "name", "op", "spec", "status", "phase"] as const;
type Dimension = (typeof DIMENSIONS)[number];
/** An encoded token each; one that is left out is `*`. */
export type Pattern = { readonly [dimension in Dimension]?: string };

/** `exact`: nothing else gets through, so that there is nothing left to decide. */
export interface Net {
  readonly patterns: readonly Pattern[];
  readonly exact: boolean;
}

/** Which events are considered at all. */
export interface Scope {
  readonly apiVersion: string;
  readonly kind: string;
  readonly ops: readonly Op[];
  /** Those among them that count as a birth. */
  readonly births: readonly Op[];
}

/** Nothing that NATS could tell apart. */
export const UNDECIDED: Net = { patterns: [{}], exact: false };
/** Holds for every event. */
export const EVERYTHING: Net = { patterns: [{}], exact: true };
/** Holds for none. */
export const NOTHING: Net = { patterns: [], exact: true };

/** What gets through any of the patterns, and perhaps is not meant. */
export function coarse(patterns: readonly Pattern[]): Net {
  return { patterns, exact: false };
}

/** Exactly the events of these ops. */
export function opsNet(ops: readonly Op[]): Net {
  return { patterns: ops.map((op) => ({ op })), exact: true };
}

/** What all of the nets let through. */
export function allOf(nets: readonly Net[]): Net {
  return nets.reduce(both, EVERYTHING);
}

/** What any of the nets lets through. */
export function anyOf(nets: readonly Net[]): Net {
  const exact = nets.every((net) => net.exact);
  return reduced({ patterns: nets.flatMap(({ patterns }) => patterns), exact });
}

/** What the net does not let through; only what happened can be told by its opposite, because NATS has no "anything but". */
export function opposite({ patterns, exact }: Net, { ops }: Scope): Net {
  if (!exact) return UNDECIDED;
  const isOpAlone = (pattern: Pattern) => DIMENSIONS.every((d) => d === "op" || pattern[d] === undefined);
  const excluded = patterns.filter(isOpAlone).flatMap(({ op }) => op ?? ops);
  const left = opsNet(ops.filter((op) => !excluded.includes(op)));
  return { ...left, exact: patterns.every(isOpAlone) };
}

/**
 * Where every op has the same pattern otherwise, one pattern for any op does, and one pattern is read twenty times as fast as two. Only
 * creations and updates have a spec, status or phase token, so with one of those these two are enough, and nothing more gets through;
 * else what is not considered gets through too (`every` is what can happen).
 */
export function withoutNeedlessOps({ patterns, exact }: Net, considered: readonly Op[], every: readonly Op[]): Net {
  let precise = exact;
  const alike = Map.groupBy(patterns, ({ op: _, ...rest }) => keyOf(rest));
  const merged = [...alike.values()].flatMap((group) => {
    const { op: _, ...rest } = group[0] ?? {};
    const isTold = rest.spec !== undefined || rest.status !== undefined || rest.phase !== undefined;
    const enough: readonly Op[] = isTold ? ["created", "updated"] : considered;
    if (!enough.every((op) => group.some((pattern) => pattern.op === op))) return group;
    if (!isTold && considered.length < every.length) precise = false;
    return [...group, rest];
  });
  return reduced({ patterns: merged, exact: precise });
}

/** The same, wider where it has to be: at most SUBJECTS_MAX patterns, of which none covers another. */
export function reduced({ patterns, exact }: Net): Net {
  let kept = distinct(patterns);
  let precise = exact;
  const widen = () => {
    kept = widened(kept);
    precise = false;
  };
  while (kept.length > COMPARED_MAX) widen();
  kept = withoutCovered(kept);
  while (kept.length > SUBJECTS_MAX) {
    widen();
    kept = withoutCovered(kept);
  }
  return { patterns: kept, exact: precise };
}

/** What both let through, reduced. */
function both(left: Net, right: Net): Net {
  const [some, others] = [reduced(left), reduced(right)];
  const common: Pattern[] = [];
  for (const a of some.patterns) {
    for (const b of others.patterns) {
      const disjoint = DIMENSIONS.some((d) => a[d] !== undefined && b[d] !== undefined && a[d] !== b[d]);
      if (!disjoint) common.push({ ...a, ...b });
    }
  }
  return reduced({ patterns: common, exact: some.exact && others.exact });
}

function keyOf(pattern: Pattern): string {
  return DIMENSIONS.map((d) => pattern[d] ?? "*").join(".");
}

function distinct(patterns: readonly Pattern[]): readonly Pattern[] {
  return [...new Map(patterns.map((pattern) => [keyOf(pattern), pattern])).values()];
}

function withoutCovered(patterns: readonly Pattern[]): readonly Pattern[] {
  return patterns.filter((pattern) => !patterns.some((other) => other !== pattern && covers(other, pattern)));
}

/** Without the token in which they differ most. */
function widened(patterns: readonly Pattern[]): readonly Pattern[] {
  const variety = (d: Dimension) => new Set(patterns.map((pattern) => pattern[d])).size;
  const [widest = "phase"] = [...DIMENSIONS].sort((a, b) => variety(b) - variety(a));
  return distinct(patterns.map(({ [widest]: _, ...rest }) => rest));
}

function covers(wide: Pattern, narrow: Pattern): boolean {
  return DIMENSIONS.every((d) => wide[d] === undefined || wide[d] === narrow[d]);
}
