/**
 * The resources of the bridge's configuration in the cluster, as findings: whether each kind is served; whether it may be read in each
 * namespace, and if not the rule that is missing; how many objects it has; and whether the Lease may be held.
 */
import { watchRequirement } from "../../bridge/kube/kube-requirement.ts";
import { isPattern } from "../../bridge/preview.ts";
import { ruleOf } from "./access.ts";
import { count, type Finding, failed, passed, reasonOf, warning } from "./check.ts";
import { isOf, type Plan, type PlannedLease, type PlannedWatch, type PlanTarget, planCapture } from "./plan.ts";

type Entry = PlanTarget["config"]["resources"][number];

/** The findings for all resources in their order, then the Lease. */
export async function checkResources(target: PlanTarget): Promise<readonly Finding[]> {
  const { kubectl } = target;
  try {
    const plan = await planCapture(target);
    const findings = target.config.resources.flatMap((entry) => checkEntry(entry, plan, kubectl));
    return [...findings, ...plan.notes, ...checkLease(plan.lease)];
  } catch (error) {
    return [failed("resource", `what the API server serves: ${reasonOf(error)}`, `${kubectl} api-resources`)];
  }
}

function checkEntry(entry: Entry, { watches, unserved, empty }: Plan, kubectl: string): readonly Finding[] {
  const { apiVersion, kind, namespaces } = entry;
  const missing = unserved.find((each) => each.entry === entry);
  if (missing !== undefined) return [missing.finding];
  if (empty.includes(entry)) {
    const problem = `${kind} of ${apiVersion}: nothing of it is served, or other entries name it`;
    return [warning("resource", problem, `${kubectl} api-resources --verbs=list,watch`)];
  }
  const own = watches.filter(({ wanted }) => isOf(wanted, entry));
  const wrong = own.flatMap((watch) => {
    if (watch.problem !== undefined) return [watch.problem];
    return watch.denied.length > 0 ? [forbidden(watch)] : [];
  });
  if (wrong.length > 0) return wrong;
  const objects = own.reduce((sum, each) => sum + (each.objects?.number ?? 0), 0);
  const about = own.every((each) => each.objects?.exact) ? "" : "at least ";
  const isSomewhere = namespaces !== undefined && own.some(({ wanted }) => wanted.namespace !== undefined);
  const where = isSomewhere ? ` in ${namespaces.join(", ")}` : "";
  const kinds = new Set(own.map(({ wanted }) => `${wanted.resource.apiVersion} ${wanted.resource.kind}`)).size;
  const what = isPattern(entry) ? ` (${count(kinds, "kind")} today)` : "";
  return [
    passed("resource", `${kind} of ${apiVersion}${what}: may be read${where}, ${about}${count(objects, "object")}`),
  ];
}

function forbidden({ wanted, denied }: PlannedWatch): Finding {
  const { resource, namespace } = wanted;
  const [role, where] =
    namespace === undefined ? ["ClusterRole", "in all namespaces"] : [`Role in ${namespace}`, `in ${namespace}`];
  return failed(
    "resource",
    `${resource.kind} of ${resource.apiVersion}: may not ${denied.join(", ")} ${where}`,
    `add to the ${role}, under rules: - ${ruleOf(watchRequirement(wanted))}`,
  );
}

function checkLease(planned: PlannedLease): readonly Finding[] {
  switch (planned.type) {
    case "off":
    case "elsewhere":
      return [];
    case "unnamed":
      return [failed("lease", planned.problem, "leaderElection: { namespace: … }, or export POD_NAMESPACE=…")];
    case "here": {
      const { lease, denied } = planned;
      const title = `Lease ${lease.namespace}/${lease.name}`;
      if (denied.length === 0) return [passed("lease", `${title}: may be held`)];
      const verbs = denied.flatMap((each) => each.verbs).join(", ");
      const rules = denied.map((each) => `- ${ruleOf(each)}`).join(" ");
      return [
        failed("lease", `${title}: may not ${verbs}`, `add to a Role in ${lease.namespace}, under rules: ${rules}`),
      ];
    }
    default:
      return planned satisfies never;
  }
}
