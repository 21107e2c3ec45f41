/**
 * The words of a CloudEvents SQL expression, each with its place. Keywords are known by the parser; a text's `\'` is already its quote, any
 * other backslash stands for itself (`LIKE` gives `\%` and `\_` their meaning).
 * Source: CloudEvents SQL 1.0.0, section 2.2.
 */
import { mistakeAt } from "./expression-error.ts";

/** `at` is the offset of its first character in the source. */
export type CesqlToken = { readonly at: number } & (
  | { readonly type: "word" | "symbol"; readonly text: string }
  | { readonly type: "text"; readonly text: string; readonly value: string }
  | { readonly type: "integer"; readonly text: string; readonly value: number }
  | { readonly type: "end"; readonly text: "the end" }
);

/** The integers of the language have 32 bits. */
export const INTEGER_MIN = -(2 ** 31);
export const INTEGER_MAX = 2 ** 31 - 1;

const SPACE = /[ \t\r\n]+/y;
const WORD = /[A-Za-z0-9_]+/y;
const SYMBOL = /<>|<=|>=|!=|[-+*/%=<>(),]/y;
const TEXT = /'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"/sy;

/** Throws ExpressionError at what is no word of the language. */
export function tokenizeCesql(source: string): readonly CesqlToken[] {
  const tokens: CesqlToken[] = [];
  let at = 0;
  const read = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(source)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  while (at < source.length) {
    if (read(SPACE)) continue;
    const start = at;
    const word = read(WORD);
    const text = word ?? read(TEXT) ?? read(SYMBOL);
    if (text === undefined) throw mistakeAt(source, start, unreadable(source.charAt(start)));
    if (word !== undefined) tokens.push(wordAt(source, start, word, tokens));
    else
      tokens.push(
        /^['"]/.test(text)
          ? { type: "text", text, value: unquote(text), at: start }
          : { type: "symbol", text, at: start },
      );
  }
  return [...tokens, { type: "end", text: "the end", at }];
}

function unreadable(character: string): string {
  const isQuote = character === "'" || character === '"';
  return isQuote
    ? `this text has no end; close it with ${character}`
    : `"${character}" has no meaning in CloudEvents SQL`;
}

function unquote(quoted: string): string {
  const quote = quoted.charAt(0);
  return quoted.slice(1, -1).replace(/\\(.)/gs, (pair, escaped: string) => (escaped === quote ? quote : pair));
}

function wordAt(source: string, at: number, word: string, before: CesqlToken[]): CesqlToken {
  if (!/^[0-9]+$/.test(word)) return { type: "word", text: word, at };
  const sign = takeSign(before);
  const value = Number(`${sign?.text ?? ""}${word}`);
  if (value < INTEGER_MIN || value > INTEGER_MAX)
    throw mistakeAt(source, at, `${word} is too large; an integer is from ${INTEGER_MIN} to ${INTEGER_MAX}`);
  return { type: "integer", text: word, value: value + 0, at: sign?.at ?? at };
}

/** A sign right before the digits is theirs, unless something to the left of it can be its first operand. */
function takeSign(before: CesqlToken[]): CesqlToken | undefined {
  const sign = before.at(-1);
  if (sign?.type !== "symbol" || (sign.text !== "-" && sign.text !== "+")) return undefined;
  const left = before.at(-2);
  const isOperand = left !== undefined && (left.type !== "symbol" || left.text === ")");
  const isKeyword = left?.type === "word" && /^(AND|OR|XOR|NOT)$/i.test(left.text);
  return isOperand && !isKeyword ? undefined : before.pop();
}
