/**
 * What a bridge with a configuration would watch, and how, without NATS and without capturing: for `doctor` and `bridge --check`. It is
 * what the bridge itself goes by: its selection, its presets, its own joining of settings.
 */
import { configuredResource } from "./capture/configured-resource.ts";
import { resourceTitle } from "./capture/resource.ts";
import type { WantedWatch } from "./capture/selection.ts";
import type { BridgeConfig } from "./config.ts";
import { presetPhase } from "./event/phase-preset.ts";

export { selectorQuery } from "./capture/resource.ts";
export { isPattern, meansKind, versionOf } from "./capture/resource-entry.ts";
export { type WantedWatch, watchesOf } from "./capture/selection.ts";
export { wantedWatches } from "./inspection.ts";

/** The settings of a watch, for people. */
export interface WatchPreview {
  /** `databases.demo.example.com` */
  readonly resource: string;
  /** A path, or `condition:<Type>`; and whether the configuration names it, or the preset of the kind or of all kinds. */
  readonly phase: { readonly place: string; readonly by: "configuration" | "preset" };
  /** Label and field selectors, and the namespaces' own. */
  readonly selects: readonly string[];
  /** Those of all resources and its own; without what is ignored of every kind. */
  readonly ignore: readonly string[];
  readonly only: readonly string[];
  readonly critical: readonly string[];
  /** With what is redacted unasked. */
  readonly redact: readonly string[];
}

/** Describes a watch. Needs no redaction key. */
export function previewWatch(config: BridgeConfig, wanted: WantedWatch): WatchPreview {
  const { entry } = wanted;
  const watched = configuredResource(config, wanted, { redactionKeys: { current: "" } });
  return {
    resource: resourceTitle({ ...watched, namespace: undefined }),
    phase:
      entry.phase === undefined
        ? { place: presetPhase(watched.group, watched.kind), by: "preset" }
        : { place: entry.phase, by: "configuration" },
    selects: [entry.labelSelector, entry.fieldSelector, entry.namespaceSelector].filter((each) => each !== undefined),
    ignore: [...config.ignore, ...entry.ignore],
    only: [...config.only, ...entry.only],
    critical: [...config.critical, ...entry.critical],
    redact: watched.redaction.paths,
  };
}
