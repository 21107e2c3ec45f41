/**
 * Globs as filters use them: `*` stands for any run of characters, none included, and everything else for itself. Compared part by
 * part, so that no glob takes more than one pass over the text.
 */

/** Whether a glob names exactly one text. */
export function isPlain(glob: string): boolean {
  return !glob.includes("*");
}

/** Takes the glob apart once; what comes back says whether it fits a text. */
export function compileGlob(glob: string): (text: string) => boolean {
  const [head = "", ...parts] = glob.split("*");
  const tail = parts.pop();
  if (tail === undefined) return (text) => text === glob;
  return (text) => {
    const end = text.length - tail.length;
    if (end < head.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
    let position = head.length;
    for (const part of parts) {
      const found = text.indexOf(part, position);
      if (found < 0 || found + part.length > end) return false;
      position = found + part.length;
    }
    return true;
  };
}

/** Whether any of the globs fits; a text that is absent fits none. */
export function compileGlobs(globs: string | readonly string[]): (text: unknown) => boolean {
  const compiled = [globs].flat().map(compileGlob);
  return (text) => typeof text === "string" && compiled.some((fits) => fits(text));
}
