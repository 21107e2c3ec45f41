/**
 * Where the schema of a kind comes from: what bridges have published on NATS, a cluster's own OpenAPI document, or the file of a
 * CustomResourceDefinition, which needs no server. All three give the same for the same definition.
 */
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import {
  connectJetStream,
  didYouMean,
  groupOf,
  type KindSchema,
  NatsSettings,
  resolveNatsSettings,
  type SchemaNode,
  versionPartOf,
} from "#contract";
import { readKindSchemas } from "#kit";
import { findResource } from "../bridge/kube/discovery.ts";
import { OpenApiDocument, reduceFromDocument, reduceSchema } from "../bridge/schema/kind-schema-reduction.ts";
import { clusterError, openCluster } from "./cluster.ts";
import { readTextFile } from "./file.ts";

/** Which kind, and where it is looked for. */
export interface TypesQuery {
  /** As for kubectl: a kind, plural or short name, with its group if it is ambiguous; without one, the only kind of the file. */
  readonly kind: string | undefined;
  /** The version in its group, such as `v1`. */
  readonly apiVersion?: string | undefined;
  readonly cluster?: string | undefined;
  readonly server?: readonly string[] | undefined;
  readonly context?: string | undefined;
  readonly kubeconfig?: string | undefined;
  /** The file of a CustomResourceDefinition. */
  readonly crd?: string | undefined;
}

/** A kind with its schema. */
export interface FoundKind {
  readonly apiVersion: string;
  readonly kind: string;
  readonly schema: SchemaNode;
}

/** There is no such kind, or more than one; the message says which there are. */
export class TypesError extends Error {
  readonly code = "TYPES";
  override readonly name = "TypesError";
}

const Definition = z.object({
  kind: z.literal("CustomResourceDefinition"),
  spec: z.object({
    group: z.string(),
    names: z.object({ kind: z.string(), plural: z.string() }),
    versions: z.array(
      z.object({
        name: z.string(),
        storage: z.boolean().default(false),
        schema: z.object({ openAPIV3Schema: z.unknown() }).optional(),
      }),
    ),
  }),
});

/** Some definitions are half a megabyte; the API server takes no more than about three. */
const CRD_LENGTH_MAX = 16 * 1024 ** 2;

/** Finds the kind. Throws TypesError, or what keeps its source from being read. */
export async function findKindTypes(query: TypesQuery, signal: AbortSignal): Promise<FoundKind> {
  if (query.crd !== undefined) return fromDefinitions(await readTextFile(query.crd), query.crd, query);
  if (query.kind === undefined)
    throw new TypesError("which kind? Name it, such as Database, or give the file of its definition with --crd");
  if (query.context !== undefined || query.kubeconfig !== undefined)
    return await fromCluster(query.kind, query, signal);
  return await fromNats(query.kind, query);
}

function fromDefinitions(text: string, fileName: string, { kind, apiVersion }: TypesQuery): FoundKind {
  if (text.length > CRD_LENGTH_MAX) throw new TypesError(`${fileName} is too large for a definition`);
  const offers = parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new TypesError(`${fileName}: ${problem.message}`);
    const definition = Definition.safeParse(document.toJS()).data;
    if (definition === undefined) return [];
    const { group, names, versions } = definition.spec;
    return versions.map(({ name, storage, schema }) => ({
      apiVersion: `${group}/${name}`,
      ...names,
      isFirst: storage,
      read: () => reduceSchema(schema?.openAPIV3Schema),
    }));
  });
  if (offers.length === 0) throw new TypesError(`${fileName} has no CustomResourceDefinition`);
  const { read, ...found } = chosen(offers, kind, apiVersion, fileName);
  return { apiVersion: found.apiVersion, kind: found.kind, schema: read() };
}

