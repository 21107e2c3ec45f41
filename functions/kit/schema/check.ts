/**
 * Mistakes that no filter tells by itself: a path that the kind does not have, a value that never stands there. Such a filter is
 * right to the letter and never fires, and nobody would know. Checked against the schemas that bridges publish; where clusters differ, one
 * that knows the path is enough.
 */
import { type Json, type KindSchema, parseFieldPath, type SchemaNode, toDotted } from "#contract";
import { compileCel } from "../expression/cel.ts";
import type { Filter, Selection } from "../filter/filter.ts";
import { pathsIn } from "../filter/grouping.ts";
import { groupingsIn } from "../filter/time.ts";
import { placeIn } from "./schema-place.ts";
import { amountProblem, noneOf, valueProblem } from "./schema-value.ts";

/** A mistake in a filter. */
export interface Mistake {
  /** Where in the subscription: `when.all[1].field`. */
  readonly place: string;
  /** A sentence that says what is wrong, what was probably meant, and what becomes of it. */
  readonly message: string;
}

/** What is asked of a schema about one part of a filter; the answer is what is wrong. */
interface Question {
  readonly place: string;
  /** What becomes of a filter with this mistake: `so it never holds`. */
  readonly consequence: string;
  ask(kind: KindSchema): string | undefined;
}

/** More parts than this are not looked at: it is no filter that a person wrote. */
const QUESTIONS_MAX = 1_000;
const CONDITIONS = ["status", "conditions"];
/** Kubernetes API conventions, "Typical status properties". */
const CONDITION_STATUS: readonly Json[] = ["True", "False", "Unknown"];
const CONDITION_PREFIX = "condition:";

/** The schemas that the selection is about: of its kind, in its version, in the clusters that it means. */
export function schemasOf(
  { cluster, apiVersion, kind }: Selection,
  schemas: Iterable<KindSchema>,
): readonly KindSchema[] {
  return [...schemas].filter(
    (each) =>
      each.kind === kind && each.apiVersion === apiVersion && (cluster === undefined || each.cluster === cluster),
  );
}

/** Tells what can never hold. Without a schema of the kind nothing is told. */
export function checkSelection(selection: Selection, schemas: Iterable<KindSchema>): readonly Mistake[] {
  const kinds = schemasOf(selection, schemas);
  if (kinds.length === 0) return [];
  const mistakes: Mistake[] = [];
  let asked = 0;
  for (const { place, consequence, ask } of questionsAbout(selection)) {
    if (++asked > QUESTIONS_MAX) break;
    const problems = kinds.map(ask);
    const [first] = problems;
    if (first === undefined || problems.includes(undefined)) continue;
    const clusters = kinds.map(({ cluster }) => cluster).toSorted();
    const where = clusters.length > 1 ? ` (in each of the clusters ${clusters.join(", ")})` : "";
    mistakes.push({ place, message: `${place}: ${first}${where}, ${consequence}` });
  }
  return mistakes;
}

function* questionsAbout(selection: Selection): Generator<Question, void, undefined> {
  const { when, resolve } = selection;
  if (when !== undefined) yield* questionsOf(when, "when", false);
  if (resolve !== undefined) yield* questionsOf(resolve, "resolve", false);
  for (const [place, grouping] of groupingsIn(selection)) {
    const consequence = "so it tells nothing apart";
    for (const path of pathsIn(grouping)) yield { place, consequence, ask: (kind) => pathProblem(kind, path) };
  }
}

function* questionsOf(filter: Filter, place: string, isNegated: boolean): Generator<Question, void, undefined> {
  const { phase, condition, field, diverged, cel, all = [], any = [], not } = filter;
  const consequence = `so it ${isNegated ? "always" : "never"} holds`;
  const about: About = (key, ask) => ({ place: `${place}.${key}`, consequence, ask });
  if (phase !== undefined) yield* phaseQuestions(phase, about);
  if (condition !== undefined) yield* conditionQuestions(condition, about);
  if (field !== undefined) yield* fieldQuestions(field, about);
  if (diverged !== undefined) {
    for (const [key, path] of Object.entries(diverged))
      yield about(`diverged.${key}`, (kind) => pathProblem(kind, parseFieldPath(path)));
  }
  if (cel !== undefined) {
    // What an expression makes of a field that is never there is its own affair.
    for (const question of celQuestions(cel, about)) yield { ...question, consequence: "so it is never there" };
  }
  for (const [index, each] of all.entries()) yield* questionsOf(each, `${place}.all[${index}]`, isNegated);
  for (const [index, each] of any.entries()) yield* questionsOf(each, `${place}.any[${index}]`, isNegated);
  if (not !== undefined) yield* questionsOf(not, `${place}.not`, !isNegated);
}

