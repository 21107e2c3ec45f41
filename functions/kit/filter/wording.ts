/**
 * How explanations show values: short, because an object can be large, and what is not there as such.
 */

/** Enough to recognise a value. */
const VALUE_LENGTH_MAX = 60;
/** Of a long list, enough to recognise it. */
const VALUES_MAX = 5;

/** A value of an object; collections by their kind. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return value === null ? "null" : "absent";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return "a map";
  const text =
    typeof value === "string" && /^$|^[\d\s]|\s$|^(?:true|false|null|absent)$/.test(value)
      ? `"${value}"`
      : String(value);
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX - 1)}…` : text;
}

/** What a filter wants: a value, or any of several. */
export function shownChoice(wanted: unknown): string {
  if (!Array.isArray(wanted)) return shown(wanted);
  const some = wanted.slice(0, VALUES_MAX).map(shown).join(" or ");
  return wanted.length > VALUES_MAX ? `${some} or ${wanted.length - VALUES_MAX} others` : some;
}

/** Several things that all have to be. */
export function shownList(all: readonly string[]): string {
  const some = all.slice(0, VALUES_MAX).join(", ");
  return all.length > VALUES_MAX ? `${some} and ${all.length - VALUES_MAX} others` : some;
}

/** From one value to another: `Running → Failed`. */
export function shownStep(from: unknown, to: unknown): string {
  return `${shown(from)} → ${shown(to)}`;
}
