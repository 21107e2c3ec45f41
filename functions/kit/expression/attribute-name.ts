/**
 * Names of a CloudEvent's attributes in expressions. Attributes that the bridge does not set pass through it, so only what looks like a
 * mistyped name is a mistake.
 * Source: CloudEvents 1.0.2, "Attribute Naming Convention"; bridge/event/envelope.ts.
 */
import { didYouMean, Envelope } from "#contract";

/** Why this cannot be the attribute that was meant; undefined when it can. */
export function attributeProblem(name: string): string | undefined {
  if (name === "data") return "data is no attribute; expressions over an event's attributes do not see its data";
  const known = Object.keys(Envelope.shape);
  if (known.includes(name)) return undefined;
  if (!/^[a-z0-9]+$/.test(name)) return `"${name}" is no name of an attribute; they consist of a to z and 0 to 9`;
  const guess = didYouMean(name, known);
  return guess === "" ? undefined : `an event has no attribute "${name}"${guess}`;
}
