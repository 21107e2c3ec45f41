/**
 * The budget of one evaluation: whatever the expression and the data are, it ends after a bounded number of steps. cel-js has no budget, so
 * each node of the parsed expression is counted when it is evaluated, and pays for the size of what it is handed and of what it makes:
 * loops, comparisons of whole objects and texts that double all end. An error that a loop swallows is paid for, too.
 * This leans on two things of cel-js that it does not document (`evaluate` and `meta` of a node); the hostile rows of the test hold them.
 */
import type { ParseResult } from "@marcbachmann/cel-js";

/** Some 15 ms on a slow core; an expression of a few comparisons takes 10 to 50. */
export const STEPS_MAX = 100_000;
/** A text costs one step for so many of its characters. */
const CHARACTERS_A_STEP = 64;
/** An error with its place costs as much as so many nodes. */
const ERROR_STEPS = 100;
/** A time zone is looked up in tables at each call. */
const TIME_ZONE_STEPS = 300;
/** What is looked for in another text (`contains`): longer ones make the search slow. */
const NEEDLE_LENGTH_MAX = 256;
/** cel-js reads a duration in cubic time; no true one is longer. */
const DURATION_LENGTH_MAX = 64;
/** A timestamp without an offset would depend on the machine's time zone. */
export const TIMESTAMP = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;

/** Its operators take values apart, and pay for the size of each operand. */
const TAKES_APART = new Set(["==", "!=", "in", "+", "-", "*", "/", "%", "<", "<=", ">", ">=", "call", "rcall"]);
/** They make new values, and pay for their size. */
const MAKES = new Set(["+", "call", "rcall", "list", "map", "comprehension"]);

/** Why an evaluation was ended by us; the message is a reason that quotes no data. */
export class CelRefusal extends Error {}

/** Counts the steps of one evaluation at a time. */
export interface CelMeter {
  /** Begins an evaluation with a full budget. */
  start(): void;
  /** Throws CelRefusal when the budget is used up, and from then on always. */
  spend(steps: number): void;
  /** A loop may have swallowed the refusal. */
  readonly exhausted: CelRefusal | undefined;
  /** What it costs to go through a value, in steps. */
  weigh(value: unknown): number;
  /** Pays for an error once, however many nodes it passes. */
  spendError(error: unknown): void;
}

/** @param stepsMax default STEPS_MAX */
export function createCelMeter(stepsMax = STEPS_MAX): CelMeter {
  // Made once, since a loop may meet it very often.
  const refusal = new CelRefusal(
    `it takes more than ${stepsMax} steps; make its loops or what they go through smaller`,
  );
  let left = stepsMax;
  let weights = new WeakMap<object, number>();
  let lastError: unknown;
  const spend = (steps: number) => {
    left -= steps;
    if (left < 0) throw refusal;
  };
  const sum = (values: Iterable<unknown>) => {
    let steps = 1;
    for (const value of values) steps += weigh(value);
    return steps;
  };
  const weigh = (value: unknown): number => {
    if (typeof value === "string") return 1 + Math.floor(value.length / CHARACTERS_A_STEP);
    if (typeof value !== "object" || value === null) return 1;
    const known = weights.get(value);
    if (known !== undefined) return known;
    let steps = 1;
    if (Array.isArray(value)) steps = sum(value);
    else if (value instanceof Map) steps = sum(value.keys()) + sum(value.values());
    else if (Object.getPrototypeOf(value) === Object.prototype)
      steps = sum(Object.keys(value)) + sum(Object.values(value));
    weights.set(value, steps);
    return steps;
  };
  return {
    start() {
      left = stepsMax;
      weights = new WeakMap();
      lastError = undefined;
    },
    spend,
    get exhausted() {
      return left < 0 ? refusal : undefined;
    },
    weigh,
    spendError(error) {
      if (error === lastError || error === refusal) return;
      lastError = error;
      spend(ERROR_STEPS);
    },
  };
}

