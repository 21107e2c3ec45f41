/**
 * The tree of a CloudEvents SQL expression, by recursive descent. Chains are read by loops and parentheses to a limited depth, so no source
 * takes the process far. `AND`, `OR` and `XOR` have one rank, and the specification's text and its grammar differ on which of them goes
 * first: a mixture without parentheses is a mistake here, because engines would read it differently.
 * Source: CloudEvents SQL 1.0.0, sections 2 and 3.6; `CESQLParser.g4`.
 */
import { type CesqlToken, tokenizeCesql } from "./cesql-token.ts";
import { mistakeAt } from "./expression-error.ts";

export type CesqlValue = string | number | boolean;
export type CesqlLogic = "AND" | "OR" | "XOR";
export type CesqlComparison = "=" | "!=" | "<" | "<=" | ">" | ">=";
export type CesqlArithmetic = "+" | "-" | "*" | "/" | "%";

/** `at` is the offset of its operator or first word. */
export type CesqlNode = { readonly at: number } & (
  | { readonly type: "literal"; readonly value: CesqlValue }
  /** Lower case, as attributes are; the language is not case-sensitive. */
  | { readonly type: "attribute" | "exists"; readonly name: string }
  | { readonly type: "not" | "negate"; readonly operand: CesqlNode }
  /** One operator over two or more operands. */
  | { readonly type: "logic"; readonly operator: CesqlLogic; readonly operands: readonly CesqlNode[] }
  | {
      readonly type: "comparison";
      readonly operator: CesqlComparison;
      readonly left: CesqlNode;
      readonly right: CesqlNode;
    }
  | {
      readonly type: "arithmetic";
      readonly operator: CesqlArithmetic;
      readonly left: CesqlNode;
      readonly right: CesqlNode;
    }
  | { readonly type: "like"; readonly operand: CesqlNode; readonly pattern: string; readonly negated: boolean }
  | { readonly type: "in"; readonly operand: CesqlNode; readonly set: readonly CesqlNode[]; readonly negated: boolean }
  /** In upper case. */
  | { readonly type: "call"; readonly name: string; readonly operands: readonly CesqlNode[] }
);

/** An expression is read by people. With the length of texts it bounds the work of all `LIKE` patterns together. */
const SOURCE_LENGTH_MAX = 2_048;
/** Of parentheses, of signs in a row, and of the links of a chain. */
const DEPTH_MAX = 100;
const KEYWORD = /^(AND|OR|XOR|NOT|LIKE|IN|EXISTS|TRUE|FALSE)$/;

/** Throws ExpressionError at the first place where something else was expected. */
export function parseCesql(source: string): CesqlNode {
  if (source.length > SOURCE_LENGTH_MAX)
    throw mistakeAt(
      source,
      SOURCE_LENGTH_MAX,
      `longer than ${SOURCE_LENGTH_MAX} characters; write it as several filters`,
    );
  const reader = createReader(source);
  const node = readLogic(reader, 0);
  if (reader.peek().type !== "end") throw reader.expected("an operator or the end");
  return node;
}

interface Reader {
  readonly source: string;
  peek(ahead?: number): CesqlToken;
  next(): CesqlToken;
  /** Takes the next token if it is this symbol or keyword. */
  take(...texts: readonly string[]): CesqlToken | undefined;
  expected(what: string): Error;
  /** Checks a depth, and is one more. */
  deeper(depth: number): number;
}

function createReader(source: string): Reader {
  const tokens = tokenizeCesql(source);
  const end = tokens[tokens.length - 1] as CesqlToken;
  let index = 0;
  const peek = (ahead = 0) => tokens[index + ahead] ?? end;
  return {
    source,
    peek,
    next: () => tokens[index++] ?? end,
    take(...texts) {
      const token = peek();
      if (token.type !== "symbol" && token.type !== "word") return undefined;
      if (!texts.includes(token.text.toUpperCase())) return undefined;
      index++;
      return token;
    },
    expected(what) {
      const { type, text, at } = peek();
      return mistakeAt(
        source,
        at,
        `expected ${what}, found ${type === "text" ? "a text" : type === "end" ? text : `"${text}"`}`,
      );
    },
    deeper(depth) {
      if (depth < DEPTH_MAX) return depth + 1;
      throw mistakeAt(source, peek().at, `nested deeper than ${DEPTH_MAX} levels; write it as several filters`);
    },
  };
}

function readLogic(reader: Reader, depth: number): CesqlNode {
  const first = readComparison(reader, depth);
  const operands = [first];
  let operator: CesqlLogic | undefined;
  for (let token = reader.take("AND", "OR", "XOR"); token; token = reader.take("AND", "OR", "XOR")) {
    const found = token.text.toUpperCase() as CesqlLogic;
    operator ??= found;
    if (found !== operator)
      throw mistakeAt(
        reader.source,
        token.at,
        `${found} after ${operator} can be read in two ways; say by parentheses which goes first`,
      );
    operands.push(readComparison(reader, depth));
  }
  return operator === undefined ? first : { type: "logic", operator, operands, at: first.at };
}

