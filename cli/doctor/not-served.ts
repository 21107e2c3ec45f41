/**
 * What to say of a kind that the API server does not serve: which of the things that are there was probably meant — another version, a
 * kind or a group of nearly this name — or that its CRD is missing.
 * Source: Kubernetes API discovery, `/apis` and `/apis/<group>/<version>`.
 */
import { z } from "zod";
import { didYouMean, groupOf } from "#contract";
import { type ApiServer, ApiStatusError } from "../../bridge/kube/api-server.ts";
import { CHECK_MS_MAX, type Finding, failed } from "./check.ts";

const ResourceList = z.object({ resources: z.array(z.object({ name: z.string(), kind: z.string() })) });
const GroupList = z.object({
  groups: z.array(z.object({ name: z.string(), versions: z.array(z.object({ version: z.string() })) })),
});

/** What is there instead: another version, a kind of nearly this name, a group of nearly this name, or nothing. */
export async function notServed(
  apiServer: ApiServer,
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
  kubectl: string,
): Promise<Finding> {
  const group = groupOf(apiVersion);
  const none = `${kind} of ${apiVersion} is not served`;
  const list = await askOrNothing(apiServer, versionPath(apiVersion), ResourceList);
  if (list !== undefined) {
    const kinds = list.resources.filter(({ name }) => !name.includes("/")).map((each) => each.kind);
    const hint =
      didYouMean(kind, kinds) || (kinds.length > 0 && group !== "" ? ` (served are ${kinds.join(", ")})` : "");
    return failed("resource", `${none}${hint}`, `correct kind, or install its CRD: ${kubectl} get crd`);
  }
  const groups = (await askOrNothing(apiServer, "/apis", GroupList))?.groups ?? [];
  const versions =
    groups.find(({ name }) => name === group)?.versions.map(({ version }) => `${group}/${version}`) ?? [];
  if (versions.length > 0)
    return failed("resource", `${none}: served are ${versions.join(", ")}`, `apiVersion: ${versions[0]}`);
  const names = groups.map(({ name }) => name);
  return failed(
    "resource",
    `${none}: no CRD of ${group}${didYouMean(group, names)}`,
    `install its CRD: ${kubectl} get crd`,
  );
}

/** `undefined` for a 404. */
async function askOrNothing<Schema extends z.ZodType>(
  apiServer: ApiServer,
  path: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  try {
    return schema.parse(await apiServer.json(path, { signal: AbortSignal.timeout(CHECK_MS_MAX) }));
  } catch (error) {
    if (error instanceof ApiStatusError && error.status === 404) return undefined;
    throw error;
  }
}

/** The API path of a version of a group. */
export function versionPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}
