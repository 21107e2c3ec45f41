/** A kind in two versions without a webhook: one object, read in the version that is asked for. */
import { conformCases } from "./case.ts";
import { accepted, raw, refusal } from "./raw.ts";
import { MERGE } from "./verb.ts";
import { type Desk, uniqueName } from "./widget.ts";

const GROUP = "version.conformance.example.com";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const text = { type: "string" };
const version = (name: string, properties: object, parts: object = {}) => ({
  name,
  served: true,
  storage: false,
  schema: { openAPIV3Schema: { type: "object", properties } },
  ...parts,
});

/** Two served versions and one that is not; v1 is stored, v2 has a field and a default of its own. */
function gizmoCrd(group: string) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gizmos.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Gizmo", plural: "gizmos" },
      versions: [
        version("v1", { size: { type: "integer" }, old: text }, { storage: true }),
        version("v2", { size: { type: "integer" }, color: { ...text, default: "green" } }),
        version("v1alpha1", { size: { type: "integer" } }, { served: false }),
      ],
    },
  };
}

const installed = new Map<string, Promise<string>>(); // by server: the cases share the kind, which takes seconds on the real one

async function install(desk: Desk): Promise<string> {
  const group = `${uniqueName("g")}.example.com`;
  await desk.target.client.applyCrd(gizmoCrd(group));
  return group;
}

async function twoVersions(desk: Desk) {
  const pending = installed.get(desk.target.name) ?? install(desk);
  installed.set(desk.target.name, pending);
  const group = await pending;
  const path = (served: string, name?: string) =>
    [`/apis/${group}/${served}/namespaces/${desk.namespace}/gizmos`, name].filter(Boolean).join("/");
  const gizmo = (served: string, parts: object = {}) => ({
    apiVersion: `${group}/${served}`,
    kind: "Gizmo",
    metadata: { name: "one" },
    ...parts,
  });
  const create = async (served: string, parts: object) =>
    accepted(await desk.send("POST", path(served), { body: gizmo(served, parts) }), 201);
  return { group, path, gizmo, create };
}

/** What of an object depends on its version. */
function seen({ apiVersion, metadata: _, ...rest }: Readonly<Record<string, unknown>>) {
  return { version: String(apiVersion).split("/")[1], ...rest };
}

conformCases("Versions of a kind", GROUP, [
  {
    name: "an object that was written as v1 is read as v2, without what v2 does not know",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      await create("v1", { size: 1, old: "x" });
      return seen(accepted(await desk.send("GET", path("v2", "one"))));
    },
    expected: { version: "v2", kind: "Gizmo", size: 1 },
  },
  {
    name: "an object that was written as v2 is read as v1",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      await create("v2", { size: 1, color: "red" });
      return seen(accepted(await desk.send("GET", path("v1", "one"))));
    },
    expected: { version: "v1", kind: "Gizmo", size: 1 },
  },
  {
    name: "both versions share uid, resourceVersion and generation",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      const { metadata } = await create("v1", { size: 1 });
      const other = accepted(await desk.send("GET", path("v2", "one"))).metadata;
      return [metadata.uid === other.uid, metadata.resourceVersion === other.resourceVersion, other.generation];
    },
    expected: [true, true, 1],
  },
  {
    name: "a list has the version that is asked for, in each item",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      await create("v1", { size: 1 });
      const list = accepted(await desk.send("GET", path("v2")));
      const items = list["items"] as readonly { apiVersion: string }[];
      return [list.apiVersion, ...items.map(({ apiVersion }) => apiVersion)].map(
        (apiVersion) => apiVersion?.split("/")[1],
      );
    },
    expected: ["v2", "v2"],
  },
  {
    name: "a watch has the version that is asked for",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      const { resourceVersion } = accepted(await desk.send("GET", path("v2"))).metadata;
      await create("v1", { size: 1 });
      const query = { watch: "1", resourceVersion: String(resourceVersion), timeoutSeconds: "1" };
      const [first = ""] = (await raw(desk.target, "GET", path("v2"), { query })).text.split("\n");
      const { type, object } = JSON.parse(first);
      return { type, object: seen(object) };
    },
    expected: { type: "ADDED", object: { version: "v2", kind: "Gizmo", size: 1 } },
  },
  {
    name: "a patch through the other version keeps what it does not touch",
    run: async (desk) => {
      const { path, create } = await twoVersions(desk);
      await create("v1", { size: 1 });
      const patched = accepted(await desk.send("PATCH", path("v2", "one"), { body: { size: 2 }, contentType: MERGE }));
      return {
        patched: seen(patched),
        read: seen(accepted(await desk.send("GET", path("v1", "one")))),
        generation: patched.metadata.generation,
      };
    },
    expected: {
      patched: { version: "v2", kind: "Gizmo", size: 2 },
      read: { version: "v1", kind: "Gizmo", size: 2 },
      generation: 2,
    },
  },
  {
    name: "a body in another version than the path is refused",
    run: async (desk) => {
      const { path, gizmo, group } = await twoVersions(desk);
      const { code, message } = refusal(await desk.send("POST", path("v2"), { body: gizmo("v1") }));
      return { code, message: message.replaceAll(group, "<group>") };
    },
    expected: {
      code: 400,
      message: "the API version in the data (<group>/v1) does not match the expected API version (<group>/v2)",
    },
  },
  {
    name: "a version that is not served is 404",
    run: async (desk) => {
      const { path } = await twoVersions(desk);
      return (await desk.send("GET", path("v1alpha1"))).status;
    },
    expected: 404,
  },
  {
    name: "the served versions are discovered, the preferred one first",
    run: async (desk) => {
      const { group } = await twoVersions(desk);
      const path = `/apis/${group}`;
      await desk.target.client.waitFor(path, (found) => found?.["versions"]?.length === 2);
      const { versions, preferredVersion } = accepted(await desk.send("GET", path));
      return {
        versions: versions.map(({ version }: { version: string }) => version),
        preferred: preferredVersion.version,
      };
    },
    expected: { versions: ["v2", "v1"], preferred: "v2" },
  },
  {
    name: "another stored version is added to those that were stored",
    run: async (desk) => {
      const crd = gizmoCrd(`${uniqueName("g")}.example.com`);
      await desk.target.client.applyCrd(crd);
      const versions = crd.spec.versions.map((one) => ({ ...one, storage: one.name === "v2" }));
      const path = `${CRDS}/${crd.metadata.name}`;
      accepted(await desk.send("PATCH", path, { body: { spec: { versions } }, contentType: MERGE }));
      const seen = await desk.target.client.waitFor(path, (object) => object?.["status"].storedVersions.length === 2);
      return seen["status"].storedVersions;
    },
    expected: ["v1", "v2"],
  },
]);