/** A chain of two-handed operators of one rank, from left to right; it deepens with each. */
function readChain<T>(
  reader: Reader,
  depth: number,
  operators: readonly string[],
  below: (reader: Reader, depth: number) => T,
  join: (operator: CesqlToken, left: T, right: T) => T,
): T {
  let level = depth;
  let left = below(reader, level);
  for (let token = reader.take(...operators); token; token = reader.take(...operators)) {
    level = reader.deeper(level);
    left = join(token, left, below(reader, level));
  }
  return left;
}

const readComparison = (reader: Reader, depth: number): CesqlNode =>
  readChain(reader, depth, ["=", "!=", "<>", "<", "<=", ">", ">="], readSum, ({ text, at }, left, right) => {
    const operator = (text === "<>" ? "!=" : text) as CesqlComparison;
    return { type: "comparison", operator, left, right, at };
  });

const arithmetic = ({ text, at }: CesqlToken, left: CesqlNode, right: CesqlNode): CesqlNode => {
  return { type: "arithmetic", operator: text as CesqlArithmetic, left, right, at };
};

const readSum = (reader: Reader, depth: number): CesqlNode =>
  readChain(reader, depth, ["+", "-"], readProduct, arithmetic);

const readProduct = (reader: Reader, depth: number): CesqlNode =>
  readChain(reader, depth, ["*", "/", "%"], readTested, arithmetic);

/** `x LIKE 'pattern'`, `x IN (…)`, and their negations, behind a value. */
function readTested(reader: Reader, depth: number): CesqlNode {
  let level = depth;
  let operand = readUnary(reader, level);
  for (;;) {
    const isNegated = isWord(reader.peek(), "NOT") && (isWord(reader.peek(1), "LIKE") || isWord(reader.peek(1), "IN"));
    if (isNegated) reader.next();
    const operator = reader.take("LIKE", "IN");
    if (operator === undefined) return operand;
    level = reader.deeper(level);
    const { at } = operator;
    if (isWord(operator, "IN")) {
      operand = { type: "in", operand, set: readList(reader, level), negated: isNegated, at };
      continue;
    }
    const pattern = reader.peek();
    if (pattern.type !== "text") throw reader.expected("a pattern in quotes");
    reader.next();
    operand = { type: "like", operand, pattern: pattern.value, negated: isNegated, at };
  }
}

const isWord = (token: CesqlToken, keyword: string) => token.type === "word" && token.text.toUpperCase() === keyword;

function readUnary(reader: Reader, depth: number): CesqlNode {
  const not = reader.take("NOT");
  if (not) return { type: "not", operand: readUnary(reader, reader.deeper(depth)), at: not.at };
  const minus = reader.take("-");
  if (minus) return { type: "negate", operand: readUnary(reader, reader.deeper(depth)), at: minus.at };
  return readPrimary(reader, depth);
}

function readPrimary(reader: Reader, depth: number): CesqlNode {
  const token = reader.peek();
  const { at } = token;
  if (reader.take("(")) {
    const inside = readLogic(reader, reader.deeper(depth));
    if (!reader.take(")")) throw reader.expected('an operator or ")"');
    return inside;
  }
  if (token.type === "integer" || token.type === "text") {
    reader.next();
    return { type: "literal", value: token.value, at };
  }
  if (reader.take("TRUE")) return { type: "literal", value: true, at };
  if (reader.take("FALSE")) return { type: "literal", value: false, at };
  if (reader.take("EXISTS")) return { type: "exists", name: readAttribute(reader), at };
  const following = reader.peek(1);
  const isCall = token.type === "word" && following.type === "symbol" && following.text === "(";
  if (isCall && /^[A-Z][A-Z_]*$/i.test(token.text) && !KEYWORD.test(token.text.toUpperCase())) {
    reader.next();
    return { type: "call", name: token.text.toUpperCase(), operands: readList(reader, depth, true), at };
  }
  return { type: "attribute", name: readAttribute(reader, "a value"), at };
}

function readAttribute(reader: Reader, what = "the name of an attribute"): string {
  const token = reader.peek();
  if (token.type !== "word" || token.text.includes("_") || KEYWORD.test(token.text.toUpperCase()))
    throw reader.expected(what);
  reader.next();
  return token.text.toLowerCase();
}

/** `(x, y, …)`. */
function readList(reader: Reader, depth: number, canBeEmpty = false): readonly CesqlNode[] {
  if (!reader.take("(")) throw reader.expected('"("');
  if (canBeEmpty && reader.take(")")) return [];
  const nodes = [readLogic(reader, reader.deeper(depth))];
  while (reader.take(",")) nodes.push(readLogic(reader, reader.deeper(depth)));
  if (!reader.take(")")) throw reader.expected('"," or ")"');
  return nodes;
}
