/**
 * Patterns of a schema, which are written for Go's RE2, as JavaScript's. The few that have no equal are not enforced; they never make
 * a request fail.
 * Source: RE2 syntax; kube-openapi `pkg/validation/validate/rexp.go`.
 */

const compiled = new Map<string, RegExp | null>(); // by text: the same patterns come back with each request
const COMPILED_MAX = 10_000;

/** The pattern as a JavaScript expression, or undefined where there is none. */
export function compilePattern(pattern: string): RegExp | undefined {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = translate(pattern);
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(pattern, expression);
  }
  return expression ?? undefined;
}

function translate(pattern: string): RegExp | null {
  const [, flags = ""] = /^\^?\(\?([ims]+)\)/.exec(pattern) ?? [];
  const source = pattern
    .replace(flags === "" ? "" : `(?${flags})`, "")
    .replaceAll("(?P<", "(?<")
    .replace(/\\pL/g, "\\p{L}")
    .replace(/\\pN/g, "\\p{N}")
    .replace(/\\([Az])/g, (_, end: string) => (end === "A" ? "(?<![\\s\\S])" : "(?![\\s\\S])"))
    .replace(/\[:(\w+):\]/g, (whole, name: string) => POSIX[name] ?? whole);
  return expressionOf(source, `${flags}u`) ?? expressionOf(source, flags) ?? null;
}

const POSIX: Readonly<Record<string, string>> = {
  alnum: "0-9A-Za-z",
  alpha: "A-Za-z",
  digit: "0-9",
  lower: "a-z",
  upper: "A-Z",
  space: "\\t\\n\\v\\f\\r ",
  word: "0-9A-Za-z_",
  xdigit: "0-9A-Fa-f",
};

function expressionOf(source: string, flags: string): RegExp | undefined {
  try {
    return new RegExp(source, flags);
  } catch {
    return undefined; // not RE2's and JavaScript's common ground
  }
}
