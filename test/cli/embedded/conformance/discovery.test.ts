/**
 * What the servers say that they serve: groups, versions and resources, each in both of its forms, and the OpenAPI documents, as far as
 * clients act upon them. Only what both servers have is compared; the real one has many kinds more.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../../kit/until.ts";
import { type Answer, accepted, raw, refusal } from "./raw.ts";
import { conform, type Target } from "./target.ts";

const GROUP = "discovery.example.com";
/** In the order in which Kubernetes prefers them. */
const VERSIONS = ["v10", "v2", "v1", "v2beta2", "v2beta1", "v1alpha1", "foo"];
const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const OLD_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
const CUSTOM_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const BUILT_IN_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const SUBRESOURCE_VERBS = ["get", "patch", "update"];

const text = { type: "string" };
const scale = { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" };
const spec = { type: "object", description: "What is wanted.", required: ["color"], properties: { color: text } };

function version(name: string) {
  const schema = { type: "object", description: `A Planet of ${name}.`, properties: { spec } };
  const subresources = name === "v1" ? { subresources: { status: {}, scale } } : {};
  return { name, served: true, storage: name === "v1", schema: { openAPIV3Schema: schema }, ...subresources };
}

const planetCrd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `planets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Cluster",
    names: { kind: "Planet", plural: "planets", singular: "planet", shortNames: ["pl"], categories: ["sky", "all"] },
    versions: VERSIONS.toReversed().map(version),
  },
};

const installed = new Map<string, Promise<void>>(); // by server: its discovery shows the definition, which takes it a moment

async function install(target: Target): Promise<void> {
  await target.client.applyCrd(planetCrd);
  const isShown = async () => {
    const { versions = [] } = await target.client.get(`/apis/${GROUP}`).catch(() => ({ versions: [] }));
    return versions.length === VERSIONS.length;
  };
  await until(isShown, { what: `${GROUP} is discovered with all its versions` });
}

interface Case {
  readonly name: string;
  readonly path: string;
  readonly accept?: string;
  readonly pick: (answer: Answer) => unknown;
  readonly expected: unknown;
}

const bodyOf = (answer: Answer) => accepted(answer);

/** The entries that a resource has in a list, without the hash that says nothing to clients. */
const resourcesOf =
  (...plurals: readonly string[]) =>
  (answer: Answer) =>
    bodyOf(answer)
      ["resources"].filter(({ name }: { name: string }) => plurals.includes(name))
      .map(({ storageVersionHash: _, ...resource }: Record<string, unknown>) => resource);

const item = (answer: Answer, group?: string) =>
  bodyOf(answer)["items"].find(({ metadata }: { metadata: { name?: string } }) => metadata.name === group);

/** The names of the groups that both servers have for certain. */
function knownOf(groups: readonly { readonly name: string }[]): readonly string[] {
  const known = ["apiextensions.k8s.io", "coordination.k8s.io", "demo.example.com", GROUP];
  return groups.map(({ name }) => name).filter((name) => known.includes(name));
}

const builtIn = (name: string, kind: string, more: object = {}) => ({
  ...{ name, singularName: kind.toLowerCase(), namespaced: true, kind, verbs: BUILT_IN_VERBS },
  ...more,
});
const aggregatedPlanet = (name: string) => ({
  resource: "planets",
  responseKind: { group: GROUP, version: name, kind: "Planet" },
  scope: "Cluster",
  singularResource: "planet",
  verbs: CUSTOM_VERBS,
  shortNames: ["pl"],
  categories: ["sky", "all"],
});
const planetScale = { group: "autoscaling", version: "v1", kind: "Scale" };

const cases: readonly Case[] = [
  {
    name: "the core group has the version v1",
    path: "/api",
    pick: (answer) => [bodyOf(answer).kind, bodyOf(answer)["versions"]],
    expected: ["APIVersions", ["v1"]],
  },
  {
    name: "the groups come in their order, built-in ones first",
    path: "/apis",
    pick: (answer) => [bodyOf(answer).kind, knownOf(bodyOf(answer)["groups"])],
    // foo.discovery.example.com is before v1.demo.example.com
    expected: ["APIGroupList", ["apiextensions.k8s.io", "coordination.k8s.io", GROUP, "demo.example.com"]],
  },
  {
    name: "the groups of the aggregated form come by their names",
    path: "/apis",
    accept: AGGREGATED,
    pick: (answer) => knownOf(bodyOf(answer)["items"].map(({ metadata }: { metadata: { name: string } }) => metadata)),
    expected: ["apiextensions.k8s.io", "coordination.k8s.io", "demo.example.com", GROUP],
  },
  {
    name: "a group has its versions, the preferred one first",
    path: `/apis/${GROUP}`,
    pick: bodyOf,
    expected: {
      kind: "APIGroup",
      apiVersion: "v1",
      name: GROUP,
      versions: VERSIONS.map((version) => ({ groupVersion: `${GROUP}/${version}`, version })),
      preferredVersion: { groupVersion: `${GROUP}/v10`, version: "v10" },
    },
  },
  {
    name: "a slash at the end does not matter",
    path: `/apis/${GROUP}/`,
    pick: (answer) => bodyOf(answer)["name"],
    expected: GROUP,
  },
  {
    name: "a custom kind has its names, and status and scale where its version has them",
    path: `/apis/${GROUP}/v1`,
    pick: (answer) => resourcesOf("planets", "planets/status", "planets/scale")(answer),
    expected: [
      {
        ...{ name: "planets", singularName: "planet", namespaced: false, kind: "Planet", verbs: CUSTOM_VERBS },
        ...{ shortNames: ["pl"], categories: ["sky", "all"] },
      },
      { name: "planets/status", singularName: "", namespaced: false, kind: "Planet", verbs: SUBRESOURCE_VERBS },
      { name: "planets/scale", singularName: "", namespaced: false, ...planetScale, verbs: SUBRESOURCE_VERBS },
    ],
  },
  {
    name: "and none in another version",
    path: `/apis/${GROUP}/v2`,
    pick: (answer) => bodyOf(answer)["resources"].map(({ name }: { name: string }) => name),
    expected: ["planets"],
  },
  {
    name: "the built-in kinds have their short names",
    path: "/api/v1",
    pick: resourcesOf("configmaps", "events", "namespaces", "namespaces/status", "secrets"),
    expected: [
      builtIn("configmaps", "ConfigMap", { shortNames: ["cm"] }),
      builtIn("events", "Event", { shortNames: ["ev"] }),
      builtIn("namespaces", "Namespace", {
        namespaced: false,
        verbs: BUILT_IN_VERBS.filter((verb) => verb !== "deletecollection"),
        shortNames: ["ns"],
      }),
      builtIn("namespaces/status", "Namespace", { singularName: "", namespaced: false, verbs: SUBRESOURCE_VERBS }),
      builtIn("secrets", "Secret"),
    ],
  },
  {
    name: "leases are found",
    path: "/apis/coordination.k8s.io/v1",
    pick: resourcesOf("leases"),
    expected: [builtIn("leases", "Lease")],
  },
  {
    name: "definitions are found",
    path: "/apis/apiextensions.k8s.io/v1",
    pick: resourcesOf("customresourcedefinitions", "customresourcedefinitions/status"),
    expected: [
      builtIn("customresourcedefinitions", "CustomResourceDefinition", {
        ...{ namespaced: false, shortNames: ["crd", "crds"], categories: ["api-extensions"] },
      }),
      builtIn("customresourcedefinitions/status", "CustomResourceDefinition", {
        ...{ singularName: "", namespaced: false, verbs: SUBRESOURCE_VERBS },
      }),
    ],
  },
  {
    name: "all custom groups at once have every version with its resources",
    path: "/apis",
    accept: `${AGGREGATED},${OLD_AGGREGATED},application/json`,
    pick: (answer) => [answer.headers["content-type"], bodyOf(answer).apiVersion, item(answer, GROUP)],
    expected: [
      AGGREGATED,
      "apidiscovery.k8s.io/v2",
      {
        metadata: { name: GROUP },
        versions: VERSIONS.map((name) => {
          const subresources = [
            {
              subresource: "status",
              responseKind: { group: GROUP, version: name, kind: "Planet" },
              verbs: SUBRESOURCE_VERBS,
            },
            { subresource: "scale", responseKind: planetScale, verbs: SUBRESOURCE_VERBS },
          ];
          const resource = { ...aggregatedPlanet(name), ...(name === "v1" && { subresources }) };
          return { version: name, resources: [resource], freshness: "Current" };
        }),
      },
    ],
  },
  {
    name: "all of the core group at once",
    path: "/api",
    accept: AGGREGATED,
    pick: (answer) => {
      const [core] = bodyOf(answer)["items"];
      const { version, resources } = core.versions[0];
      const configMaps = resources.find(({ resource }: { resource: string }) => resource === "configmaps");
      return [core.metadata, version, configMaps];
    },
    expected: [
      {},
      "v1",
      {
        ...{ resource: "configmaps", responseKind: { group: "", version: "", kind: "ConfigMap" }, scope: "Namespaced" },
        ...{ singularResource: "configmap", verbs: BUILT_IN_VERBS, shortNames: ["cm"] },
      },
    ],
  },
  {
    name: "who asks for the older aggregated form and JSON is given the groups",
    path: "/apis",
    accept: `${OLD_AGGREGATED},application/json`,
    pick: (answer) => [answer.headers["content-type"], bodyOf(answer).kind],
    expected: ["application/json", "APIGroupList"],
  },
  {
    name: "the older aggregated form alone is refused",
    path: "/apis",
    accept: OLD_AGGREGATED,
    pick: (answer) => [refusal(answer).code, refusal(answer).reason],
    expected: [406, "NotAcceptable"],
  },
  {
    name: "resources are not shown as a Table",
    path: `/apis/${GROUP}/v1`,
    accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
    pick: (answer) => [refusal(answer).code, refusal(answer).reason],
    expected: [406, "NotAcceptable"],
  },
  {
    name: "a group that nobody serves is not found",
    path: "/apis/nope.example.com",
    pick: (answer) => answer.status,
    expected: 404,
  },
  { name: "nor is a version", path: `/apis/${GROUP}/v3`, pick: (answer) => answer.status, expected: 404 },
  {
    name: "the version is that of Kubernetes 1.36",
    path: "/version",
    pick: (answer) => {
      const { major, minor, gitVersion } = bodyOf(answer);
      return [major, minor, /^v1\.36\.\d+/.test(gitVersion)];
    },
    expected: ["1", "36", true],
  },
];

/** The OpenAPI document of the planets, found as clients find it: by the index, under an address with a hash. */
async function planetDocument(target: Target) {
  let path = "";
  const isPublished = async () => {
    const { paths } = accepted(await raw(target, "GET", "/openapi/v3"));
    path = paths[`apis/${GROUP}/v1`]?.serverRelativeURL ?? "";
    return path !== "";
  };
  await until(isPublished, { what: `${GROUP}/v1 is in the OpenAPI index` });
  assert.match(path, /^\/openapi\/v3\/apis\/discovery\.example\.com\/v1\?hash=[0-9A-F]+$/);
  return accepted(await raw(target, "GET", path));
}

conform("Discovery", (open) => {
  const ready = async (t: Parameters<typeof open>[0]) => {
    const target = await open(t);
    if (target === undefined) return undefined;
    const installing = installed.get(target.name) ?? install(target);
    installed.set(target.name, installing);
    await installing;
    return target;
  };
  for (const { name, path, accept, pick, expected } of cases) {
    test(name, async (t) => {
      const target = await ready(t);
      if (target === undefined) return;
      assert.deepEqual(pick(await raw(target, "GET", path, accept === undefined ? {} : { accept })), expected);
    });
  }
  test("OpenAPI says that a patch can be validated, of which kubectl apply makes sure", async (t) => {
    const target = await ready(t);
    if (target === undefined) return;
    const { paths } = await planetDocument(target);
    const { patch } = paths[`/apis/${GROUP}/v1/planets/{name}`];
    const names: string[] = patch.parameters.map(({ name }: { name: string }) => name);
    assert.deepEqual(names.toSorted(), ["dryRun", "fieldManager", "fieldValidation", "force"]);
    assert.deepEqual(patch["x-kubernetes-group-version-kind"], { group: GROUP, version: "v1", kind: "Planet" });
    assert.equal(patch["x-kubernetes-action"], "patch");
    assert.deepEqual(Object.keys(patch.requestBody.content).toSorted(), [
      "application/apply-patch+yaml",
      "application/json-patch+json",
      "application/merge-patch+json",
    ]);
  });
  test("OpenAPI has the schema of a definition, which kubectl explain shows", async (t) => {
    const target = await ready(t);
    if (target === undefined) return;
    const { schemas } = (await planetDocument(target))["components"];
    const planet = schemas["com.example.discovery.v1.Planet"];
    assert.deepEqual(planet["x-kubernetes-group-version-kind"], [{ group: GROUP, version: "v1", kind: "Planet" }]);
    assert.equal(planet.description, "A Planet of v1.");
    assert.deepEqual(planet.properties.spec, spec);
    assert.deepEqual(Object.keys(planet.properties).toSorted(), ["apiVersion", "kind", "metadata", "spec"]);
    const [{ $ref }] = planet.properties.metadata.allOf;
    assert.ok(schemas[$ref.replace("#/components/schemas/", "")].properties.finalizers, `${$ref} is in the document`);
  });
});
