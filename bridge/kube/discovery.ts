/**
 * Finds resources in the API server's discovery documents: one by its apiVersion and kind, as the configuration names it, or one
 * by any name that kubectl takes. A group that does not answer, such as that of a broken aggregated API server, is passed over.
 * Source: Kubernetes API discovery, `APIGroupList` and `APIResourceList` (kubernetes.io/docs/concepts/overview/kubernetes-api);
 * names as in kubectl: `resource`, `resource.group`, `resource.version.group` (apimachinery `ParseResourceArg`).
 */
import { z } from "zod";
import { createLanes } from "../capture/lane.ts";
import type { DiscoveredResource } from "../capture/resource.ts";
import { didYouMean } from "../nearest-name.ts";
import { type ApiServer, ApiStatusError } from "./api-server.ts";
import { groupOf, versionPartOf } from "./kube-object.ts";

const ApiResource = z.object({
  name: z.string(),
  singularName: z.string().default(""),
  shortNames: z.array(z.string()).nullish(),
  kind: z.string(),
  namespaced: z.boolean(),
  verbs: z.array(z.string()),
});
type ApiResource = z.infer<typeof ApiResource>;

const ApiResourceList = z.object({ resources: z.array(ApiResource) });

const ApiGroupList = z.object({
  groups: z.array(
    z.object({
      name: z.string(),
      versions: z.array(z.object({ groupVersion: z.string() })),
      preferredVersion: z.object({ groupVersion: z.string() }).optional(),
    }),
  ),
});

/** A resource as the API server serves it, in one version. */
export interface ServedResource extends DiscoveredResource {
  readonly apiVersion: string;
  readonly kind: string;
}

/** A name that stands for no resource that can be watched, or for several. The message names what was probably meant. */
export class ResourceNameError extends Error {
  readonly code = "RESOURCE_NAME";
  override readonly name = "ResourceNameError";
}

/** Documents asked for at once: a cluster with a hundred groups takes about ten round trips. */
const REQUESTS_MAX = 8;
/** More candidates than this are not read. */
const CANDIDATES_SHOWN_MAX = 8;

/** Looks the kind up once; `undefined` when the API server does not serve it (yet). Throws ApiStatusError for any other answer. */
export async function discover(
  apiServer: ApiServer,
  apiVersion: string,
  kind: string,
  signal: AbortSignal,
): Promise<DiscoveredResource | undefined> {
  const resources = await unlessNotFound(readResources(apiServer, apiVersion, signal));
  const found = resources?.find((resource) => resource.kind === kind);
  if (found === undefined) return undefined;
  if (!found.verbs.includes("watch")) {
    throw new ApiStatusError(
      405,
      "MethodNotAllowed",
      `${apiVersion} ${kind} cannot be watched: it supports ${found.verbs.join(", ")}`,
    );
  }
  return { plural: found.name, namespaced: found.namespaced };
}

/**
 * Finds a resource by its plural, singular, kind or short name, in any letter case, alone or with `.group` or `.version.group` behind
 * it; `pods.v1` is the core group's. Without a version it is the group's preferred one. Of several groups the core group is
 * meant, as in kubectl. Throws ResourceNameError when that leaves none or more than one, ApiStatusError when nothing can be asked.
 */
export async function findResource(apiServer: ApiServer, text: string, signal: AbortSignal): Promise<ServedResource> {
  const [name = "", qualifier] = splitName(text.toLowerCase());
  const { offers, groups, silent } = await readOffers(apiServer, qualifier, signal);
  const meant = offers.filter((offer) => qualifies(offer, qualifier));
  const named = meant.filter((offer) => names(offer).includes(name));
  const found = firstOfEach(named.length > 0 ? named : meant.filter(({ shortNames }) => shortNames?.includes(name)));
  const watchable = found.filter(({ verbs }) => verbs.includes("watch"));
  const core = watchable.find(({ apiVersion }) => groupOf(apiVersion) === "");
  if (core === undefined && watchable.length > 1) throw new ResourceNameError(ambiguous(text, watchable));
  const chosen = core ?? watchable[0];
  if (chosen !== undefined) {
    const { apiVersion, kind, name: plural, namespaced } = chosen;
    return { apiVersion, kind, plural, namespaced };
  }
  const [unwatchable] = found;
  if (unwatchable !== undefined) throw new ResourceNameError(cannotBeWatched(unwatchable));
  throw new ResourceNameError(unknown(text, { offers: meant, groups, silent }));
}

/** A resource in one version, in the order in which they are preferred. */
interface Offer extends ApiResource {
  readonly apiVersion: string;
}

interface Offers {
  readonly offers: readonly Offer[];
  readonly groups: readonly string[];
  /** What did not answer, and why. */
  readonly silent: readonly string[];
}

