/**
 * What the API server serves, followed as it changes: every ten seconds its index of OpenAPI documents is read, whose entries change with
 * any change of a CustomResourceDefinition. It needs no permission that not every account has, and one small request; documents are read
 * again only where their hash is another one. What asks the catalog gets what was there at the last look.
 * Source: KEP-2896 (OpenAPI v3: `/openapi/v3` lists the documents by group and version, each with a hash of its content); Kubernetes API
 * discovery (`APIGroupList`, `APIResourceList`).
 */
import { z } from "zod";
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import { readGroups, readResources, type ServedResource } from "./discovery.ts";
import { groupOf, versionPartOf } from "./kube-object.ts";
import { COMMON_SHAPE, OpenApiDocument, type Shape, shapeOf } from "./list-shape.ts";

/** What is served, at one look. */
export interface Catalog {
  /** Every kind that can be watched, in its group's preferred version. */
  readonly preferred: readonly ServedResource[];
  /** Whether any version of the group has the resource. */
  has(group: string, plural: string): boolean;
  /** A kind in a version; `undefined`: not served. */
  find(apiVersion: string, kind: string): ServedResource | undefined;
  /** The OpenAPI document of a group's version; `undefined`: there is none. `revision` is another one when the document is. */
  document(
    apiVersion: string,
  ): { readonly revision: string; read(signal: AbortSignal): Promise<OpenApiDocument> } | undefined;
  /** How the kind's lists are compared; what every kind has in common where its document cannot be read. */
  shape(resource: ServedResource): Promise<Shape>;
}

/** Which documents are read: those of these groups. */
export type GroupFilter = (group: string) => boolean;

const OpenApiIndex = z.object({ paths: z.record(z.string(), z.object({ serverRelativeURL: z.string() })) });

/** Between two looks: soon enough for a kind that somebody has just installed. */
export const LOOK_MS = 10_000;

/** Follows what is served. */
export interface CatalogReader {
  /** Looks once. Throws ApiStatusError and connection errors. */
  look(signal: AbortSignal): Promise<Catalog>;
}

interface Document {
  readonly url: string;
  readonly resources: readonly ServedResource[];
  /** By kind; read when it is asked for. */
  readonly shapes: Map<string, Promise<Shape>>;
}

/** Reads what is served of the groups that are asked for; a look costs two requests, and one more for each document that changed. */
export function createCatalogReader(apiServer: ApiServer, isWanted: GroupFilter): CatalogReader {
  let documents: ReadonlyMap<string, Document> = new Map();
  const readDocument = async (apiVersion: string, url: string, signal: AbortSignal): Promise<Document | undefined> => {
    const known = documents.get(apiVersion);
    if (known?.url === url) return known;
    const answer = await readResources(apiServer, apiVersion, signal).catch(statusOf);
    if (typeof answer === "number") return answer === 404 ? undefined : known; // a broken aggregated API says nothing about itself
    const watchable = answer.filter(({ verbs }) => verbs.includes("watch") && verbs.includes("list"));
    const resources = watchable.map(({ name, kind, namespaced }) => ({ apiVersion, kind, plural: name, namespaced }));
    return { url, resources, shapes: new Map() };
  };
  /** An API server that has just started does not list everything yet: what has gone must be gone from a ready one. */
  const isReallyGone = async (apiVersion: string, signal: AbortSignal): Promise<boolean> => {
    const readiness = await apiServer.open("/readyz", { signal }).catch(statusOf);
    if (typeof readiness === "number") return false;
    readiness.resume(); // it says "ok", and the connection is free again
    return (await readResources(apiServer, apiVersion, signal).catch(statusOf)) === 404;
  };
  return {
    async look(signal) {
      const [{ paths }, groups] = await Promise.all([
        apiServer.json("/openapi/v3", { signal }).then((index) => OpenApiIndex.parse(index)),
        readGroups(apiServer, signal),
      ]);
      const next = new Map<string, Document>();
      for (const [path, { serverRelativeURL: url }] of Object.entries(paths)) {
        const apiVersion = /^(?:api|apis\/[^/]+)\/[^/]+$/.test(path) ? path.replace(/^apis?\//, "") : undefined;
        if (apiVersion === undefined || !isWanted(groupOf(apiVersion))) continue;
        const document = await readDocument(apiVersion, url, signal);
        if (document !== undefined) next.set(apiVersion, document);
      }
      for (const [apiVersion, document] of documents) {
        if (!next.has(apiVersion) && !(await isReallyGone(apiVersion, signal))) next.set(apiVersion, document);
      }
      documents = next;
      const preferred = groups.flatMap(({ apiVersions }) => preferredOf(apiVersions, next));
      return {
        preferred: [...(next.get("v1")?.resources ?? []), ...preferred],
        has: (group, plural) =>
          [...next].some(
            ([apiVersion, { resources }]) =>
              groupOf(apiVersion) === group && resources.some((each) => each.plural === plural),
          ),
        find: (apiVersion, kind) => next.get(apiVersion)?.resources.find((each) => each.kind === kind),
        document(apiVersion) {
          const url = next.get(apiVersion)?.url;
          if (url === undefined) return undefined;
          return {
            revision: url,
            read: async (until) => OpenApiDocument.parse(await apiServer.json(url, { signal: until })),
          };
        },
        shape: (resource) => readShape(apiServer, next.get(resource.apiVersion), resource, signal),
      };
    },
  };
}

/** Of a group's versions, in the order in which they are preferred, each kind once. */
function preferredOf(versions: readonly string[], documents: ReadonlyMap<string, Document>): ServedResource[] {
  const found = new Map<string, ServedResource>();
  for (const apiVersion of versions) {
    for (const resource of documents.get(apiVersion)?.resources ?? []) {
      if (!found.has(resource.plural)) found.set(resource.plural, resource);
    }
  }
  return [...found.values()];
}

/** A document that cannot be read, or parsed, is asked for again at the next look: meanwhile lists are compared by what is known of all. */
function readShape(
  apiServer: ApiServer,
  document: Document | undefined,
  { apiVersion, kind }: ServedResource,
  signal: AbortSignal,
): Promise<Shape> {
  if (document === undefined) return Promise.resolve(COMMON_SHAPE);
  const known = document.shapes.get(kind);
  if (known !== undefined) return known;
  const version = versionPartOf(apiVersion);
  const reading = apiServer
    .json(document.url, { signal })
    .then(
      (json) => shapeOf(OpenApiDocument.parse(json), { group: groupOf(apiVersion), version, kind }) ?? COMMON_SHAPE,
    );
  document.shapes.set(kind, reading);
  reading.catch(() => document.shapes.delete(kind));
  return reading.catch(() => COMMON_SHAPE);
}

function statusOf(error: unknown): number {
  if (error instanceof ApiStatusError) return error.status;
  throw error;
}
