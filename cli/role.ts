/**
 * Roles as YAML for `kubectl apply -f -`, each with its binding to a ServiceAccount of the manifests.
 * Source: Kubernetes RBAC documentation.
 */
import type { KubeRequirement } from "../bridge/kube/kube-requirement.ts";
import { BRIDGE_NAMESPACE } from "./doctor/plan.ts";

/** A Role, or a ClusterRole. */
export interface Role {
  readonly name: string;
  /** `undefined`: a ClusterRole. */
  readonly namespace: string | undefined;
  readonly comments: readonly string[];
  readonly rules: readonly Rule[];
}

/** One of its rules. */
export interface Rule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly names?: readonly string[];
  readonly comment?: string;
}

const API_GROUP = "rbac.authorization.k8s.io";

/** The YAML; it ends with a newline. `gaps` are what the Roles do not give, as sentences. */
export function renderRoles(account: "bridge" | "functions", roles: readonly Role[], gaps: readonly string[]): string {
  const subject = `to the ServiceAccount ${account} in the namespace ${BRIDGE_NAMESPACE}: name yours under every subjects`;
  const head =
    roles.length === 0
      ? [`# The ${account} need no Role.`]
      : [`# What the ${account} may do, by cr-reactor rbac. It goes`, `# ${subject}.`];
  const documents = roles.flatMap((role) => [renderRole(role), renderBinding(role, account)]);
  return `${[...head, ...gaps.map((gap) => `# ${gap}`), ...(roles.length === 0 ? [] : [documents.join("\n---\n")])].join("\n")}\n`;
}

/** The rule that gives a requirement. */
export function ruleFor({ group, resource, verbs, name }: KubeRequirement): Rule {
  return { group, resources: [resource], verbs, ...(name !== undefined && { names: [name] }) };
}

function renderRole({ name, namespace, comments, rules }: Role): string {
  return [
    ...comments.map((comment) => `# ${comment}`),
    ...headOf(namespace === undefined ? "ClusterRole" : "Role", name, namespace),
    "rules:",
    ...rules.flatMap(renderRule),
  ].join("\n");
}

function renderRule({ group, resources, verbs, names, comment }: Rule): readonly string[] {
  return [
    ...(comment === undefined ? [] : [`  # ${comment.replace(/\s+/g, " ")}`]),
    `  - apiGroups: ${list([group])}`,
    `    resources: ${list(resources)}`,
    ...(names === undefined ? [] : [`    resourceNames: ${list(names)}`]),
    `    verbs: ${list(verbs)}`,
  ];
}

function renderBinding({ name, namespace }: Role, account: string): string {
  const scope = namespace === undefined ? "Cluster" : "";
  return [
    ...headOf(`${scope}RoleBinding`, name, namespace),
    "roleRef:",
    `  apiGroup: ${API_GROUP}`,
    `  kind: ${scope}Role`,
    `  name: ${name}`,
    "subjects:",
    "  - kind: ServiceAccount",
    `    name: ${account}`,
    `    namespace: ${BRIDGE_NAMESPACE}`,
  ].join("\n");
}

function headOf(kind: string, name: string, namespace: string | undefined): readonly string[] {
  return [
    `apiVersion: ${API_GROUP}/v1`,
    `kind: ${kind}`,
    "metadata:",
    `  name: ${name}`,
    ...(namespace === undefined ? [] : [`  namespace: ${JSON.stringify(namespace)}`]),
  ];
}

/** Quoted: a name may look like a number or a truth value. */
function list(texts: readonly string[]): string {
  return `[${texts.map((text) => JSON.stringify(text)).join(", ")}]`;
}
