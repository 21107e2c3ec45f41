/**
 * The Roles that a bridge's configuration needs in this cluster today: minimal, because each rule is one that a watch of the plan asks for, and
 * complete, which a test holds that runs a bridge with them alone. What RBAC cannot say stands in comments. The names are those of
 * manifests/base, so that applying it replaces what was there.
 * Source: Kubernetes RBAC documentation: `*` stands for all groups, and a part of a name has no wildcard.
 */
import { groupOf } from "#contract";
import type { BridgeConfig } from "../bridge/config.ts";
import {
  definitionRequirements,
  eventRequirement,
  leaseRequirements,
  NAMESPACES_REQUIREMENT,
  watchRequirement,
} from "../bridge/kube/kube-requirement.ts";
import { isPattern } from "../bridge/preview.ts";
import type { Plan, PlannedWatch } from "./doctor/plan.ts";
import { type Role, type Rule, renderRoles, ruleFor } from "./role.ts";

const WATCHING = "cr-reactor-bridge";
const SELECTING = "cr-reactor-bridge-namespaces";
const LEADING = "bridge-leader";
const TELLING = "bridge-events";
const AGAIN = "make the Roles again";

/** The Roles as YAML, with what they do not give in comments. */
export function bridgeRoles(plan: Plan, config: BridgeConfig): string {
  const roles = [...watchingRoles(plan, config), ...selectingRole(config), ...leadingRole(plan), ...tellingRole(plan)];
  return renderRoles("bridge", roles, gapsOf(plan, config));
}

/** What these Roles do not give, and what has to happen then: sentences. */
export function gapsOf(plan: Plan, config: BridgeConfig): readonly string[] {
  const unserved = plan.unserved.map(({ entry: { apiVersion, kind } }) => `${kind} of ${apiVersion}`);
  return [
    ...unserved.map((title) => `${title} is not served, so its rule is missing: ${AGAIN} when it is.`),
    ...patternGapsOf(plan, config),
  ];
}

/** Those of the patterns alone. */
export function patternGapsOf({ empty }: Plan, { resources }: BridgeConfig): readonly string[] {
  const groups = new Set(resources.map(({ apiVersion }) => groupOf(apiVersion)).filter((group) => group.includes("*")));
  return [
    ...empty.map(({ apiVersion, kind }) => `${kind} of ${apiVersion} means nothing today: ${AGAIN} when it does.`),
    ...[...groups].map((group) => {
      const why =
        group === "*"
          ? "RBAC's \"*\" would give Kubernetes' own groups too"
          : `RBAC cannot write "${group}" for groups`;
      return `${why}: there is a rule for each group of today; ${AGAIN} when one is added.`;
    }),
  ];
}

/** One for the cluster and one for each namespace, as the watches are. */
function watchingRoles({ watches }: Plan, { resources }: BridgeConfig): readonly Role[] {
  const byPlace = Map.groupBy(watches, ({ wanted }) => wanted.namespace);
  const namesIn = new Set(resources.filter((entry) => !isPattern(entry)).map(({ apiVersion }) => groupOf(apiVersion)));
  return [...byPlace].map(([namespace, own]) => {
    const byGroup = Map.groupBy(own, ({ wanted }) => groupOf(wanted.resource.apiVersion));
    const rules = [...byGroup].map(([group, inGroup]) => watchingRule(group, inGroup, namesIn.has(group)));
    const definitions = namespace === undefined ? definitionRules(own) : [];
    const comments = namespace === undefined ? [] : ["Limited to this namespace, as in the configuration."];
    return { name: WATCHING, namespace, comments, rules: [...rules, ...definitions] };
  });
}

/** A group whose every kind is meant is given whole, so that its new kinds can be watched: but never the core group, with its Secrets. */
function watchingRule(group: string, watches: readonly PlannedWatch[], isNamedToo: boolean): Rule {
  const requirements = watches.map(({ wanted }) => watchRequirement(wanted));
  const resources = [...new Set(requirements.map(({ resource }) => resource))].toSorted();
  const verbs = requirements[0]?.verbs ?? [];
  const patterns = watches.map(({ wanted }) => wanted.entry).filter(isPattern);
  const pattern = patterns.find(({ kind }) => kind === "*") ?? patterns[0];
  if (pattern === undefined) return { group, resources, verbs };
  const meant = `${pattern.kind} of ${pattern.apiVersion}`;
  if (pattern.kind === "*" && group !== "" && !isNamedToo)
    return { group, resources: ["*"], verbs, comment: `${meant}; today ${resources.join(", ")}` };
  const comment = pattern.kind === "*" ? `${meant}; the kinds of today: ${AGAIN} when one is added` : meant;
  return { group, resources, verbs, comment };
}

function definitionRules(watches: readonly PlannedWatch[]): readonly Rule[] {
  const [first, ...rest] = definitionRequirements(watches.map(({ wanted }) => wanted)).map(ruleFor);
  if (first === undefined) return [];
  const names = [first, ...rest].flatMap((rule) => rule.names ?? []);
  const comment = "optional: without it a kind that left while no bridge ran is judged by what is served";
  return [{ ...first, comment, ...(names.length > 0 && { names }) }];
}

function selectingRole({ resources }: BridgeConfig): readonly Role[] {
  if (resources.every(({ namespaceSelector }) => namespaceSelector === undefined)) return [];
  const comments = [`Namespaces by their labels. Those that come need Roles of their own: ${AGAIN} then.`];
  return [{ name: SELECTING, namespace: undefined, comments, rules: [ruleFor(NAMESPACES_REQUIREMENT)] }];
}

function leadingRole({ lease: planned }: Plan): readonly Role[] {
  if (planned.type === "off") return [];
  const { namespace } = planned.lease;
  const comments = [
    "The Lease by which replicas agree who captures. RBAC cannot limit creating to a name.",
    ...(planned.type === "here"
      ? []
      : ["The namespace is that of the bridge's Pod, unless leaderElection.namespace says so."]),
  ];
  return [{ name: LEADING, namespace, comments, rules: leaseRequirements(planned.lease).map(ruleFor) }];
}

function tellingRole({ eventNamespace: namespace }: Plan): readonly Role[] {
  if (namespace === undefined) return [];
  const comments = ["Optional: without it the bridge tells of itself in its log alone, and not as Kubernetes Events."];
  return [{ name: TELLING, namespace, comments, rules: [ruleFor(eventRequirement(namespace))] }];
}