/** A node as cel-js evaluates it: what a macro becomes is in `meta`. */
interface Node {
  readonly op: string;
  readonly args: unknown;
  readonly meta: { readonly alternate?: Node; readonly macro?: object };
  evaluate: (evaluator: unknown, node: Node, context: unknown) => unknown;
}

/** Who takes a node's value: an operator or function by name, and the operand's place (a method's receiver is 0). */
interface Taker {
  readonly name: string;
  readonly place: number;
}

/** Makes every node of a parsed expression pay the meter. Call it before the type check and the first evaluation. */
export function meterNodes(parsed: ParseResult, meter: CelMeter): void {
  const root = parsed.ast as unknown as Node;
  const seen = new Set<unknown>();
  const isNode = (value: unknown): value is Node => value instanceof (root.constructor as new () => Node);
  const below = (value: object, taker?: Taker): readonly Operand[] => {
    if (Array.isArray(value)) return value.map((each: unknown) => [each, taker]);
    return isNode(value) ? operandsOf(value) : Object.values(value).map((each: unknown) => [each]);
  };
  const walk = (value: unknown, taker?: Taker): void => {
    if (typeof value !== "object" || value === null || seen.has(value)) return;
    seen.add(value);
    if (isNode(value)) pay(value, taker, meter);
    for (const [each, takenBy] of below(value, taker)) walk(each, takenBy);
  };
  walk(root);
}

/** A part of a node, and who takes its value. */
type Operand = readonly [unknown, (Taker | undefined)?];

function operandsOf({ op, args, meta }: Node): readonly Operand[] {
  const expanded = meta.alternate ?? meta.macro;
  if (expanded) return [[expanded]];
  if (op === "call" || op === "rcall") {
    const [name, ...operands] = args as [string, ...unknown[]];
    return operands.flat().map((operand, place) => [operand, { name, place }] as const);
  }
  if (op === "comprehension") {
    const { iterable, ...rest } = args as { readonly iterable: unknown };
    return [[iterable, { name: op, place: 0 }], [rest]];
  }
  if (!TAKES_APART.has(op)) return [[args]];
  const operands = args as Node[];
  const isWithNull = operands.some((operand) => operand.op === "value" && operand.args === null);
  return operands.map((operand, place) => (isWithNull ? [operand] : [operand, { name: op, place }]));
}

function pay(node: Node, taker: Taker | undefined, meter: CelMeter): void {
  let own = node.evaluate;
  const makes = MAKES.has(node.op);
  const counted: Node["evaluate"] = (evaluator, self, context) => {
    meter.spend(1);
    try {
      const value = own.call(node, evaluator, self, context);
      if (makes) meter.spend(meter.weigh(value));
      if (taker) take(taker, value, meter);
      return value;
    } catch (error) {
      meter.spendError(error);
      throw error;
    }
  };
  // cel-js replaces `evaluate` at the first call; what it sets is counted as well.
  Object.defineProperty(node, "evaluate", { get: () => counted, set: (next: Node["evaluate"]) => (own = next) });
}

function take({ name, place }: Taker, value: unknown, meter: CelMeter): void {
  // A loop pays for its elements one by one, as it uses them.
  meter.spend(name === "comprehension" && Array.isArray(value) ? value.length : meter.weigh(value));
  if (typeof value !== "string") return;
  if (name === "duration" && value.length > DURATION_LENGTH_MAX) throw new CelRefusal("a duration is too long");
  if (name === "timestamp" && !TIMESTAMP.test(value))
    throw new CelRefusal("a text is no RFC 3339 timestamp with an offset");
  if (place === 0) return;
  if (name.startsWith("get")) meter.spend(TIME_ZONE_STEPS);
  if (value.length > NEEDLE_LENGTH_MAX && /^(contains|split|indexOf|join)$|^get/.test(name))
    throw new CelRefusal(`${name}() takes texts of up to ${NEEDLE_LENGTH_MAX} characters`);
}
