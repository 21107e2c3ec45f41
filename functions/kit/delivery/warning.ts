/**
 * What people should know about events that are skipped: told once each for a subscription, and counted where an expression had no value.
 */
import type { Logger } from "#contract";
import type { Binding } from "../subscription.ts";

/** Why a skipped event may not be what people think: they are told once. */
export type Warning =
  | { readonly type: "other-version"; readonly found: string }
  | { readonly type: "undecided"; readonly reason: string };

/** Whose warnings, and which were told. */
interface WarnOptions {
  readonly binding: Binding;
  readonly log: Logger;
  readonly onUndecided: () => void;
  readonly warned: Set<string>;
}

/** Different warnings of one subscription; more tell nothing new. */
const WARNINGS_MAX = 100;

/** Tells each warning of a subscription once. */
export function warnOnce(warning: Warning, { binding, log, onUndecided, warned }: WarnOptions): void {
  if (warning.type === "undecided") onUndecided();
  const key = JSON.stringify(warning);
  if (warned.has(key) || warned.size >= WARNINGS_MAX) return;
  warned.add(key);
  const { kind, apiVersion } = binding.subscription;
  switch (warning.type) {
    case "other-version":
      log.warn(
        { kind, wanted: apiVersion, found: warning.found },
        "events of another API version are skipped: bind that version too",
      );
      break;
    case "undecided":
      log.warn({ reason: warning.reason }, "events are skipped for which an expression of the filter has no value");
      break;
    default:
      warning satisfies never;
  }
}
