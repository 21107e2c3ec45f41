/**
 * Whether the bridge captures what the subscriptions wait for, when both files are given: a subscription to anything else never fires,
 * and nothing would ever say so. It is decided on subjects, as NATS does it.
 */
import { didYouMean, encodeToken, groupOf, SUBJECT_ROOT } from "#contract";
import type { BridgeConfig } from "../../bridge/config.ts";
import { overlaps } from "../../bridge/nats/nats-requirement.ts";
import { isPattern, meansKind, versionOf } from "../../bridge/preview.ts";
import type { Binding } from "../../functions/kit/kit.ts";
import { type Finding, passed, warning } from "./check.ts";

type Resource = BridgeConfig["resources"][number];

/** One finding for each subscription that cannot fire, else one for all. */
export function checkCapture(bindings: readonly Binding[], config: BridgeConfig, fileName: string): readonly Finding[] {
  if (bindings.length === 0) return [];
  const findings = bindings.flatMap((binding) => checkOne(binding, config, fileName));
  if (findings.length > 0) return findings;
  return [passed("capture", "the bridge captures what every subscription waits for")];
}

function checkOne({ subscription, subjects }: Binding, config: BridgeConfig, fileName: string): readonly Finding[] {
  const { name, apiVersion, kind, cluster } = subscription;
  const never = (why: string, next: string) => [warning("capture", `${name} never fires: ${why}`, next)];
  const sameKind = config.resources.filter((each) => meansKind(each, groupOf(apiVersion), kind));
  if (sameKind.length === 0) {
    const kinds = config.resources.map((each) => each.kind);
    const hint = kinds.includes(kind)
      ? ` (it captures ${kind} of ${versionsOf(config.resources, kind)})`
      : didYouMean(kind, kinds);
    return never(
      `${fileName} captures no ${kind} of ${apiVersion}${hint}`,
      `resources: add { apiVersion: ${apiVersion}, kind: ${kind} } in ${fileName}, or correct the subscription`,
    );
  }
  if (cluster !== undefined && cluster !== config.cluster)
    return never(
      `it waits for cluster ${cluster}, and ${fileName} is cluster ${config.cluster}`,
      `cluster: ${config.cluster}`,
    );
  const captured = sameKind.filter((each) =>
    scopes(each, config.cluster, { apiVersion, kind }).some((scope) => subjects.some((one) => overlaps(one, scope))),
  );
  if (captured.length === 0) {
    const namespaces = sameKind.flatMap((each) => each.namespaces ?? []).join(", ");
    return never(
      `${kind} is captured in ${namespaces} only`,
      `add the namespaces that it waits for to ${kind} in ${fileName}`,
    );
  }
  // Which version a pattern's group prefers is the cluster's to say.
  const isMeant = (each: Resource) =>
    versionOf(each) === undefined || `${groupOf(apiVersion)}/${versionOf(each)}` === apiVersion;
  if (captured.some((each) => each.apiVersion === apiVersion || (isPattern(each) && isMeant(each)))) return [];
  const [{ apiVersion: other } = { apiVersion }] = captured;
  return never(`events are of ${other}, and it asks for ${apiVersion}`, `apiVersion: ${other}`);
}

/** The subjects of a resource's events, one for each namespace. */
function scopes(
  { namespaces }: Resource,
  cluster: string,
  { apiVersion, kind }: Pick<Resource, "apiVersion" | "kind">,
): readonly string[] {
  const root = [SUBJECT_ROOT, ...[cluster, groupOf(apiVersion), kind].map((part) => encodeToken(part))].join(".");
  return (namespaces ?? [undefined]).map((name) => `${root}.${name === undefined ? "*" : encodeToken(name)}.>`);
}

function versionsOf(resources: readonly Resource[], kind: string): string {
  return resources
    .filter((each) => each.kind === kind)
    .map((each) => each.apiVersion)
    .join(", ");
}
