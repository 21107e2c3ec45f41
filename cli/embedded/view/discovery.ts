/**
 * What the server says that it serves: the groups and versions, the resources of each, and all of it at once. kubectl and client
 * libraries find out by it which path a kind has and which verbs it knows.
 * Source: Kubernetes API concepts, "API discovery"; apimachinery `pkg/version` (priority), KEP-3352 (aggregated discovery).
 */
import { apiVersionOf, type ResourceKind } from "../object/kind.ts";
import type { JsonObject } from "../object/object.ts";

interface Subresource {
  readonly name: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

interface GroupVersion {
  readonly version: string;
  readonly kinds: readonly ResourceKind[];
}

interface Group {
  readonly name: string;
  /** The preferred one first. */
  readonly versions: readonly GroupVersion[];
}

/** The built-in groups, in the order of their priority; those of custom kinds follow by name. */
const FIRST_GROUPS: readonly string[] = ["events.k8s.io", "apiextensions.k8s.io", "coordination.k8s.io"];
const BUILT_IN_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/** The API server lists them so. */
const CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
/** Of a kind whose definition is going. */
const TERMINATING_VERBS = ["delete", "deletecollection", "get", "list", "watch"];
const SUBRESOURCE_VERBS = ["get", "patch", "update"];
const STAGES: Readonly<Record<string, number>> = { alpha: 0, beta: 1 };

/** `/api`; `address` is the server's `host:port`. */
export function coreVersions(kinds: readonly ResourceKind[], address: string): JsonObject {
  const versions = versionsOf(kinds.filter(({ group }) => group === "")).map(({ version }) => version);
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: address }];
  return { kind: "APIVersions", versions, serverAddressByClientCIDRs };
}

/** `/apis`. */
export function groupList(kinds: readonly ResourceKind[]): JsonObject {
  const groups = groupsOf(kinds).toSorted((a, b) => compareGroups(a, b, firstServiceOf));
  return { kind: "APIGroupList", apiVersion: "v1", groups: groups.map(groupEntry) };
}

/** `/apis/<group>`; `undefined` when there is none. */
export function groupDocument(kinds: readonly ResourceKind[], name: string): JsonObject | undefined {
  const group = groupsOf(kinds).find((each) => each.name === name);
  return group && { kind: "APIGroup", apiVersion: "v1", ...groupEntry(group) };
}

/** `/api/v1` (an empty group) and `/apis/<group>/<version>`; `undefined` when there is none. */
export function resourceList(kinds: readonly ResourceKind[], group: string, version: string): JsonObject | undefined {
  const found = kinds.filter((kind) => kind.group === group && kind.version === version);
  if (found.length === 0) return undefined;
  const resources = byPlural(found).flatMap(resourceEntries);
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf({ group, version }), resources };
}

