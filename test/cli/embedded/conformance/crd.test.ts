/** CustomResourceDefinitions: from the creation of one to its kind being served, and what a deletion takes along. */
import { until } from "../../../kit/until.ts";
import { conformCases } from "./case.ts";
import { CRDS, gizmoCrd, schema } from "./gizmo.ts";
import { accepted, refusal } from "./raw.ts";
import { MERGE } from "./verb.ts";
import { type Desk, uniqueName, widgetCrd } from "./widget.ts";

const GROUP = "crd.conformance.example.com";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

type Parts = Readonly<Record<string, unknown>>;

const gizmo = (crd: ReturnType<typeof gizmoCrd>, parts: Parts = {}) => ({
  apiVersion: `${crd.spec.group}/v1`,
  kind: "Gizmo",
  metadata: { name: "one" },
  ...parts,
});

const paths = (desk: Desk, { spec }: ReturnType<typeof gizmoCrd>, served = "v1") =>
  `/apis/${spec.group}/${served}/namespaces/${desk.namespace}/gizmos`;

const conditionsOf = (crd: Parts | undefined) => {
  const conditions = ((crd?.["status"] as Parts)?.["conditions"] ?? []) as readonly Condition[];
  return conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`).sort();
};

const isServed = async (desk: Desk, path: string) => (await desk.send("GET", path)).status === 200;

conformCases("CustomResourceDefinitions", GROUP, [
  {
    name: "a created definition is answered with its defaults",
    run: async (desk) => {
      const { metadata, spec } = accepted(await desk.send("POST", CRDS, { body: gizmoCrd() }), 201);
      const { group: _, ...rest } = spec;
      return { generation: metadata.generation, spec: rest };
    },
    expected: {
      generation: 1,
      spec: {
        names: { plural: "gizmos", singular: "gizmo", kind: "Gizmo", listKind: "GizmoList" },
        scope: "Namespaced",
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
        conversion: { strategy: "None" },
      },
    },
  },
  {
    name: "its names are accepted, it is established, and its stored version is noted",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      const after = accepted(await desk.send("GET", `${CRDS}/${crd.metadata.name}`));
      const { acceptedNames, storedVersions } = after["status"];
      return { conditions: conditionsOf(after), acceptedNames, storedVersions };
    },
    expected: {
      conditions: ["Established True InitialNamesAccepted", "NamesAccepted True NoConflicts"],
      acceptedNames: { plural: "gizmos", singular: "gizmo", kind: "Gizmo", listKind: "GizmoList" },
      storedVersions: ["v1"],
    },
  },
  {
    name: "its kind shows in the discovery of group and version",
    run: async (desk) => {
      const crd = widgetCrd(`${uniqueName("g")}.example.com`);
      await desk.target.client.applyCrd(crd);
      await until(async () => isServed(desk, `/apis/${crd.spec.group}`));
      const group = accepted(await desk.send("GET", `/apis/${crd.spec.group}`));
      const { resources, groupVersion } = accepted(await desk.send("GET", `/apis/${crd.spec.group}/v1`));
      const masked = (value: unknown) => JSON.parse(JSON.stringify(value).replaceAll(crd.spec.group, "<group>"));
      const hashless = (resources as readonly Parts[]).map(({ storageVersionHash: _, ...resource }) => resource);
      return masked({ group, groupVersion, resources: hashless });
    },
    expected: {
      group: {
        kind: "APIGroup",
        apiVersion: "v1",
        name: "<group>",
        versions: [{ groupVersion: "<group>/v1", version: "v1" }],
        preferredVersion: { groupVersion: "<group>/v1", version: "v1" },
      },
      groupVersion: "<group>/v1",
      resources: [
        {
          name: "widgets",
          singularName: "widget",
          namespaced: true,
          kind: "Widget",
          verbs: ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"],
          shortNames: ["wd"],
        },
        {
          name: "widgets/status",
          singularName: "",
          namespaced: true,
          kind: "Widget",
          verbs: ["get", "patch", "update"],
        },
        {
          name: "widgets/scale",
          singularName: "",
          namespaced: true,
          group: "autoscaling",
          version: "v1",
          kind: "Scale",
          verbs: ["get", "patch", "update"],
        },
      ],
    },
  },
  {
    name: "its group goes from the discovery with it",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      await until(async () => isServed(desk, `/apis/${crd.spec.group}`));
      accepted(await desk.send("DELETE", `${CRDS}/${crd.metadata.name}`));
      await until(async () => !(await isServed(desk, `/apis/${crd.spec.group}`)));
      const { groups } = accepted(await desk.send("GET", "/apis"));
      return groups.some(({ name }: { name: string }) => name === crd.spec.group);
    },
    expected: false,
  },
  {
    name: "a kind of the cluster is served without a namespace",
    run: async (desk) => {
      const crd = gizmoCrd({ scope: "Cluster" });
      await desk.target.client.applyCrd(crd);
      const path = `/apis/${crd.spec.group}/v1/gizmos`;
      const { metadata } = accepted(await desk.send("POST", path, { body: gizmo(crd) }), 201);
      const inNamespace = (await desk.send("GET", paths(desk, crd))).status;
      return {
        name: metadata.name,
        namespace: metadata.namespace ?? "none",
        inNamespace,
        read: (await desk.send("GET", `${path}/one`)).status,
      };
    },
    expected: { name: "one", namespace: "none", inNamespace: 404, read: 200 },
  },
  {
    name: "a kind without schema and subresources keeps all fields, and counts the status like any of them",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      const created = accepted(
        await desk.send("POST", paths(desk, crd), {
          body: gizmo(crd, { any: { thing: [1, null] }, status: { a: 1 } }),
        }),
        201,
      );
      const changed = accepted(
        await desk.send("PATCH", `${paths(desk, crd)}/one`, { body: { status: { a: 2 } }, contentType: MERGE }),
      );
      const subresource = (await desk.send("GET", `${paths(desk, crd)}/one/status`)).status;
      return {
        any: created["any"],
        created: created["status"],
        changed: changed["status"],
        generation: changed.metadata.generation,
        subresource,
      };
    },
    expected: { any: { thing: [1, null] }, created: { a: 1 }, changed: { a: 2 }, generation: 2, subresource: 404 },
  },
  {
    name: "a changed schema is enforced, and counts a generation of the definition",
    run: async (desk) => {
      const crd = gizmoCrd(schema({ size: { type: "integer" } }));
      await desk.target.client.applyCrd(crd);
      const [added] = schema({ size: { type: "integer", maximum: 5 }, more: { type: "string" } }).versions;
      const { metadata } = accepted(
        await desk.send("PATCH", `${CRDS}/${crd.metadata.name}`, {
          body: { spec: { versions: [added] } },
          contentType: MERGE,
        }),
      );
      const send = (query: Record<string, string>) =>
        desk.send("POST", paths(desk, crd), { body: gizmo(crd, { size: 9, more: "x" }), query });
      await until(async () => (await send({ dryRun: "All" })).status === 422);
      const { causes } = refusal(await send({}));
      const { more } = accepted(
        await desk.send("POST", paths(desk, crd), { body: gizmo(crd, { size: 5, more: "x" }) }),
        201,
      );
      return { causes, more, generation: metadata.generation };
    },
    expected: { causes: ["FieldValueInvalid size"], more: "x", generation: 2 },
  },
  {
    name: "deleting it deletes its objects, and a definition of the same name starts empty",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      accepted(await desk.send("POST", paths(desk, crd), { body: gizmo(crd) }), 201);
      accepted(await desk.send("DELETE", `${CRDS}/${crd.metadata.name}`));
      await until(async () => (await desk.send("GET", `${CRDS}/${crd.metadata.name}`)).status === 404);
      await until(async () => !(await isServed(desk, paths(desk, crd))));
      await desk.target.client.applyCrd(crd);
      return accepted(await desk.send("GET", paths(desk, crd)))["items"];
    },
    expected: [],
  },
  {
    name: "it stays while an object holds on to a finalizer, and nothing is created meanwhile",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      const metadata = { name: "one", finalizers: ["conformance.example.com/hold"] };
      accepted(await desk.send("POST", paths(desk, crd), { body: gizmo(crd, { metadata }) }), 201);
      accepted(await desk.send("DELETE", `${CRDS}/${crd.metadata.name}`));
      await until(
        async () =>
          accepted(await desk.send("GET", `${paths(desk, crd)}/one`)).metadata["deletionTimestamp"] !== undefined,
      );
      const created = await desk.send("POST", paths(desk, crd), { body: gizmo(crd, { metadata: { name: "two" } }) });
      const held = accepted(await desk.send("GET", `${CRDS}/${crd.metadata.name}`));
      accepted(
        await desk.send("PATCH", `${paths(desk, crd)}/one`, {
          body: { metadata: { finalizers: null } },
          contentType: MERGE,
        }),
      );
      await until(async () => (await desk.send("GET", `${CRDS}/${crd.metadata.name}`)).status === 404);
      return {
        created: created.status,
        isMarked: held.metadata["deletionTimestamp"] !== undefined,
        finalizers: held.metadata["finalizers"],
      };
    },
    expected: { created: 403, isMarked: true, finalizers: ["customresourcecleanup.apiextensions.k8s.io"] },
  },
  {
    name: "a second definition with the same kind in a group is not accepted",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      const { group } = crd.spec;
      const other = {
        ...crd,
        metadata: { name: `others.${group}` },
        spec: { ...crd.spec, names: { kind: "Gizmo", plural: "others" } },
      };
      accepted(await desk.send("POST", CRDS, { body: other }), 201);
      const seen = await desk.target.client.waitFor(
        `${CRDS}/others.${group}`,
        (object) => conditionsOf(object).length > 1,
      );
      return { conditions: conditionsOf(seen), served: (await desk.send("GET", `/apis/${group}/v1/others`)).status };
    },
    expected: { conditions: ["Established False NotAccepted", "NamesAccepted False ListKindConflict"], served: 404 },
  },
  {
    name: "a definition that exists is refused",
    run: async (desk) => {
      const crd = gizmoCrd();
      accepted(await desk.send("POST", CRDS, { body: crd }), 201);
      const { code, reason } = refusal(await desk.send("POST", CRDS, { body: crd }));
      return { code, reason };
    },
    expected: { code: 409, reason: "AlreadyExists" },
  },
  {
    name: "scope and group cannot be changed",
    run: async (desk) => {
      const crd = gizmoCrd();
      await desk.target.client.applyCrd(crd);
      const { code, causes } = refusal(
        await desk.send("PATCH", `${CRDS}/${crd.metadata.name}`, {
          body: { spec: { scope: "Cluster" } },
          contentType: MERGE,
        }),
      );
      return { code, causes };
    },
    expected: { code: 422, causes: ["FieldValueInvalid spec.scope"] },
  },
]);
