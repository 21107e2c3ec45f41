/**
 * The manifests as kustomize and Helm make them, for tests. A Component is rendered as users have it: in a kustomization of their own, beside an
 * overlay. The objects are in an order of their own, since kustomize's differs from one release to the next.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { parseAllDocuments, stringify } from "yaml";
import type { KubeObject } from "../kit/kube-client.ts";
import { needHelm, needKubectl } from "../kit/shared-kube.ts";

const run = promisify(execFile);
export const MANIFESTS = join(import.meta.dirname, "../../manifests");
const MEGABYTE = 1024 ** 2;

/** What is rendered: a folder, or an overlay with components. */
export interface Rendering {
  readonly name: string;
  readonly folder: string;
  readonly components?: readonly string[];
}

/** Everything that can be applied. */
export const RENDERINGS: readonly Rendering[] = [
  { name: "base", folder: "base" },
  { name: "quickstart", folder: "overlays/quickstart" },
  { name: "production", folder: "overlays/production" },
  { name: "hub", folder: "overlays/multi-cluster/hub" },
  { name: "leaf", folder: "overlays/multi-cluster/leaf" },
  { name: "functions-access", folder: "base", components: ["components/functions-access"] },
  { name: "keda", folder: "overlays/production", components: ["components/keda"] },
  { name: "knative", folder: "base", components: ["components/knative"] },
  { name: "monitoring", folder: "base", components: ["components/monitoring"] },
  { name: "argo-events", folder: "base", components: ["components/argo-events"] },
  { name: "otel", folder: "base", components: ["components/otel"] },
  { name: "gitops", folder: "gitops" },
];

/** The objects, or `undefined` where kubectl is missing and the test is skipped. */
export async function render(t: TestContext, rendering: Rendering): Promise<KubeObject[] | undefined> {
  const kubectl = await needKubectl(t);
  return kubectl === undefined ? undefined : await withFolder(rendering, (folder) => build(kubectl, folder));
}

/** Calls with the folder to render: the overlay's, or one that names it together with components, for as long as the call takes. */
export async function withFolder<T>(
  { folder, components = [] }: Rendering,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  if (components.length === 0) return await use(join(MANIFESTS, folder));
  const own = mkdtempSync(join(tmpdir(), "cr-reactor-kustomize-"));
  try {
    const from = (path: string) => relative(own, join(MANIFESTS, path));
    const kustomization = { resources: [from(folder)], components: components.map(from) };
    const head = { apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization", namespace: "cr-reactor" };
    writeFileSync(join(own, "kustomization.yaml"), stringify({ ...head, ...kustomization }));
    return await use(own);
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** What kustomize makes of a folder. */
export async function build(kubectl: string, folder: string): Promise<KubeObject[]> {
  const { stdout, stderr } = await run(kubectl, ["kustomize", folder], { maxBuffer: 16 * MEGABYTE });
  assert.equal(stderr, "", "kustomize warns about what will stop working");
  return objectsIn(stdout);
}

/** What the chart makes, with values as `--set` takes them. */
export async function renderChart(t: TestContext, ...values: readonly string[]): Promise<KubeObject[] | undefined> {
  const helm = await needHelm(t);
  if (helm === undefined) return undefined;
  const args = ["template", "any-name", join(MANIFESTS, "chart"), "--namespace", "cr-reactor"];
  const { stdout } = await run(helm, [...args, ...values.flatMap((value) => ["--set-json", value])]);
  return objectsIn(stdout);
}

function objectsIn(text: string): KubeObject[] {
  const objects = parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
  return objects.filter((object) => object !== null).sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1));
}

/** As in "Deployment bridge". */
export function titleOf({ kind, metadata }: KubeObject): string {
  return `${kind} ${metadata.name}`;
}

/** The object without the hash in its own and in others' names, so that two ways of making it compare. */
export function withoutHashes<T>(objects: T, names: readonly string[]): T {
  const pattern = new RegExp(`"(${names.join("|")})-[a-z0-9]{10}"`, "g");
  return JSON.parse(JSON.stringify(objects).replace(pattern, '"$1"')) as T;
}

/** The object of that title. */
export function find(objects: readonly KubeObject[], title: string): KubeObject {
  return objects.find((object) => titleOf(object) === title) ?? assert.fail(`no ${title}`);
}

/** The file of a ConfigMap that is generated under that name. */
export function configOf(objects: readonly KubeObject[], name: string, file: string): string {
  const found = objects.find(
    ({ kind, metadata }) => kind === "ConfigMap" && metadata.name.replace(/-[a-z0-9]{10}$/, "") === name,
  );
  return found?.["data"][file] ?? assert.fail(`${name} has no ${file}`);
}

const TEMPLATES: Readonly<Record<string, (object: KubeObject) => KubeObject>> = {
  Deployment: ({ spec }) => spec.template,
  StatefulSet: ({ spec: { template, volumeClaimTemplates = [] } }) => {
    const claimed = volumeClaimTemplates.map(({ metadata }: KubeObject) => ({ name: metadata.name, emptyDir: {} }));
    return { ...template, spec: { ...template.spec, volumes: [...template.spec.volumes, ...claimed] } };
  },
};

/** The templates of Pods in objects that Kubernetes itself makes Pods of, and the Pods that Knative would make. */
export function podsOf(objects: readonly KubeObject[]): { readonly title: string; readonly template: KubeObject }[] {
  return objects.flatMap((object) => {
    const isKnative = object.apiVersion?.startsWith("serving.knative.dev/") === true;
    const template = isKnative ? (object["spec"].template as KubeObject) : TEMPLATES[object.kind ?? ""]?.(object);
    return template === undefined ? [] : [{ title: titleOf(object), template }];
  });
}

/** Compares with a file of golden/; with UPDATE_GOLDEN=1 writes it. */
export function assertGolden(name: string, objects: readonly KubeObject[]): void {
  const path = join(import.meta.dirname, "golden", `${name}.yaml`);
  const text = objects.map((object) => stringify(object, { lineWidth: 0, sortMapEntries: true })).join("---\n");
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
  assert.deepEqual(
    objectsIn(readFileSync(path, "utf8")),
    objects,
    `${name} is rendered differently: UPDATE_GOLDEN=1 writes it anew`,
  );
}
