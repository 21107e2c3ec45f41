/**
 * What one watch covers: a resource of one cluster, in one namespace or in all, with the settings that shape its events. Its
 * checkpoint belongs to it and to a hash of these settings.
 */
import { hash } from "node:crypto";
import { type PathSet, pathSet } from "../event/path-set.ts";
import { presetPhase } from "../event/phase-preset.ts";
import { createRedaction, type Redaction, type RedactionKeys, SECRET_PATHS } from "../event/redaction.ts";
import { type PhaseSource, parsePhaseSource } from "../event/transitions.ts";
import { groupOf, versionPartOf } from "../kube/kube-object.ts";
import { COMMON_SHAPE, type LiveShape } from "../kube/list-shape.ts";
import { encodeToken, SUBJECT_ROOT } from "../log/subject.ts";

/** The settings of one watch, as the configuration names them. */
export interface ResourceSettings {
  readonly apiVersion: string;
  readonly kind: string;
  /** Left out: where the kind has it. */
  readonly phase?: string | undefined;
  readonly ignore?: readonly string[];
  readonly only?: readonly string[];
  readonly critical?: readonly string[];
  readonly redact?: readonly string[];
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** What discovery knows of a resource. */
export interface DiscoveredResource {
  readonly plural: string;
  readonly namespaced: boolean;
}

/** One watch, ready to start. */
export interface WatchedResource {
  readonly cluster: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  /** `undefined`: all namespaces, or a cluster-scoped kind. */
  readonly namespace: string | undefined;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Whether there is a selector: then an object can leave the watch without being deleted. */
  readonly selects: boolean;
  readonly phase: PhaseSource;
  readonly ignored: PathSet;
  /** The only paths that count; left out: all. */
  readonly only?: PathSet;
  /** Paths whose changes are more severe. */
  readonly critical: PathSet;
  readonly redaction: Redaction;
  /** How its lists are compared. */
  readonly shape: LiveShape;
  /** As in `SealContext`. */
  readonly checked: Set<string>;
  /** Changes when a setting changes that shapes events: then the log is compared with a list. */
  readonly settingsHash: string;
}

/** Never a change on their own: bookkeeping of the API server. */
export const ALWAYS_IGNORED = ["/metadata/managedFields", "/metadata/resourceVersion", "/metadata/generation"] as const;

/** How the bridge reads the object, not what the object is: the log has events from before a change of the configured apiVersion. */
const API_VERSION = "/apiVersion";

/** Nothing is redacted, so nothing has to be recognised. */
const NO_KEYS: RedactionKeys = { current: "" };

/** Joins settings with what discovery found. `redactionKeys` may be left out where nothing is redacted. */
export function watchedResource(
  cluster: string,
  settings: ResourceSettings,
  discovered: DiscoveredResource,
  namespace: string | undefined,
  {
    redactionKeys = NO_KEYS,
    shape = { current: COMMON_SHAPE },
  }: { readonly redactionKeys?: RedactionKeys; readonly shape?: LiveShape } = {},
): WatchedResource {
  const { apiVersion, kind, only = [], critical = [] } = settings;
  const selectors = selectorQuery(settings);
  const selects = Object.keys(selectors).length > 0;
  const group = groupOf(apiVersion);
  const phase = settings.phase ?? presetPhase(group, kind);
  const ignore = [...ALWAYS_IGNORED, API_VERSION, ...(settings.ignore ?? [])].toSorted();
  const redact = [...(settings.redact ?? []), ...(isSecret(group, kind) ? SECRET_PATHS : [])].toSorted();
  return {
    cluster,
    group,
    version: versionPartOf(apiVersion),
    kind,
    plural: discovered.plural,
    namespaced: discovered.namespaced,
    namespace: discovered.namespaced ? namespace : undefined,
    ...selectors,
    selects,
    phase: parsePhaseSource(phase),
    ignored: pathSet(ignore),
    ...(only.length > 0 && { only: pathSet(only) }),
    critical: pathSet(critical),
    checked: new Set(),
    redaction: createRedaction(redact, redactionKeys),
    shape,
    settingsHash: hash(
      "sha256",
      // Without selectors it is the hash of checkpoints from before there were any.
      JSON.stringify([apiVersion, kind, phase, ignore, only.toSorted(), redact, ...(selects ? [selectors] : [])]),
      "hex",
    ).slice(0, 16),
  };
}

/** Whether its objects are Secrets, which are redacted unasked. */
export function isSecret(group: string, kind: string): boolean {
  return group === "" && kind === "Secret";
}

/** The API path of the collection, or of one object in it. */
export function resourcePath(
  resource: Pick<WatchedResource, "group" | "version" | "plural" | "namespace">,
  object?: { readonly namespace: string; readonly name: string },
): string {
  const root = resource.group === "" ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const namespace = object === undefined ? resource.namespace : object.namespace || undefined;
  const scope = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}${scope}/${resource.plural}${object === undefined ? "" : `/${encodeURIComponent(object.name)}`}`;
}

/** What limits a list or a watch to the selected objects, as query parameters. */
export function selectorQuery({
  labelSelector,
  fieldSelector,
}: {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}): Readonly<Record<string, string>> {
  return { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
}

/** The subjects of all events of this watch. */
export function resourceSubjects(resource: WatchedResource): string {
  const { cluster, group, kind, namespace } = resource;
  const scope = namespace === undefined ? "*" : encodeToken(namespace);
  return `${SUBJECT_ROOT}.${encodeToken(cluster)}.${encodeToken(group)}.${encodeToken(kind)}.${scope}.>`;
}

/** The watch's key in the bucket of checkpoints. */
export function checkpointKey({ cluster, group, plural, namespace }: WatchedResource): string {
  return [cluster, group, plural, namespace ?? "*"].map(encodeToken).join(".");
}

/** Matches the keys of all watches of the resource, of whatever namespace. */
export function checkpointKeys({ cluster, group, plural }: WatchedResource): string {
  return [...[cluster, group, plural].map(encodeToken), "*"].join(".");
}

/** Matches the keys of all watches of the cluster. */
export function clusterKeys(cluster: string): string {
  return `${encodeToken(cluster)}.>`;
}

/** For people: `databases.demo.example.com`, with its namespace if it is limited to one. */
export function resourceTitle({
  plural,
  group,
  namespace,
}: Pick<WatchedResource, "plural" | "group" | "namespace">): string {
  const name = group === "" ? plural : `${plural}.${group}`;
  return namespace === undefined ? name : `${name} in ${namespace}`;
}