/** `/api` and `/apis` in the aggregated form, of `apidiscovery.k8s.io/v2`. */
export function aggregatedDiscovery(kinds: readonly ResourceKind[], root: "/api" | "/apis"): JsonObject {
  const core = { name: "", versions: versionsOf(kinds.filter(({ group }) => group === "")) };
  const groups = root === "/api" ? [core] : groupsOf(kinds);
  const items = groups.map(({ name, versions }) => ({
    metadata: name === "" ? {} : { name },
    versions: versions.map((each) => ({
      version: each.version,
      resources: byPlural(each.kinds).map(aggregatedResource),
      freshness: "Current",
    })),
  }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

/** `/version`, of a version such as `v1.36.3+embedded`. */
export function versionInfo(gitVersion: string): JsonObject {
  const [, major = "", minor = ""] = /^v(\d+)\.(\d+)/.exec(gitVersion) ?? [];
  return {
    major,
    minor,
    gitVersion,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: "",
    compiler: "",
    platform: `${process.platform}/${process.arch}`,
  };
}

/** Orders versions as Kubernetes prefers them: `v10`, `v2`, `v1`, `v2beta1`, `v1alpha1`, then other names by their letters. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [rankOf(a), rankOf(b)];
  if (left === undefined || right === undefined) {
    if (left !== undefined) return -1;
    return right === undefined && a < b ? -1 : 1;
  }
  const different = left.findIndex((rank, index) => rank !== right[index]);
  return different === -1 ? 0 : (right[different] ?? 0) - (left[different] ?? 0);
}

/** Stage, major, minor: the greater the more preferred; `undefined` for a name of another form. */
function rankOf(version: string): readonly number[] | undefined {
  const found = /^v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?$/.exec(version);
  if (found === null) return undefined;
  const [, major, stage = "", minor = "0"] = found;
  return [STAGES[stage] ?? 2, Number(major), Number(minor)];
}

function groupsOf(kinds: readonly ResourceKind[]): readonly Group[] {
  const byName = Object.groupBy(
    kinds.filter(({ group }) => group !== ""),
    ({ group }) => group,
  );
  return Object.entries(byName)
    .map(([name, members = []]) => ({ name, versions: versionsOf(members) }))
    .toSorted((a, b) => compareGroups(a, b, ({ name }) => name));
}

/** Custom groups are of one priority, so a text decides: the name in the aggregated form, another one in `/apis`. */
function compareGroups(a: Group, b: Group, textOf: (group: Group) => string): number {
  return placeOf(a.name) - placeOf(b.name) || (textOf(a) < textOf(b) ? -1 : 1);
}

/** The least of `<version>.<group>`, as the API server calls what it serves. */
function firstServiceOf({ name, versions }: Group): string {
  return versions.map(({ version }) => `${version}.${name}`).toSorted()[0] ?? "";
}

function placeOf(group: string): number {
  const place = FIRST_GROUPS.indexOf(group);
  return place === -1 ? FIRST_GROUPS.length : place;
}

function versionsOf(kinds: readonly ResourceKind[]): readonly GroupVersion[] {
  const byVersion = Object.groupBy(kinds, ({ version }) => version);
  return Object.entries(byVersion)
    .map(([version, members = []]) => ({ version, kinds: members }))
    .toSorted((a, b) => compareVersions(a.version, b.version));
}

function groupEntry({ name, versions }: Group): JsonObject {
  const entries = versions.map(({ version }) => ({ groupVersion: apiVersionOf({ group: name, version }), version }));
  const [preferredVersion] = entries;
  return { name, versions: entries, preferredVersion };
}

function byPlural(kinds: readonly ResourceKind[]): readonly ResourceKind[] {
  return kinds.toSorted((a, b) => (a.plural < b.plural ? -1 : 1));
}

/** What may be done to the objects of a kind, in the words of the API. */
export function verbsOf(kind: ResourceKind): readonly string[] {
  if (kind.isTerminating) return TERMINATING_VERBS;
  if (kind.custom) return CUSTOM_VERBS;
  const isNamespace = kind.group === "" && kind.kind === "Namespace"; // nobody deletes all of them at once
  return isNamespace ? BUILT_IN_VERBS.filter((verb) => verb !== "deletecollection") : BUILT_IN_VERBS;
}

function subresourcesOf({ group, version, kind, hasStatus, scale }: ResourceKind): readonly Subresource[] {
  const verbs = SUBRESOURCE_VERBS;
  return [
    ...(hasStatus ? [{ name: "status", group, version, kind, verbs }] : []),
    ...(scale ? [{ name: "scale", group: "autoscaling", version: "v1", kind: "Scale", verbs }] : []),
  ];
}

function resourceEntries(kind: ResourceKind): readonly JsonObject[] {
  const { plural, singular, namespaced, shortNames, categories } = kind;
  const resource = {
    name: plural,
    singularName: singular,
    namespaced,
    kind: kind.kind,
    verbs: verbsOf(kind),
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
  };
  const subresources = subresourcesOf(kind).map(({ name, group, version, kind: answered, verbs }) => ({
    name: `${plural}/${name}`,
    singularName: "",
    namespaced,
    ...(group !== kind.group && { group, version }),
    kind: answered,
    verbs,
  }));
  return [resource, ...subresources];
}

function aggregatedResource(kind: ResourceKind): JsonObject {
  const { group, version, plural, singular, namespaced, shortNames, categories } = kind;
  const subresources = subresourcesOf(kind).map(({ name, verbs, ...answered }) => ({
    subresource: name,
    responseKind: responseKind(kind, answered),
    verbs,
  }));
  return {
    resource: plural,
    responseKind: responseKind(kind, { group, version, kind: kind.kind }),
    scope: namespaced ? "Namespaced" : "Cluster",
    singularResource: singular,
    verbs: verbsOf(kind),
    ...(shortNames.length > 0 && { shortNames }),
    ...(categories.length > 0 && { categories }),
    ...(subresources.length > 0 && { subresources }),
  };
}

/** The API server leaves out group and version where a built-in resource answers its own. */
function responseKind({ custom }: ResourceKind, answered: Pick<Subresource, "group" | "version" | "kind">): JsonObject {
  return custom ? { ...answered } : { group: "", version: "", kind: answered.kind };
}
