/**
 * Fields that a JSON text gives twice in one object: JSON.parse keeps the last one in silence, a user rarely meant that. The text
 * must be valid JSON; it is read once, without building anything.
 * Source: RFC 8259, section 4 ("The names within an object SHOULD be unique").
 */

interface Level {
  /** Names so far, or the position in a list. */
  readonly names: Set<string> | undefined;
  index: number;
  readonly path: string;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;

/** The paths of the fields that are given more than once, such as `spec.size`; each once. */
export function duplicateFields(text: string): readonly string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  let field = "";
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const level = levels.at(-1);
    if (token === "{" || token === "[") levels.push(levelIn(level, field, token));
    else if (token === "}" || token === "]") levels.pop();
    else if (level !== undefined && token === ",") level.index++;
    else if (level?.names !== undefined && isName(text, index + token.length)) {
      const name = String(JSON.parse(token));
      field = level.path === "" ? name : `${level.path}.${name}`;
      if (level.names.has(name)) found.add(field);
      level.names.add(name);
    }
  }
  return [...found];
}

function levelIn(outer: Level | undefined, field: string, token: string): Level {
  const path = outer === undefined ? "" : outer.names === undefined ? `${outer.path}[${outer.index}]` : field;
  return { names: token === "{" ? new Set() : undefined, index: 0, path };
}

/** Whether the string that ends here is followed by a colon. */
function isName(text: string, end: number): boolean {
  let position = end;
  while (text[position] === " " || text[position] === "\n" || text[position] === "\r" || text[position] === "\t")
    position++;
  return text[position] === ":";
}
