/**
 * The Roles that subscriptions need in this cluster, from what each function says that it does with its settings (`rights`). In the namespaces
 * that a filter names, or settings; where an event may come from any, in all of them. Minimal and complete, which a test holds that runs the
 * functions with these Roles alone, and again with each verb taken away.
 * Source: Kubernetes RBAC documentation.
 */
import { groupOf, parseObjectSubject } from "#contract";
import type { Binding, KubeRight } from "#kit";
import type { ApiServer } from "../bridge/kube/api-server.ts";
import { discover } from "../bridge/kube/discovery.ts";
import { CHECK_MS_MAX } from "./doctor/check.ts";
import { type Role, type Rule, renderRoles } from "./role.ts";

/** The Roles, and what is not in them. */
export interface FunctionRoles {
  readonly yaml: string;
  /** Sentences. */
  readonly gaps: readonly string[];
  /** Whether every kind that is acted on is served, so that it has its rule. */
  readonly isComplete: boolean;
}

/** One verb on one resource, for a subscription. */
interface Grant {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  /** `undefined`: everywhere. */
  readonly namespace: string | undefined;
  /** `undefined`: of any name. */
  readonly name: string | undefined;
  readonly subscription: string;
}

type Ask = (apiVersion: string, kind: string) => ReturnType<typeof discover>;

const NAME = "cr-reactor-functions";

/** Asks what is served, as far as the functions need it; without a need nothing is asked. Throws ApiStatusError and connection errors. */
export async function functionRoles(
  connect: () => Promise<ApiServer>,
  bindings: readonly Binding[],
): Promise<FunctionRoles> {
  const asked = new Map<string, ReturnType<typeof discover>>();
  const ask: Ask = (apiVersion, kind) => {
    const key = `${apiVersion}/${kind}`;
    const answer =
      asked.get(key) ??
      connect().then((apiServer) => discover(apiServer, apiVersion, kind, AbortSignal.timeout(CHECK_MS_MAX)));
    asked.set(key, answer);
    return answer;
  };
  const found: (readonly Grant[] | string)[] = [];
  for (const binding of bindings) found.push(...(await grantsOf(binding, ask)));
  const grants = found.filter((each) => typeof each !== "string").flat();
  const unserved = [...new Set(found.filter((each) => typeof each === "string"))];
  const gaps = [...unserved, ...bindings.flatMap(elsewhere)];
  return { yaml: renderRoles("functions", rolesOf(grants), gaps), gaps, isComplete: unserved.length === 0 };
}

/** What a subscription needs here; a sentence for each kind that is not served. */
async function grantsOf({ subscription, subjects, rights }: Binding, ask: Ask): Promise<(readonly Grant[] | string)[]> {
  const { name, apiVersion, kind } = subscription;
  if (rights({ apiVersion, kind, isNamespaced: true }).every(isElsewhere)) return [];
  const told = await ask(apiVersion, kind);
  if (told === undefined) return [missing(apiVersion, kind, name)];
  const own = rights({ apiVersion, kind, isNamespaced: told.namespaced }).filter((right) => !isElsewhere(right));
  const objects = told.namespaced ? namespacesOf(subjects) : [];
  return await Promise.all(
    own.map(async (right) => {
      const served = await ask(right.apiVersion, right.kind);
      if (served === undefined) return missing(right.apiVersion, right.kind, name);
      const { namespace } = right;
      const places = !served.namespaced || namespace === "*" ? [undefined] : namespace ? [namespace] : objects;
      const resource = { group: groupOf(right.apiVersion), resource: served.plural, subscription: name };
      return places.flatMap((place) =>
        right.verbs.flatMap((verb) =>
          (right.names ?? [undefined]).map((objectName) => ({ ...resource, verb, namespace: place, name: objectName })),
        ),
      );
    }),
  );
}

function isElsewhere({ kubernetes }: KubeRight): boolean {
  return kubernetes?.kubeconfig !== undefined || kubernetes?.context !== undefined;
}

function missing(apiVersion: string, kind: string, subscription: string): string {
  return `${kind} of ${apiVersion} is not served, so the rules for ${subscription} are missing: make the Roles again when it is.`;
}

function elsewhere({ subscription: { name, apiVersion, kind }, rights }: Binding): readonly string[] {
  return rights({ apiVersion, kind, isNamespaced: true })
    .filter(isElsewhere)
    .map((right) => {
      const { kubeconfig, context } = right.kubernetes ?? {};
      const account = [kubeconfig && `the kubeconfig ${kubeconfig}`, context && `the context ${context}`].filter(
        Boolean,
      );
      return `${name} signs in with ${account.join(", ")}: that account needs ${right.verbs.join(", ")} on ${right.kind} of ${right.apiVersion}.`;
    });
}

/** Those that NATS lets through, if it limits them; else any. */
function namespacesOf(subjects: readonly string[]): readonly (string | undefined)[] {
  const tokens = subjects.map((subject) => parseObjectSubject(subject).namespace);
  return tokens.includes("*") ? [undefined] : [...new Set(tokens)];
}

/** One for the cluster and one for each namespace. */
function rolesOf(grants: readonly Grant[]): readonly Role[] {
  const needed = grants.filter((grant) => !grants.some((other) => other !== grant && includes(other, grant)));
  const byPlace = Map.groupBy(needed, ({ namespace }) => namespace);
  const places = [...byPlace].sort(([one = ""], [other = ""]) => (one < other ? -1 : 1));
  return places.map(([namespace, own]) => ({ name: NAME, namespace, comments: [], rules: rulesOf(own) }));
}

/** Whether one grant makes the other needless. */
function includes(one: Grant, other: Grant): boolean {
  if (one.group !== other.group || one.resource !== other.resource || one.verb !== other.verb) return false;
  const [isSamePlace, isSameName] = [one.namespace === other.namespace, one.name === other.name];
  if (isSamePlace && isSameName) return false; // for another subscription
  return (isSamePlace || one.namespace === undefined) && (isSameName || one.name === undefined);
}

/** One for each resource; names that have the same verbs stand together. */
function rulesOf(grants: readonly Grant[]): readonly Rule[] {
  const byObject = Map.groupBy(grants, ({ group, resource, name }) => JSON.stringify([group, resource, name ?? null]));
  const ofObjects = [...byObject.values()].map((own) => {
    const verbs = [...new Set(own.map(({ verb }) => verb))].toSorted();
    return { own, verbs };
  });
  const together = Map.groupBy(ofObjects, ({ own: [first], verbs }) =>
    JSON.stringify([first?.group, first?.resource, first?.name === undefined, verbs]),
  );
  const rules = [...together.values()].map((objects): Rule => {
    const own = objects.flatMap((each) => each.own);
    const { group = "", resource = "" } = own[0] ?? {};
    const names = [...new Set(own.flatMap(({ name }) => name ?? []))].toSorted();
    const comment = `for ${[...new Set(own.map(({ subscription }) => subscription))].join(", ")}`;
    const verbs = objects[0]?.verbs ?? [];
    return { group, resources: [resource], verbs, ...(names.length > 0 && { names }), comment };
  });
  const order = ({ group, resources, names = [] }: Rule) => JSON.stringify([group, resources, names]);
  return rules.toSorted((one, other) => (order(one) < order(other) ? -1 : 1));
}
