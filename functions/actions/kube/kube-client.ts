/**
 * The only way to the API server for functions: one verb a call, and each refusal told apart. What a retry can heal is an ordinary Error (or
 * RetryAfterError where the server says when), what it cannot heal is a PermanentError with the next step, and what a caller has to decide
 * about (exists, conflicts, gone) is a value. Every write names its field manager, `cr-reactor/<subscription>`, so that what functions
 * did can be told, and is not taken for somebody else's.
 * Source: Kubernetes API conventions ("Response Status Kind"), Server-Side Apply, RBAC documentation.
 */
import { z } from "zod";
import { groupOf, type KubeAccess, KubeObject, KubernetesSettings, openKubeAccess } from "#contract";
import { asPart, type Envelope, PermanentError, traceHeaders } from "#kit";
import { isNotServed, kubeError, RefusedError } from "./kube-refusal.ts";

/** The cluster that is acted on, for settings; default: the process's own. */
export const KubeSettings = KubernetesSettings.unwrap()
  .extend({
    /** The name that its bridge gives it. An event of another cluster is refused, before anything is sent. */
    cluster: z.string().min(1).exactOptional(),
  })
  .prefault({});
export type KubeSettings = z.infer<typeof KubeSettings>;

/** Where an object is, or will be. */
export interface KubePlace {
  readonly apiVersion: string;
  readonly plural: string;
  /** `undefined`: it is the cluster's. */
  readonly namespace: string | undefined;
  readonly name: string;
}

/** Where all objects of a kind are. */
export type KubeCollection = Omit<KubePlace, "name">;

/** A kind as the API server serves it. */
export interface ServedKind {
  readonly plural: string;
  readonly isNamespaced: boolean;
}

/** On whose behalf. */
export interface KubeCall {
  readonly event: Envelope;
  readonly subscription: string;
  readonly signal: AbortSignal;
}

/** The verbs. All throw PermanentError, RetryAfterError, or an Error worth another try. */
export interface KubeClient {
  /** `undefined`: it is not there. */
  get(place: KubePlace): Promise<KubeObject | undefined>;
  /** One page of a list, as the API server gives it; `accept` asks for another form of it. */
  list(collection: KubeCollection, query: Readonly<Record<string, string>>, accept?: string): Promise<unknown>;
  /** `exists`: there is one of this name, which need not be ours. */
  create(place: KubePlace, object: object): Promise<"created" | "exists">;
  /** A JSON merge patch; the preconditions are in its `metadata` (uid, resourceVersion). `changed`: they do not hold. */
  patch(
    place: KubePlace,
    patch: object,
    options?: { readonly dryRun?: boolean },
  ): Promise<"patched" | "gone" | "changed">;
  /** Server-side apply. A conflict is a PermanentError that names the managers. */
  apply(place: KubePlace, object: object, options: { readonly force: boolean }): Promise<KubeObject>;
  /** How a kind is served. */
  kind(apiVersion: string, kind: string): Promise<ServedKind>;
}

/** Opens clients; the connections, one for each cluster, are kept as long as this is. */
export type KubeClients = (settings: KubeSettings, call: KubeCall) => KubeClient;

const MANAGER = "cr-reactor";
/** The names of all kinds: no slash, no percent sign, neither `.` nor `..` (Kubernetes, "Path Segment Names"). */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/;
const ResourceList = z.object({
  resources: z.array(z.object({ name: z.string(), kind: z.string(), namespaced: z.boolean() })),
});

/**
 * Whether a function that writes to objects has to leave this change alone, else it would never end: it made the change itself, or another
 * function did and changed metadata alone.
 */
export function isOwnChange({ event, subscription }: Pick<KubeCall, "event" | "subscription">): boolean {
  const manager = event.manager ?? event.data.actor?.manager ?? "";
  return manager === managerOf(subscription) || (manager.startsWith(`${MANAGER}/`) && event.changed === "metadata");
}

/** Where the event's object is. */
export function placeOf({ apiversion: apiVersion, namespace, name, subject }: Envelope): KubePlace {
  return { apiVersion, plural: subject.split("/").at(-2) ?? "", namespace, name };
}