type About = (key: string, ask: Question["ask"]) => Question;

function* fieldQuestions(field: NonNullable<Filter["field"]>, about: About): Generator<Question> {
  const segments = parseFieldPath(field.path);
  const path = toDotted(segments);
  yield about("field", (kind) => pathProblem(kind, segments));
  for (const key of ["from", "to"] as const) {
    const value = field[key];
    if (value === undefined) continue;
    yield about(`field.${key}`, (kind) => nodeProblem(kind, segments, (node) => valueProblem(node, value, path)));
  }
  for (const key of ["increased", "decreased"] as const) {
    if (field[key] === undefined) continue;
    yield about(`field.${key}`, (kind) => nodeProblem(kind, segments, (node) => amountProblem(node, path)));
  }
}

function* conditionQuestions(condition: NonNullable<Filter["condition"]>, about: About): Generator<Question> {
  const { type, from, to } = condition;
  yield about("condition", (kind) => pathProblem(kind, CONDITIONS));
  for (const [key, wanted] of Object.entries({ from, to })) {
    for (const value of wanted === undefined ? [] : [wanted].flat()) {
      // A boolean is what YAML makes of an unquoted True.
      if (typeof value === "boolean") continue;
      yield about(`condition.${key}`, (kind) => {
        const values = conditionStatus(kind) ?? CONDITION_STATUS;
        return values.includes(value) ? undefined : noneOf(value, values, `the status of the condition ${type}`);
      });
    }
  }
}

function* celQuestions(source: string, about: About): Generator<Question> {
  for (const { variable, path } of compileCel(source).paths) {
    if ((variable === "object" || variable === "before") && path.length > 0)
      yield about("cel", (kind) => pathProblem(kind, path));
  }
}

function* phaseQuestions({ from, to }: NonNullable<Filter["phase"]>, about: About): Generator<Question> {
  yield about("phase", (kind) => ofEachPhase(kind, (source) => phasePlaceProblem(kind, source)));
  for (const [key, wanted] of Object.entries({ from, to })) {
    for (const value of wanted === undefined ? [] : [wanted].flat()) {
      yield about(`phase.${key}`, (kind) => ofEachPhase(kind, (source) => phaseValueProblem(kind, source, value)));
    }
  }
}

/** A bridge may read the phase of a kind at several places; one that knows it is enough. */
function ofEachPhase({ phases }: KindSchema, ask: (source: string) => string | undefined): string | undefined {
  const problems = phases.map(ask);
  return problems.includes(undefined) ? undefined : problems[0];
}

function phasePlaceProblem(kind: KindSchema, source: string): string | undefined {
  const problem = pathProblem(kind, source.startsWith(CONDITION_PREFIX) ? CONDITIONS : parseFieldPath(source));
  return problem && `the bridge reads the phase at ${source}; set its phase: ${problem}`;
}

function phaseValueProblem(kind: KindSchema, source: string, value: string): string | undefined {
  if (source.startsWith(CONDITION_PREFIX)) {
    const values = conditionStatus(kind) ?? CONDITION_STATUS;
    return values.includes(value) ? undefined : noneOf(value, values, `the phase (${source})`);
  }
  return nodeProblem(kind, parseFieldPath(source), (node) => {
    const values = node.type === "boolean" ? ["true", "false"] : node.enum?.map(String);
    return values === undefined || values.includes(value) ? undefined : noneOf(value, values, `the phase (${source})`);
  });
}

/** The values that the kind's schema has for the status of a condition. */
function conditionStatus(kind: KindSchema): readonly Json[] | undefined {
  const place = placeIn(kind, [...CONDITIONS, "0", "status"]);
  return place.type === "known" ? place.node.enum : undefined;
}

function pathProblem(kind: KindSchema, segments: readonly string[]): string | undefined {
  const place = placeIn(kind, segments);
  return place.type === "none" ? place.problem : undefined;
}

/** Where the path itself is wrong, that is told by another question. */
function nodeProblem(
  kind: KindSchema,
  segments: readonly string[],
  problemOf: (node: SchemaNode) => string | undefined,
): string | undefined {
  const place = placeIn(kind, segments);
  return place.type === "known" ? problemOf(place.node) : undefined;
}
