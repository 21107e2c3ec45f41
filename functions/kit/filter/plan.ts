/**
 * The part of a filter that NATS decides: subject patterns, so that a function sleeps until its case may have occurred. The patterns
 * let through every event that the filter matches, and some that it does not (a label is not in the subject); the whole filter is
 * checked again in the process. No pattern covers another, which the server refuses (error 10138), and there are as few as possible:
 * with one pattern nats-server 2.15 reads a backlog at 20,000 messages a second, with two or more at 1,000.
 * Source: the eleven tokens of `bridge/subject.ts`; NATS wildcards, `*` is one token.
 */
import { encodePhase, encodeToken, groupOf, type Op, parseFieldPath, SUBJECT_ROOT } from "#contract";
import type { Filter, Selection } from "./filter.ts";

/** What a consumer subscribes to. No subjects: nothing can ever match. */
export interface Plan {
  readonly subjects: readonly string[];
}

/** The server takes thousands, but compares each with each when the consumer is made (1,000 take 79 ms); more than these are widened. */
const SUBJECTS_MAX = 64;
/** Each is compared with each; more, as from a list of thousands of phases, are widened before. */
const COMPARED_MAX = 1_024;

/** The tokens that filters speak about; the others are the same in every pattern of a plan. */
const DIMENSIONS = ["namespace", "op", "spec", "status", "phase"] as const;
type Dimension = (typeof DIMENSIONS)[number];
/** A token each; one that is left out is `*`. */
type Pattern = { readonly [dimension in Dimension]?: string };

const EVERYTHING: readonly Pattern[] = [{}];

/** The subjects of a selection, in alphabetical order. */
export function planSubjects({ apiVersion, kind, cluster, when, includeExisting = false }: Selection): Plan {
  const births: Op[] = includeExisting ? ["created", "existing"] : ["created"];
  const considered: Op[] = [...births, "updated", "deleted"];
  const wanted = when === undefined ? EVERYTHING : patternsOf(when, births);
  const patterns = withoutNeedlessOps(
    both(
      considered.map((op) => ({ op })),
      wanted,
    ),
    considered,
  );
  const object = [
    cluster === undefined ? "*" : encodeToken(cluster),
    encodeToken(groupOf(apiVersion)),
    encodeToken(kind),
  ];
  const subjects = patterns.map(({ namespace = "*", op = "*", spec = "*", status = "*", phase = "*" }) =>
    [SUBJECT_ROOT, ...object, namespace, "*", op, spec, status, phase, "*"].join("."),
  );
  return { subjects: subjects.sort() };
}

function patternsOf(filter: Filter, births: readonly Op[]): readonly Pattern[] {
  const { phase, field, created, deleted, namespaces, all = [], any } = filter;
  const conjuncts: (readonly Pattern[])[] = all.map((each) => patternsOf(each, births));
  if (created !== undefined) conjuncts.push(births.map((op) => ({ op })));
  if (deleted !== undefined) conjuncts.push([{ op: "deleted" }]);
  if (phase !== undefined) conjuncts.push(phasePatterns(phase, births));
  if (field !== undefined) conjuncts.push(fieldPatterns(field, births));
  if (namespaces !== undefined) conjuncts.push(namespaces.map(namespacePattern));
  if (any !== undefined) conjuncts.push(any.flatMap((each) => patternsOf(each, births)));
  return conjuncts.reduce(both, EVERYTHING);
}

/** The first sight of an object has no tokens behind its op; a creation has its phase's. */
function phasePatterns({ from, to }: NonNullable<Filter["phase"]>, births: readonly Op[]): readonly Pattern[] {
  const tokens: Pattern[] = to === undefined ? [{}] : [to].flat().map((phase) => ({ phase: encodePhase(phase) }));
  const updates = tokens.map((token) => ({ ...token, op: "updated" }));
  if (from !== undefined) return updates;
  const born = (op: Op): Pattern[] => (op === "existing" ? [{ op }] : tokens.map((token) => ({ ...token, op })));
  return [...updates, ...births.flatMap(born)];
}

/** The subject tells changes of spec (anything outside metadata and status) and status apart, not those of metadata. */
function fieldPatterns({ path, from, to }: NonNullable<Filter["field"]>, births: readonly Op[]): readonly Pattern[] {
  const part = partPattern(parseFieldPath(path)[0] ?? "");
  const updates = [{ ...part, op: "updated" }];
  if (to === undefined || from !== undefined) return updates;
  return [...updates, ...births.map((op) => (op === "existing" ? { op } : { ...part, op }))];
}

function partPattern(key: string): Pattern {
  if (key === "status") return { status: "status" };
  return key === "metadata" || key === "apiVersion" || key === "kind" ? {} : { spec: "spec" };
}

function namespacePattern(glob: string): Pattern {
  return glob.includes("*") ? {} : { namespace: encodeToken(glob) };
}

/**
 * Where every op that is considered has the same pattern otherwise, one pattern for any op does. Only creations and updates have a
 * spec, status or phase token, so with one of those these two are enough, and nothing more gets through.
 */
function withoutNeedlessOps(patterns: readonly Pattern[], considered: readonly Op[]): readonly Pattern[] {
  const alike = Map.groupBy(patterns, ({ op: _, ...rest }) => keyOf(rest));
  const merged = [...alike.values()].flatMap((group) => {
    const { op: _, ...rest } = group[0] ?? {};
    const isTold = rest.spec !== undefined || rest.status !== undefined || rest.phase !== undefined;
    const enough: readonly string[] = isTold ? ["created", "updated"] : considered;
    return enough.every((op) => group.some((pattern) => pattern.op === op)) ? [...group, rest] : group;
  });
  return reduced(merged);
}

/** What both sides let through, reduced. */
function both(left: readonly Pattern[], right: readonly Pattern[]): readonly Pattern[] {
  const common: Pattern[] = [];
  for (const a of reduced(left)) {
    for (const b of reduced(right)) {
      const disjoint = DIMENSIONS.some((d) => a[d] !== undefined && b[d] !== undefined && a[d] !== b[d]);
      if (!disjoint) common.push({ ...a, ...b });
    }
  }
  return reduced(common);
}

/** The same, wider where it has to be: at most SUBJECTS_MAX patterns, of which none covers another. */
function reduced(patterns: readonly Pattern[]): readonly Pattern[] {
  let kept = distinct(patterns);
  while (kept.length > COMPARED_MAX) kept = widened(kept);
  kept = withoutCovered(kept);
  while (kept.length > SUBJECTS_MAX) kept = withoutCovered(widened(kept));
  return kept;
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
