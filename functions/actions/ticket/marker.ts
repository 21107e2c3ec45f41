/**
 * How a ticket is known again: by the incident's key, in a comment that readers do not see or in a label. Whoever writes an object
 * cannot forge one, because every value in a ticket is escaped.
 */
import { hashedKey } from "../hashed-key.ts";

/** A line of its own in Markdown: `<!-- cr-reactor: databases/5f1d….101 -->`. */
export function hiddenMarker(key: string): string {
  // A hyphen would let a key end the comment.
  return `<!-- cr-reactor: ${encodeURI(key).replaceAll("--", "-%2D")} -->`;
}

/** Whether a text has the marker on a line of its own; editors may have changed the line ends. */
export function hasMarker(text: string | null | undefined, key: string): boolean {
  const marker = hiddenMarker(key);
  return (text ?? "").split(/\r?\n/).some((line) => line.trim() === marker);
}

/** A label that no person would choose, for trackers whose labels can be asked for. */
export function markerLabel(key: string): string {
  return `cr-reactor-${hashedKey(key)}`;
}