/** Reads the documents of every group that the qualifier may mean. */
async function readOffers(apiServer: ApiServer, qualifier: string | undefined, signal: AbortSignal): Promise<Offers> {
  const groups = await readGroups(apiServer, signal);
  const apiVersions = groups
    .filter(({ name }) => qualifier === undefined || qualifier === name || qualifier.endsWith(`.${name}`))
    .flatMap((group) => group.apiVersions);
  const found = new Map<string, readonly Offer[]>(["v1", ...apiVersions].map((apiVersion) => [apiVersion, []]));
  const silent: string[] = [];
  const lanes = createLanes(REQUESTS_MAX);
  for (const apiVersion of found.keys()) {
    await lanes.enqueue(apiVersion, async () => {
      try {
        const resources = (await unlessNotFound(readResources(apiServer, apiVersion, signal))) ?? [];
        found.set(
          apiVersion,
          resources.map((resource) => ({ ...resource, apiVersion })),
        );
      } catch (error) {
        if (!(error instanceof ApiStatusError)) throw error;
        silent.push(`${apiVersion} (${error.status})`);
      }
    });
  }
  await lanes.idle();
  return { offers: [...found.values()].flat(), groups: groups.map(({ name }) => name), silent };
}

/** A group of the API, with its versions in the order in which they are preferred; the core group is none of them. */
export interface ApiGroup {
  readonly name: string;
  readonly apiVersions: readonly string[];
}

/** Reads which groups there are. Throws ApiStatusError. */
export async function readGroups(apiServer: ApiServer, signal: AbortSignal): Promise<readonly ApiGroup[]> {
  const { groups } = ApiGroupList.parse(await apiServer.json("/apis", { signal }));
  return groups.map(({ name, versions, preferredVersion: preferred }) => {
    const all = versions.map(({ groupVersion }) => groupVersion);
    return { name, apiVersions: [...new Set(preferred === undefined ? all : [preferred.groupVersion, ...all])] };
  });
}

/** Reads what a version of a group serves, without subresources. Throws ApiStatusError: 404 where there is no such version. */
export async function readResources(
  apiServer: ApiServer,
  apiVersion: string,
  signal: AbortSignal,
): Promise<ApiResource[]> {
  const path = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { resources } = ApiResourceList.parse(await apiServer.json(path, { signal }));
  return resources.filter(({ name }) => !name.includes("/"));
}

async function unlessNotFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw error;
  }
}

/** `databases.v1.demo.example.com` is a name, and what qualifies it. */
function splitName(text: string): [string, string?] {
  const dot = text.indexOf(".");
  return dot < 0 ? [text] : [text.slice(0, dot), text.slice(dot + 1)];
}

function names({ name, singularName, kind }: ApiResource): string[] {
  return [name, singularName.toLowerCase(), kind.toLowerCase()];
}

/** `group`, `version.group`, and for the core group `version` or `version.`, as kubectl has it. */
function qualifies({ apiVersion }: Pick<Offer, "apiVersion">, qualifier: string | undefined): boolean {
  if (qualifier === undefined) return true;
  const group = groupOf(apiVersion);
  const version = versionPartOf(apiVersion);
  return group === ""
    ? qualifier === version || qualifier === `${version}.`
    : qualifier === group || qualifier === `${version}.${group}`;
}

/** Of each group's resource the first version, which is the preferred one if it has the resource. */
function firstOfEach(offers: readonly Offer[]): Offer[] {
  const first = new Map<string, Offer>();
  for (const offer of offers) {
    const title = titleOf(offer);
    if (!first.has(title)) first.set(title, offer);
  }
  return [...first.values()];
}

function titleOf({ name, apiVersion }: Offer): string {
  const group = groupOf(apiVersion);
  return group === "" ? `${name}.${apiVersion}` : `${name}.${group}`;
}

function ambiguous(text: string, candidates: readonly Offer[]): string {
  const shown = candidates.slice(0, CANDIDATES_SHOWN_MAX).map(titleOf).join(", ");
  const more = candidates.length - CANDIDATES_SHOWN_MAX;
  return `"${text}" is several resources, name one of them: ${shown}${more > 0 ? ` and ${more} more` : ""}`;
}

function cannotBeWatched(offer: Offer): string {
  return `${titleOf(offer)} cannot be watched: the API server offers only ${offer.verbs.join(", ")} for it`;
}

/** `offers` are those that the name's group may mean. */
function unknown(text: string, { offers, groups, silent }: Offers): string {
  const [name = "", qualifier] = splitName(text);
  const known = offers.flatMap(({ kind, ...offer }) => (/^[A-Z]/.test(name) ? [kind] : names({ kind, ...offer })));
  const hint =
    qualifier !== undefined && offers.length === 0
      ? didYouMean(
          text,
          groups.map((group) => `${name}.${group}`),
        )
      : didYouMean(name, known);
  const unheard = silent.length === 0 ? "" : `; these groups did not answer: ${silent.join(", ")}`;
  return `the API server has no resource "${text}"${hint}${unheard}. List them: kubectl api-resources --verbs=watch`;
}
