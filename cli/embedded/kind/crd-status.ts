/**
 * The status of a CustomResourceDefinition: which of its names it has got, whether it is served, which versions objects may be stored
 * in. A definition whose names another one of its group has already waits, not accepted, until they are free.
 * Source: apiextensions-apiserver `pkg/controller/status/naming_controller.go`, `pkg/controller/{establish,finalizer}`.
 */
import { isDeepStrictEqual } from "node:util";
import { isObject, type Json, type JsonObject, type KubeObject, kubeTime, withMetadata } from "../object/object.ts";
import { CrdSpec, withoutUndefined } from "./crd.ts";

/** The finalizer that keeps a definition until its objects are gone. */
export const CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

type Names = CrdSpec["names"];

interface Condition extends JsonObject {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** What others of the group have got. */
interface Taken {
  readonly resources: ReadonlySet<string>;
  readonly kinds: ReadonlySet<string>;
}

/** The status of a definition that lives. `others` are the definitions of its group. */
export function liveStatus(crd: KubeObject, others: readonly KubeObject[], nowMs: number): JsonObject {
  const { names, versions } = CrdSpec.parse(crd["spec"]);
  const status = isObject(crd["status"]) ? crd["status"] : {};
  const { accepted, condition } = acceptNames(names, acceptedNames(crd), takenBy(others));
  const earlier = listOf(status["storedVersions"]);
  const stored = versions.filter(({ storage }) => storage).map(({ name }) => name);
  const conditions = [condition, establishedCondition(status, condition)];
  return {
    conditions: withConditions(status, conditions, nowMs),
    acceptedNames: withoutUndefined(accepted),
    storedVersions: [...new Set([...earlier, ...stored])],
  };
}

/** The status of a definition that is going, while its objects are. */
export function terminatingStatus(crd: KubeObject, nowMs: number): JsonObject {
  const status = isObject(crd["status"]) ? crd["status"] : {};
  const reason = "InstanceDeletionInProgress";
  const message = "CustomResource deletion is in progress";
  return {
    ...status,
    conditions: withConditions(status, [{ type: "Terminating", status: "True", reason, message }], nowMs),
  };
}

/** A definition that is about to be deleted, held until its objects are gone. */
export function withCleanup(crd: KubeObject): KubeObject {
  const { deletionTimestamp, finalizers = [] } = crd.metadata;
  if (deletionTimestamp !== undefined || finalizers.includes(CLEANUP)) return crd;
  return withMetadata(crd, { finalizers: [...finalizers, CLEANUP] });
}

/** Whether a condition of a definition is true. */
export function hasCondition(crd: KubeObject, type: string): boolean {
  const status = isObject(crd["status"]) ? crd["status"] : {};
  return listOf(status["conditions"]).some(
    (each) => isObject(each) && each["type"] === type && each["status"] === "True",
  );
}

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : []);

function acceptedNames(crd: KubeObject): Partial<Names> {
  const status = crd["status"];
  const names = isObject(status) ? status["acceptedNames"] : undefined;
  return isObject(names) ? (names as Partial<Names>) : {};
}

function takenBy(others: readonly KubeObject[]): Taken {
  const names = others.map(acceptedNames);
  const known = (values: readonly (string | undefined)[]) => new Set(values.filter((value) => value !== undefined));
  return {
    resources: known(names.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular, ...shortNames])),
    kinds: known(names.flatMap(({ kind, listKind }) => [kind, listKind])),
  };
}

/** Gives the names that are free; of several that are not, the last one is told. */
function acceptNames(wanted: Names, had: Partial<Names>, { resources, kinds }: Taken) {
  const accepted: Names = { plural: "", kind: "", ...had };
  let problem: Pick<Condition, "reason" | "message"> | undefined;
  const accept = (field: "plural" | "singular" | "kind" | "listKind", taken: ReadonlySet<string>, reason: string) => {
    const name = wanted[field];
    if (name === undefined || (name !== had[field] && taken.has(name)))
      problem = { reason, message: inUse(name ?? "") };
    else accepted[field] = name;
  };
  accept("plural", resources, "PluralConflict");
  accept("singular", resources, "SingularConflict");
  const clashes = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && resources.has(name));
  const [first] = clashes;
  if (first !== undefined) {
    const message = clashes.length === 1 ? inUse(first) : `[${clashes.map(inUse).join(", ")}]`;
    problem = { reason: "ShortNamesConflict", message };
  } else if (wanted.shortNames !== undefined) accepted.shortNames = wanted.shortNames;
  else delete accepted.shortNames;
  accept("kind", kinds, "KindConflict");
  accept("listKind", kinds, "ListKindConflict");
  if (wanted.categories !== undefined) accepted.categories = wanted.categories;
  else delete accepted.categories;
  const fine = { status: "True", reason: "NoConflicts", message: "no conflicts found" } as const;
  const condition: Condition = {
    type: "NamesAccepted",
    ...(problem ? { status: "False" as const, ...problem } : fine),
  };
  return { accepted, condition };
}

const inUse = (name: string) => `${JSON.stringify(name)} is already in use`;

/** Once established a definition stays so. */
function establishedCondition(status: JsonObject, { status: isAccepted }: Condition): Condition {
  const isEstablished = listOf(status["conditions"]).some(
    (each) => isObject(each) && each["type"] === "Established" && each["status"] === "True",
  );
  return isEstablished || isAccepted === "True"
    ? {
        type: "Established",
        status: "True",
        reason: "InitialNamesAccepted",
        message: "the initial names have been accepted",
      }
    : { type: "Established", status: "False", reason: "NotAccepted", message: "not all names are accepted" };
}

/** The conditions with some of them set; one that stays as it was keeps its time, and its place. */
function withConditions(status: JsonObject, set: readonly Condition[], nowMs: number): readonly Json[] {
  const known = listOf(status["conditions"]);
  const typeOf = (condition: Json) => (isObject(condition) ? condition["type"] : undefined);
  const updated = (condition: Condition): Json => {
    const earlier = known.find((each) => typeOf(each) === condition.type);
    const { type, status: value, reason, message } = condition;
    const isTransition = !isObject(earlier) || earlier["status"] !== value;
    const lastTransitionTime = isTransition ? kubeTime(nowMs) : (earlier["lastTransitionTime"] ?? kubeTime(nowMs));
    const next = { type, status: value, lastTransitionTime, reason, message };
    return isDeepStrictEqual(earlier, next) ? (earlier ?? next) : next;
  };
  const kept = known.map((each) => {
    const condition = set.find(({ type }) => type === typeOf(each));
    return condition ? updated(condition) : each;
  });
  return [...kept, ...set.filter(({ type }) => !known.some((each) => typeOf(each) === type)).map(updated)];
}