/** `Database prod/orders`, for sentences. */
export function titleOf({ kind, namespace, name }: Pick<Envelope, "kind" | "namespace" | "name">): string {
  return `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
}

/** Starts without a connection. */
export function createKubeClients(): KubeClients {
  const opened = new Map<string, KubeAccess>();
  return ({ cluster, ...settings }, call) => {
    checkCluster(cluster, call.event);
    const key = JSON.stringify([settings.kubeconfig, settings.context]);
    const access = opened.get(key) ?? openKubeAccess(settings);
    opened.set(key, access);
    return clientOf(access, call);
  };
}

function managerOf(subscription: string): string {
  return `${MANAGER}/${subscription}`;
}

function checkCluster(cluster: string | undefined, event: Envelope): void {
  if (cluster === undefined || cluster === event.cluster) return;
  throw new PermanentError(
    `the event is from the cluster ${event.cluster}, and kubernetes.cluster says that this function acts on ${cluster}: select the events with cluster: ${cluster}, and bind the function once for each cluster`,
  );
}

function clientOf(access: KubeAccess, { subscription, signal }: KubeCall): KubeClient {
  const fieldManager = managerOf(subscription);
  const ask = async (verb: string, place: KubePlace, request: Omit<Parameters<KubeAccess["ask"]>[0], "signal">) => {
    return await asPart(clientSpan(request, place), async ({ context }) => {
      try {
        return await access.ask({ ...request, headers: traceHeaders(context), signal });
      } catch (error) {
        throw kubeError(error, verb, describe(place));
      }
    });
  };
  return {
    async get(place) {
      const found = await unless([404], ask("get", place, { method: "GET", path: pathOf(place) }));
      return found.type === "refused" ? undefined : readObject(found.answer, place);
    },
    async list(collection, query, accept) {
      const request = { method: "GET", path: collectionOf(collection), query, ...(accept && { accept }) } as const;
      return await ask("list", { ...collection, name: "" }, request);
    },
    async create(place, body) {
      const request = { method: "POST", path: collectionOf(place), query: { fieldManager }, body } as const;
      const created = await unless([409], ask("create", place, request));
      if (created.type === "answered") return "created";
      // A namespace that is going, or a quota that changed meanwhile, is a conflict of another kind.
      if (created.error.reason === "AlreadyExists") return "exists";
      throw new Error(created.error.message);
    },
    async patch(place, body, { dryRun = false } = {}) {
      const query = { fieldManager, ...(dryRun && { dryRun: "All" }) };
      const contentType = "application/merge-patch+json";
      const request = { method: "PATCH", path: pathOf(place), query, body, contentType } as const;
      const patched = await unless([404, 409, 422], ask("patch", place, request));
      if (patched.type === "answered") return "patched";
      const { error } = patched;
      // Another uid is no conflict to the API server, but an invalid change of the object's.
      if (error.status === 422 && !/metadata\.uid: .*immutable/.test(error.message)) throw error;
      return error.status === 404 ? "gone" : "changed";
    },
    async apply(place, body, { force }) {
      const query = { fieldManager, force: String(force) };
      const contentType = "application/apply-patch+yaml";
      const request = { method: "PATCH", path: pathOf(place), query, body, contentType } as const;
      const applied = await unless([409], ask("patch", place, request));
      if (applied.type === "answered") return readObject(applied.answer, place);
      throw new PermanentError(
        `${applied.error.message}. Leave these fields to their managers, or set force: true to take them over`,
      );
    },
    async kind(apiVersion, kind) {
      const place = { apiVersion, plural: kind, namespace: undefined, name: "" };
      const listed = await unless([404], ask("get", place, { method: "GET", path: rootOf(apiVersion) }));
      const list = listed.type === "answered" ? ResourceList.safeParse(listed.answer).data : undefined;
      const found = list?.resources.find((each) => each.kind === kind && !each.name.includes("/"));
      if (found !== undefined) return { plural: found.name, isNamespaced: found.namespaced };
      throw new Error(`the API server does not serve ${kind} ${apiVersion}: install its CustomResourceDefinition`);
    },
  };
}

/** The names in a path are of objects: the span names their kind. */
function clientSpan(
  { method, path }: { readonly method: string; readonly path: string },
  { name, namespace }: KubePlace,
): Parameters<typeof asPart>[0] {
  const isOfOne = name !== "" && path.endsWith(`/${encodeURIComponent(name)}`);
  const kindPath = isOfOne ? `${path.slice(0, path.lastIndexOf("/"))}/{name}` : path;
  const template = kindPath.replace(/(?<=\/namespaces\/)[^/]+/, "{namespace}");
  const attributes = { "http.request.method": method, "url.template": template, "k8s.namespace.name": namespace };
  return { name: `${method} ${template}`, kind: "client", attributes };
}

type Answered =
  | { readonly type: "answered"; readonly answer: unknown }
  | { readonly type: "refused"; readonly error: RefusedError };

async function unless(statuses: readonly number[], asked: Promise<unknown>): Promise<Answered> {
  try {
    return { type: "answered", answer: await asked };
  } catch (error) {
    if (!(error instanceof RefusedError) || !statuses.includes(error.status)) throw error;
    if (error.status === 404 && isNotServed(error)) throw new Error(error.message);
    return { type: "refused", error };
  }
}

function readObject(answer: unknown, place: KubePlace): KubeObject {
  const parsed = KubeObject.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new Error(`the API server's answer about ${describe(place)} is no Kubernetes object: is a proxy on the way?`);
}

function describe({ apiVersion, plural, namespace, name }: KubePlace): string {
  const group = groupOf(apiVersion);
  const resource = group === "" ? plural : `${plural}.${group}`;
  return `${resource} ${namespace === undefined ? "" : `${namespace}/`}${name}`.trim();
}

function rootOf(apiVersion: string): string {
  return groupOf(apiVersion) === "" ? `/api/${apiVersion}` : `/apis/${apiVersion}`;
}

function collectionOf({ apiVersion, plural, namespace }: KubeCollection): string {
  const scope = namespace === undefined ? "" : `/namespaces/${segment(namespace, "namespace")}`;
  return `${rootOf(apiVersion)}${scope}/${plural}`;
}

function pathOf(place: KubePlace): string {
  return `${collectionOf(place)}/${segment(place.name, "name")}`;
}

/** A name may come from a template: none leads to another place. */
function segment(name: string, what: string): string {
  if (!NAME.test(name)) throw new PermanentError(`${JSON.stringify(name.slice(0, 100))} is no ${what} of Kubernetes`);
  return encodeURIComponent(name);
}
