/** What `cr-reactor bridge --check` says, on an embedded API server, which allows everything: its table, its JSON, its Roles and its exit codes. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { database, databaseCrd, databasePath } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { check, DATABASE, documentsOf, file, rbac, runCommand } from "./checking.ts";

describe("bridge --check", () => {
  test("has one line a watch: what, where, how many, phase and settings; and needs no NATS", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    for (const name of ["a", "b", "c"]) await client.create(databasePath("default"), database(name, "default"));
    const resources = [
      { ...DATABASE, phase: "condition:Ready", ignore: ["status.a", "status.b", "status.c"], only: ["spec"] },
      { apiVersion: "v1", kind: "Secret", namespaces: ["default", "nowhere"], labelSelector: "app in (a,b)" },
      { apiVersion: "v1", kind: "Namespace", namespaces: ["default"] },
    ];
    const more = { redactionKey: { env: "NOT_SET" } };
    const { code, out, err } = await check(t, kubeconfigPath, resources, [], more);
    assert.deepEqual([code, err], [0, ""]);
    const lines = out.split("\n").map((line) => line.replace(/ {2,}/g, " | "));
    assert.deepEqual(lines.slice(1, 6), [
      " | KIND | APIVERSION | RESOURCE | NAMESPACE | OBJECTS | PHASE | SETTINGS",
      "✔ Database | demo.example.com/v1 | databases.demo.example.com | all | 3 | condition:Ready (configured) | ignores status.a, status.b and 1 more; only spec",
      "✔ Secret | v1 | secrets | default | 0 | status.phase (preset) | selects app in (a,b); redacts /data/*, /metadata/annotations/* and 1 more",
      "✔ Secret | v1 | secrets | nowhere | 0 | status.phase (preset) | selects app in (a,b); redacts /data/*, /metadata/annotations/* and 1 more",
      "✔ Namespace | v1 | namespaces | (cluster) | 4 | status.phase (preset)",
    ]);
    assert.match(out, /! Namespace is cluster-scoped: its namespaces count for nothing/);
    assert.match(out, /! there is no namespace nowhere\n {2}→ kubectl .*create namespace nowhere/);
    assert.match(out, /Everything can be watched\.[\s\S]*kind: ClusterRole\n[\s\S]*kind: Role\n/);
  });

  test("says the same as JSON", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    await client.create(databasePath("default"), database("a", "default"));
    const missing = { apiVersion: "demo.example.com/v1", kind: "Databse" };
    const { code, out } = await check(t, kubeconfigPath, [DATABASE, missing], ["--json"]);
    assert.equal(code, 1);
    const { apiServer, rbac: roles, ...said } = JSON.parse(out);
    assert.match(apiServer, /^http/);
    assert.match(roles, /^# .*\n/);
    const [notServed] = said.notServed;
    assert.match(notServed.problem, /did you mean "Database"/);
    assert.deepEqual(
      { ...said, notServed: [notServed.kind], notes: said.notes.length },
      {
        ok: false,
        cluster: "test",
        watches: [
          {
            apiVersion: "demo.example.com/v1",
            kind: "Database",
            namespaced: true,
            namespace: null,
            objects: { number: 1, exact: true },
            resource: "databases.demo.example.com",
            phase: { place: "status.phase", by: "preset" },
            selects: [],
            ignore: [],
            only: [],
            critical: [],
            redact: [],
            missingVerbs: [],
          },
        ],
        notServed: ["Databse"],
        lease: { type: "off" },
        readsDefinitions: true,
        notes: 1,
      },
    );
  });

  test("names a kind that is not served, in the Roles too, which are then not complete", async (t) => {
    const { kubeconfigPath } = await openEmbedded(t);
    const resources = [DATABASE, { apiVersion: "demo.example.com/v1", kind: "Databse" }];
    const shown = await check(t, kubeconfigPath, resources);
    assert.equal(shown.code, 1);
    assert.match(
      shown.out,
      /✖ Databse of demo\.example\.com\/v1 is not served \(did you mean "Database"\?\)\n {2}→ correct kind/,
    );
    const { code, out, err } = await rbac(t, kubeconfigPath, resources);
    assert.equal(code, 1);
    assert.match(err, /^Databse of demo\.example\.com\/v1 is not served, so its rule is missing/);
    assert.deepEqual(
      documentsOf(out).map(({ kind }) => kind),
      ["ClusterRole", "ClusterRoleBinding"],
    );
  });

  test("expands patterns, says which mean nothing today, and never gives all of the core group", async (t) => {
    const { kubeconfigPath } = await openEmbedded(t);
    const resources = [
      { apiVersion: "*.example.com/*", kind: "*" },
      { apiVersion: "*.nobody.test/*", kind: "*" },
      { apiVersion: "v1", kind: "*", namespaces: ["default"] },
    ];
    const { code, out } = await check(t, kubeconfigPath, resources);
    assert.equal(code, 0);
    assert.match(out, /✔ Database +demo\.example\.com\/v1 +databases\.demo\.example\.com +all/);
    assert.match(out, /! \* of \*\.nobody\.test\/\* means nothing today/);
    assert.match(out, /! RBAC cannot write "\*\.example\.com" for groups/);
    const roles = documentsOf((await rbac(t, kubeconfigPath, resources)).out);
    const core = roles
      .flatMap(({ rules = [] }) => rules as { apiGroups: string[]; resources: string[] }[])
      .filter(({ apiGroups }) => apiGroups.includes(""));
    assert.ok(core.length > 0);
    for (const rule of core) {
      assert.ok(rule.resources.includes("configmaps") || rule.resources.includes("namespaces"));
      assert.ok(!rule.resources.includes("*") && !rule.resources.includes("secrets"));
    }
  });

  test("a group that is also named is given kind by kind, so that the named kind keeps its limits", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    const names = { kind: "Table", listKind: "TableList", plural: "tables", singular: "table" };
    const { metadata, spec } = databaseCrd;
    await client.applyCrd({
      ...databaseCrd,
      metadata: { ...metadata, name: "tables.demo.example.com" },
      spec: { ...spec, names },
    });
    const resources = [
      { ...DATABASE, namespaces: ["default"] },
      { apiVersion: "demo.example.com/*", kind: "*" },
    ];
    const { out } = await rbac(t, kubeconfigPath, resources);
    const given = documentsOf(out).flatMap(({ kind, rules = [] }) =>
      (rules as { apiGroups: string[]; resources: string[] }[])
        .filter(({ apiGroups }) => apiGroups.includes("demo.example.com"))
        .map((rule) => `${kind} ${rule.resources}`),
    );
    assert.deepEqual(given.toSorted(), ["ClusterRole tables", "Role databases"]);
    assert.match(out, /# \* of demo\.example\.com\/\*; the kinds of today: make the Roles again when one is added/);
  });

  test("says that it does not know the number where the API server does not", async (t) => {
    const { client, kubeconfigPath, server } = await openEmbedded(t);
    for (const name of ["a", "b", "c"]) await client.create(databasePath("default"), database(name, "default"));
    server.faults.add({
      meets: ({ path, query }) => path.endsWith("/databases") && query.get("limit") === "1",
      effect: { type: "rewrite", text: (text) => text.replace(/,?"remainingItemCount":\d+/, "") },
    });
    const { out } = await check(t, kubeconfigPath, [DATABASE]);
    assert.match(out, /✔ Database .* at least 2 /);
  });

  test("has the Lease of a Pod in the Roles where the bridge would elect in one, and none where it is off", async (t) => {
    const { kubeconfigPath } = await openEmbedded(t);
    const on = await rbac(t, kubeconfigPath, [DATABASE], { leaderElection: { enabled: true } });
    assert.match(on.out, /kind: Role\nmetadata:\n {2}name: bridge-leader\n {2}namespace: "cr-reactor"\n/);
    assert.match(on.out, /resourceNames: \["cr-reactor-test-bridge"\]/);
    const shown = await check(t, kubeconfigPath, [DATABASE], [], { leaderElection: { enabled: true } });
    assert.equal(shown.code, 1, "the bridge would not start here");
    assert.match(shown.out, /✖ leaderElection is enabled, but no namespace is known for its Lease/);
    const off = await rbac(t, kubeconfigPath, [DATABASE], { leaderElection: { enabled: false } });
    assert.doesNotMatch(off.out, /leases/);
  });

  test("has the Events of a Pod in the Roles, and none for another cluster, which has no such Pod", async (t) => {
    const { kubeconfigPath } = await openEmbedded(t);
    const config = file(t, "bridge.yaml", `cluster: test\nresources: [${JSON.stringify(DATABASE)}]\n`);
    const { out } = await runCommand("rbac", "--config", config, "--kubeconfig", kubeconfigPath);
    const role = documentsOf(out).find(({ kind, metadata }) => kind === "Role" && metadata.name === "bridge-events");
    assert.equal(role?.metadata.namespace, "cr-reactor");
    const events = { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] };
    assert.deepEqual(role?.rules, [events]);
    assert.doesNotMatch((await rbac(t, kubeconfigPath, [DATABASE])).out, /events/);
  });
});

describe("bridge --check that cannot be done ends with exit code 2", () => {
  test("for mistakes in the configuration, with line and field", async (t) => {
    const config = file(t, "bridge.yaml", "cluster: Dev\nresource: []\n");
    const { code, err, out } = await runCommand("bridge", "--check", "--config", config);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(err, /bridge\.yaml:1:10 cluster: expected/);
    assert.match(err, /bridge\.yaml:2:1 resource: unknown key \(did you mean "resources"\?\)/);
  });

  test("for a configuration that is not there, and an API server that does not answer", async (t) => {
    const nowhere = await runCommand("bridge", "--check", "--config", "nowhere.yaml");
    assert.deepEqual([nowhere.code, nowhere.err.trim()], [2, "error: nowhere.yaml does not exist: check the path"]);
    const { kubeconfigPath, server } = await openEmbedded(t);
    await server.stop();
    const { code, err, out } = await rbac(t, kubeconfigPath, [DATABASE]);
    assert.deepEqual([code, out], [2, ""], "nothing for kubectl");
    assert.match(err, /the API server at http\S+ does not answer: connection refused\. Check: kubectl cluster-info/);
  });

  test("for --json without --check, which would start a bridge, and for Roles of nobody", async () => {
    const json = await runCommand("bridge", "--config", "bridge.yaml", "--json");
    assert.equal(json.code, 2);
    assert.match(json.err, /option '--json' needs --check/);
    const roles = await runCommand("rbac");
    assert.equal(roles.code, 2);
    assert.match(roles.err, /say for whom: --config, --subscriptions, or both/);
  });
});
