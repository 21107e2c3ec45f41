/**
 * The bridge's configuration file: one zod schema gives the checks, the defaults, and the JSON Schema for editors
 * (`cr-reactor schema bridge`). Mistakes are told all at once, with line and field.
 */
import { z } from "zod";
import { isSecret } from "./capture/resource.ts";
import { PathLists, ResourceEntry, refuseOverlap } from "./capture/resource-entry.ts";
import { groupOf } from "./kube/kube-object.ts";
import { KubernetesSettings } from "./kube/kubernetes-settings.ts";
import { LeaderElectionSettings } from "./leader/lease.ts";
import { HealthSettings } from "./metrics/health.ts";
import { NatsSettings } from "./nats/nats-settings.ts";
import { StreamSettings } from "./nats/stream.ts";
import { SecretSource } from "./secret.ts";

/** A week: what nobody compares in that time is not compared. */
const VERIFY_MINUTES_MAX = 7 * 24 * 60;
/** A log that is behind for longer than a minute is not verified, but repaired by its bridge. */
const VERIFY_GRACE_SECONDS_MAX = 60;

/** The bridge's configuration. */
export const BridgeConfig = z
  .strictObject({
    /** Names the cluster in every event and subject, so that several can share one NATS. */
    cluster: z.string().regex(/^[a-z0-9-]{1,63}$/, "expected 1 to 63 of a-z, 0-9 and -"),
    resources: z.array(ResourceEntry).min(1).superRefine(refuseOverlap),
    /** For every resource, in addition to its own. */
    ...PathLists,
    /** What the marks of redacted values are made with; at least 16 characters. Needed where anything is redacted. */
    redactionKey: SecretSource.optional(),
    /** Keys that were used before, so that changes are recognised behind marks made with them. */
    previousRedactionKeys: z.array(SecretSource).default([]),
    nats: NatsSettings,
    kubernetes: KubernetesSettings,
    /** Which of several bridges with this configuration captures. */
    leaderElection: LeaderElectionSettings,
    streams: StreamSettings,
    /** Memory for the last states of objects, in bytes of heap; what does not fit is read from NATS. Default 64 MiB. */
    stateBytesMax: z
      .int()
      .nonnegative()
      .default(64 * 1024 ** 2),
    /** Comparing the cluster with the log while everything runs, and repairing what differs. */
    verify: z
      .strictObject({
        /** Between two comparisons of a watch, and before the first; 0: never. Default 60. */
        everyMinutes: z.number().min(0).max(VERIFY_MINUTES_MAX).default(60),
        /** What differs is looked at again so long after, three times. Default 5. */
        graceSeconds: z.number().positive().max(VERIFY_GRACE_SECONDS_MAX).default(5),
      })
      .prefault({}),
    /** Where /livez, /readyz and /metrics are served: on all addresses unless a host is named; port 0 picks a free one. */
    health: HealthSettings.prefault({}),
  })
  .superRefine(needRedactionKey);
export type BridgeConfig = z.infer<typeof BridgeConfig>;

/** Without a key that stays, marks could not be recognised after a restart, and everything redacted would look changed. */
function needRedactionKey(config: RedactionConfig, context: z.RefinementCtx): void {
  const needed =
    config.redact.length > 0 || config.resources.some((entry) => entry.redact.length > 0 || isSecretEntry(entry));
  if (!needed || config.redactionKey !== undefined) return;
  context.addIssue({
    code: "custom",
    path: ["redactionKey"],
    message:
      "needed where values are redacted (redact, or kind Secret), so that a change of one is recognised after a restart: name a secret of at least 16 random characters, as { env: NAME } or { file: /path }",
  });
}

interface RedactionConfig {
  readonly resources: readonly ResourceEntry[];
  readonly redact: readonly string[];
  readonly redactionKey?: SecretSource | undefined;
}

function isSecretEntry({ apiVersion, kind }: ResourceEntry): boolean {
  return isSecret(groupOf(apiVersion), kind);
}
