/**
 * A watch as the configuration means it: the entry's settings with those of all resources, for a kind as the API server serves it.
 */
import type { BridgeConfig } from "../config.ts";
import type { RedactionKeys } from "../event/redaction.ts";
import type { LiveShape } from "../kube/list-shape.ts";
import { readSecret, SecretError, type SecretSource } from "../secret.ts";
import { type WatchedResource, watchedResource } from "./resource.ts";
import type { WantedWatch } from "./selection.ts";

/** Fewer characters could be guessed, and with them the values behind the marks. */
const REDACTION_KEY_CHARACTERS_MIN = 16;

/** Joins them. */
export function configuredResource(
  config: BridgeConfig,
  { entry, resource, namespace }: WantedWatch,
  given: { readonly redactionKeys: RedactionKeys; readonly shape?: LiveShape },
): WatchedResource {
  const settings = {
    apiVersion: resource.apiVersion,
    kind: resource.kind,
    phase: entry.phase,
    labelSelector: entry.labelSelector,
    fieldSelector: entry.fieldSelector,
    ignore: [...config.ignore, ...entry.ignore],
    only: [...config.only, ...entry.only],
    critical: [...config.critical, ...entry.critical],
    redact: [...config.redact, ...entry.redact],
  };
  return watchedResource(config.cluster, settings, resource, namespace, given);
}

/** The keys of the marks; empty where none is configured. Throws SecretError when one cannot be read, or is too short to be a secret. */
export function readRedactionKeys({ redactionKey, previousRedactionKeys }: ConfiguredKeys): RedactionKeys {
  return {
    current: redactionKey === undefined ? "" : readKey(redactionKey),
    previous: previousRedactionKeys.map(readKey),
  };
}

type ConfiguredKeys = Pick<BridgeConfig, "redactionKey" | "previousRedactionKeys">;

function readKey(source: SecretSource): string {
  const key = readSecret(source);
  if (key.length >= REDACTION_KEY_CHARACTERS_MIN) return key;
  throw new SecretError(
    `a redaction key has ${key.length} characters, and needs at least ${REDACTION_KEY_CHARACTERS_MIN} random ones: \`openssl rand -hex 32\` makes some`,
  );
}
