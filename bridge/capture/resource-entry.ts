/**
 * One entry of the configuration's `resources`: which objects are captured, and how. It names a kind, or by `*` many kinds, which are
 * followed as they come and go.
 */
import { z } from "zod";
import { FieldPath } from "../event/field-path.ts";
import { parsePhaseSource } from "../event/transitions.ts";
import { groupOf, versionPartOf } from "../kube/kube-object.ts";
import { FieldSelector, LabelSelector } from "../kube/selector.ts";
import { ObjectMetricLists } from "../metrics/object-metric.ts";

const PhasePath = z.string().superRefine((text, context) => {
  try {
    parsePhaseSource(text);
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
});

/** Lists of paths; `*` is any key. */
export const PathLists = {
  /** Their changes make no event on their own. */
  ignore: z.array(FieldPath).default([]),
  /** Changes of anything else make no event. */
  only: z.array(FieldPath).default([]),
  /** Their changes make events of higher severity (severitytext CRITICAL). */
  critical: z.array(FieldPath).default([]),
  /** What stands there is replaced by a mark before it leaves the process. */
  redact: z.array(FieldPath).default([]),
};

const API_VERSION = /^((\*|(\*\.)?[a-z0-9.-]+)\/)?(v[a-z0-9]+|\*)$/;

/** An entry. */
export const ResourceEntry = z
  .strictObject({
    /**
     * Group and version. `*.example.com/*` is every group that ends so, in the version that each prefers; `*` as the group is every group
     * but Kubernetes' own.
     */
    apiVersion: z
      .string()
      .regex(API_VERSION, "expected an API version such as demo.example.com/v1, or a pattern: *.example.com/*, or */*"),
    /** `*`: every kind of the group. Secrets only by their name. */
    kind: z
      .string()
      .regex(/^(\*|[A-Z][A-Za-z0-9]*)$/, "expected a kind such as Database (the singular, as in manifests), or *"),
    /** Left out: all namespaces. */
    namespaces: z.array(z.string().min(1)).min(1).optional(),
    /** Instead of `namespaces`: those whose labels match, followed as they come and go. */
    namespaceSelector: LabelSelector.optional(),
    /** Only objects whose labels match, such as `tier in (gold,silver),!canary`. */
    labelSelector: LabelSelector.optional(),
    /** Only objects with these values, such as `spec.tier=gold`: of their names, and of what their definition lists as selectableFields. */
    fieldSelector: FieldSelector.optional(),
    /** Where the phase is: a path, or `condition:Ready`; default: where kinds that many run have it, else status.phase. */
    phase: PhasePath.optional(),
    ...PathLists,
    ...ObjectMetricLists,
  })
  .superRefine(({ namespaces, namespaceSelector }, context) => {
    if (namespaces === undefined || namespaceSelector === undefined) return;
    const message = "namespaces are named already: leave one of namespaces and namespaceSelector out";
    context.addIssue({ code: "custom", path: ["namespaceSelector"], message });
  });
export type ResourceEntry = z.infer<typeof ResourceEntry>;

/** Kubernetes' own groups, which `*` does not mean: nobody wants every Event and Lease by accident. */
const BUILT_IN = new Set(["", "apps", "autoscaling", "batch", "extensions", "policy"]);
const BUILT_IN_PARTS =
  "admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|discovery|events|flowcontrol.apiserver|internal.apiserver|metrics|networking|node|rbac.authorization|resource|scheduling|storage|storagemigration";
for (const part of BUILT_IN_PARTS.split("|")) BUILT_IN.add(`${part}.k8s.io`);

/** Whether the entry may mean several kinds. */
export function isPattern({ apiVersion, kind }: Pick<ResourceEntry, "apiVersion" | "kind">): boolean {
  return apiVersion.includes("*") || kind === "*";
}

/** Whether the entry means kinds of this group. */
export function meansGroup({ apiVersion }: Pick<ResourceEntry, "apiVersion">, group: string): boolean {
  const pattern = groupOf(apiVersion);
  if (pattern === "*") return !BUILT_IN.has(group);
  return pattern.startsWith("*.") ? group.endsWith(pattern.slice(1)) || group === pattern.slice(2) : pattern === group;
}

/** Whether the entry means this kind. */
export function meansKind(entry: Pick<ResourceEntry, "apiVersion" | "kind">, group: string, kind: string): boolean {
  return meansGroup(entry, group) && (entry.kind === "*" || entry.kind === kind);
}

/** The entry's version; `undefined`: the one that its group prefers. */
export function versionOf({ apiVersion }: Pick<ResourceEntry, "apiVersion">): string | undefined {
  const version = versionPartOf(apiVersion);
  return version === "*" ? undefined : version;
}

/** Each object has one owner: two entries for it would publish everything twice with different settings. */
export function refuseOverlap(entries: readonly ResourceEntry[], context: z.RefinementCtx): void {
  for (const [index, entry] of entries.entries()) {
    const earlier = entries.slice(0, index).find((other) => overlaps(other, entry));
    if (earlier === undefined) continue;
    context.addIssue({
      code: "custom",
      path: [index],
      message: `${entry.kind} of ${entry.apiVersion} is covered by an earlier entry: join the two, or give them different namespaces`,
    });
  }
}

/** A kind that is named belongs to the entries that name it, any other to the first pattern that means it: that is no overlap. */
function overlaps(a: ResourceEntry, b: ResourceEntry): boolean {
  const isSame =
    isPattern(a) || isPattern(b) ? a.apiVersion === b.apiVersion : groupOf(a.apiVersion) === groupOf(b.apiVersion);
  if (a.kind !== b.kind || !isSame) return false;
  return (
    a.namespaces === undefined ||
    b.namespaces === undefined ||
    a.namespaces.some((name) => b.namespaces?.includes(name))
  );
}
