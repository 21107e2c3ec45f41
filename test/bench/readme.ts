/** The part of a README that a script writes: between two markers, so that everything else is people's. */

/** The markers, each on a line of its own. */
export const [BEGIN, END] = ["<!-- figures: begin -->", "<!-- figures: end -->"];

/** The text with what is between the markers replaced. Throws where they are missing. */
export function replaceMarked(readme: string, content: string): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`the README has no place for figures: ${BEGIN} … ${END}`);
  return `${readme.slice(0, from + BEGIN.length)}\n\n${content.trim()}\n\n${readme.slice(to)}`;
}