/** The API server says by itself which version is preferred. */
async function fromCluster(name: string, query: TypesQuery, signal: AbortSignal): Promise<FoundKind> {
  const { context, kubeconfig, apiVersion } = query;
  const apiServer = await openCluster({ ...(context && { context }), ...(kubeconfig && { kubeconfig }) });
  try {
    const served = await findResource(apiServer, name, signal);
    const group = groupOf(served.apiVersion);
    const version = apiVersion ?? versionPartOf(served.apiVersion);
    const path = group === "" ? `/openapi/v3/api/${version}` : `/openapi/v3/apis/${group}/${version}`;
    const document = await apiServer.json(path, { signal }).catch((error) => {
      throw clusterError(apiServer, error);
    });
    const full = group === "" ? version : `${group}/${version}`;
    const schema = reduceFromDocument(OpenApiDocument.parse(document), { group, version, kind: served.kind });
    if (schema === undefined) throw new TypesError(`the cluster has no schema of ${served.kind} ${full}`);
    return { apiVersion: full, kind: served.kind, schema };
  } finally {
    await apiServer.close();
  }
}

async function fromNats(name: string, { apiVersion, cluster, server }: TypesQuery): Promise<FoundKind> {
  const settings = resolveNatsSettings(NatsSettings.parse(server ? { servers: server } : {}));
  const jetStream = await connectJetStream(settings, "cr-reactor types");
  try {
    const all = [...(await readKindSchemas(jetStream, [{ cluster }])).values()];
    if (all.length === 0)
      throw new TypesError(
        "no bridge has published a schema on this NATS: start one, or use --context for a cluster, or --crd for a file",
      );
    const found = chosen(all.map(offerOf), name, apiVersion, "the bridges");
    const same = all.filter((each) => each.apiVersion === found.apiVersion && each.kind === found.kind);
    if (new Set(same.map(({ schema }) => JSON.stringify(schema))).size > 1)
      throw new TypesError(
        `${found.kind} ${found.apiVersion} is not the same in the clusters ${same.map((each) => each.cluster).join(", ")}: choose one with --cluster`,
      );
    return found;
  } finally {
    await jetStream.close();
  }
}

function offerOf({ apiVersion, kind, plural, schema }: KindSchema) {
  return { apiVersion, kind, plural, schema, isFirst: false };
}

interface Offer {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  /** Of several versions, the one that is meant when none is named. */
  readonly isFirst: boolean;
}

/** The one that is named. Throws TypesError, which lists what there is. */
function chosen<Found extends Offer>(
  offers: readonly Found[],
  name: string | undefined,
  version: string | undefined,
  where: string,
): Found {
  const named = offers.filter((offer) => name === undefined || namesOf(offer).includes(name.toLowerCase()));
  const kinds = new Set(named.map(({ apiVersion, kind }) => `${kind}.${groupOf(apiVersion)}`));
  if (kinds.size === 0) {
    const known = [...new Set(offers.map(({ kind }) => kind))];
    throw new TypesError(
      `there is no kind "${name}" in ${where}${didYouMean(name ?? "", known)}: it has ${known.join(", ")}`,
    );
  }
  if (kinds.size > 1) throw new TypesError(`there are several kinds in ${where}: name one of ${[...kinds].join(", ")}`);
  const versions = [...new Set(named.map((offer) => versionPartOf(offer.apiVersion)))];
  const meant =
    version === undefined ? undefined : named.filter((offer) => versionPartOf(offer.apiVersion) === version);
  const [found] = meant ?? (versions.length === 1 ? named : named.filter(({ isFirst }) => isFirst));
  if (found !== undefined) return found;
  const problem = version === undefined ? "choose one with --api-version" : `${version} is none of them`;
  throw new TypesError(`${[...kinds].join()} has the versions ${versions.join(", ")} in ${where}: ${problem}`);
}

function namesOf({ kind, plural, apiVersion }: Offer): readonly string[] {
  const group = groupOf(apiVersion);
  return [kind, plural].flatMap((name) => [name, `${name}.${group}`]).map((name) => name.toLowerCase());
}
