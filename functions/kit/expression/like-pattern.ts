/**
 * A `LIKE` pattern: `%` stands for any characters, `_` for one, `\%` and `\_` for themselves. A character is a code point. Matching goes
 * back to the last `%` only, so it takes at most the length of the text times that of the pattern, never more.
 * Source: CloudEvents SQL 1.0.0, section 3.4.3.
 */

/** What a place in the pattern takes: exactly this character, any one, or any number. */
interface Part {
  readonly type: "exactly" | "one" | "any";
  readonly character: string;
}

/** A compiled pattern says whether it takes a whole text. */
export type LikePattern = (text: string) => boolean;

export function compileLike(pattern: string): LikePattern {
  const parts = partsOf(pattern);
  return (text) => matchesParts(parts, [...text]);
}

function partsOf(pattern: string): readonly Part[] {
  const found = pattern.match(/\\[%_]|./gsu) ?? [];
  return found.map((each): Part => {
    const type = each === "%" ? "any" : each === "_" ? "one" : "exactly";
    return { type, character: /^\\[%_]$/.test(each) ? each.slice(1) : each };
  });
}

function matchesParts(parts: readonly Part[], characters: readonly string[]): boolean {
  let at = 0;
  let part = 0;
  let lastAny = -1;
  let anyEnds = 0; // where the last `%` stops taking
  while (at < characters.length) {
    const wanted = parts[part];
    if (wanted?.type === "any") {
      [lastAny, anyEnds] = [part, at];
      part++;
    } else if (wanted !== undefined && (wanted.type === "one" || wanted.character === characters[at])) {
      at++;
      part++;
    } else if (lastAny >= 0) {
      anyEnds++;
      [at, part] = [anyEnds, lastAny + 1];
    } else {
      return false;
    }
  }
  return parts.slice(part).every(({ type }) => type === "any");
}
