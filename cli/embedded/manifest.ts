/**
 * Puts the objects of manifest files into the server at its start, as `kubectl apply -f` would: CustomResourceDefinitions first,
 * then namespaces, then the rest, whatever their order in the files.
 */
import { parseAllDocuments } from "yaml";
import { CUSTOM_RESOURCE_DEFINITION, NAMESPACE } from "./kind/built-in.ts";
import type { ResourceKind } from "./object/kind.ts";
import { isObject, type JsonObject, type KubeObject } from "./object/object.ts";
import type { Catalog } from "./registry/catalog.ts";
import type { Registry } from "./registry/registry.ts";
import { postedObject } from "./request/posted-object.ts";

/** A manifest that cannot be loaded; the message names file, object and reason. */
export class ManifestError extends Error {
  readonly code = "MANIFEST_INVALID";
  override readonly name = "ManifestError";
}

const MANAGER = "cr-reactor";
const FIRST = [CUSTOM_RESOURCE_DEFINITION.kind, NAMESPACE.kind];

/** A file of YAML or JSON; its name is for error messages. */
export interface ManifestFile {
  readonly name: string;
  readonly text: string;
}

/** Loads every object of the files; answers how many. Throws ManifestError: nothing is loaded of what cannot be read. */
export async function loadManifests(
  files: readonly ManifestFile[],
  catalog: Catalog,
  registry: Registry,
): Promise<number> {
  const found = files.flatMap(({ name, text }) => parseObjects(text, name).map((object) => ({ file: name, object })));
  for (const { file, object } of found.toSorted((a, b) => rankOf(a.object) - rankOf(b.object))) {
    try {
      loadObject(object, catalog, registry);
    } catch (error) {
      throw new ManifestError(`${file}: ${titleOf(object)}: ${(error as Error).message}`, { cause: error });
    }
    await Promise.resolve(); // a definition is established before the next object, which may be of its kind
  }
  return found.length;
}

function loadObject(object: JsonObject, catalog: Catalog, registry: Registry): void {
  const kind = kindOf(object, catalog.kinds());
  const metadata = isObject(object["metadata"]) ? object["metadata"] : {};
  const namespace = kind.namespaced ? String(metadata["namespace"] ?? "default") : undefined;
  const name = String(metadata["name"] ?? "");
  if (name === "") throw new Error(metadata["generateName"] ? "it has generateName: give it a name" : "it has no name");
  const applied: KubeObject = postedObject(object, kind, { namespace, name });
  const options = { manager: MANAGER, dryRun: false, fieldValidation: "Strict", force: true } as const;
  registry.apply({ kind, namespace: namespace ?? "", name, subresource: "" }, applied, options);
}

/** Throws an Error that says what is served instead. */
function kindOf({ apiVersion, kind }: JsonObject, served: readonly ResourceKind[]): ResourceKind {
  const [version = "", group = ""] = String(apiVersion ?? "")
    .split("/")
    .reverse();
  const versions = served.filter((each) => each.group === group && each.kind === kind);
  const found = versions.find((each) => each.version === version);
  if (found !== undefined) return found;
  const title = `${String(apiVersion ?? "(no apiVersion)")} ${String(kind ?? "(no kind)")}`;
  const advice =
    versions.length > 0
      ? ` (it is in ${versions.map((each) => each.version).join(", ")})`
      : ": load its CustomResourceDefinition as well";
  throw new Error(`${title} is no kind that is served here${advice}`);
}

function parseObjects(text: string, fileName: string): readonly JsonObject[] {
  return parseAllDocuments(text, { prettyErrors: true }).flatMap((document) => {
    const problem = document.errors[0];
    if (problem !== undefined) throw new ManifestError(`${fileName}: ${problem.message}`);
    const object: unknown = document.toJS();
    return object === null || object === undefined ? [] : objectsOf(object, fileName);
  });
}

/** The object, or those of a List. */
function objectsOf(value: unknown, fileName: string): readonly JsonObject[] {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ManifestError(`${fileName}: a document is not an object: expected apiVersion, kind and metadata`);
  const object = value as JsonObject;
  const { apiVersion, kind, items } = object;
  const isList = apiVersion === "v1" && kind === "List" && Array.isArray(items);
  return isList ? items.flatMap((item: unknown) => objectsOf(item, fileName)) : [object];
}

function rankOf(object: JsonObject): number {
  const rank = FIRST.indexOf(String(object["kind"]));
  return rank < 0 ? FIRST.length : rank;
}

/** `Database prod/orders`. */
function titleOf({ kind, metadata }: JsonObject): string {
  const { namespace, name, generateName } = isObject(metadata) ? metadata : {};
  const path = [namespace, name ?? generateName].filter(Boolean).join("/");
  return `${String(kind ?? "an object without kind")} ${path}`.trim();
}
