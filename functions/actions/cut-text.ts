/**
 * Text cut to a receiver's limit, with "…" in place of what is missing. A cut never parts what a reader sees as one character (an emoji
 * of several code points, a letter and its accents), and never leaves half an entity.
 * Source: UAX #29, extended grapheme clusters.
 */

const GRAPHEMES = new Intl.Segmenter("en", { granularity: "grapheme" });
/** Longer clusters are no characters but an attack (a letter under thousands of accents): those are parted between code points. */
const CLUSTER_CHARS_MAX = 64;
const HALF_PAIR = /[\uD800-\uDBFF]$/;
const HALF_ENTITY = /&[a-z#\d]*$/;

/** Cuts a text to at most so many UTF-16 units, "…" included. `charsMax` is at least 1. */
export function cutText(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const start = Math.max(0, charsMax - 1 - CLUSTER_CHARS_MAX);
  const tail = text.slice(start, charsMax + CLUSTER_CHARS_MAX);
  const cluster = GRAPHEMES.segment(tail).containing(charsMax - 1 - start)?.index ?? 0;
  const end = cluster === 0 && start > 0 ? charsMax - 1 : start + cluster;
  return `${text.slice(0, end).replace(HALF_PAIR, "")}…`;
}

/** The same for text with entities in it, in which every `&` begins one. */
export function cutEscaped(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return `${cutText(text, charsMax).slice(0, -1).replace(HALF_ENTITY, "")}…`;
}
