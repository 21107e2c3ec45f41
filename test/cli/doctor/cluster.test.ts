import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { clockFindings, versionFinding } from "../../../cli/doctor/cluster.ts";
import { databasePath } from "../../kit/database-crd.ts";
import type { KubeAccess } from "../../kit/kube-access.ts";
import { mintUser, sharedKube, uniqueNamespace } from "../../kit/shared-kube.ts";
import { bridgeText, doctor, file, resource, SECRET } from "./doctor-run.ts";

/** A kubeconfig for a service account with these rules in its namespace. */
async function kubeconfigOf(
  t: TestContext,
  kube: KubeAccess,
  namespace: string,
  rules: readonly object[],
): Promise<string> {
  const { user, token } = await mintUser(kube, namespace);
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await kube.client.create(`${rbac}/roles`, { metadata: { name: "reads" }, rules });
  await kube.client.create(`${rbac}/rolebindings`, {
    metadata: { name: "reads" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reads" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
  });
  const config = kube.kubeconfig("restricted").replaceAll(kube.token("restricted"), token);
  return file(t, "kubeconfig", config);
}

describe("doctor about the cluster", () => {
  const cases = [
    {
      name: "a user without rights gets the exact rule",
      rules: [],
      resources: resource(),
      expected: [
        /ok: signed in as system:serviceaccount:test-\w+:minted/,
        /failed: Database of demo\.example\.com\/v1: may not get, list, watch in all namespaces → add to the ClusterRole, under rules: - \{apiGroups: \["demo\.example\.com"\], resources: \["databases"\], verbs: \["get", "list", "watch"\]\}/,
      ],
    },
    {
      name: "half the rights in one namespace are told for that namespace",
      rules: [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list"] }],
      resources: (namespace: string) => resource(`, namespaces: [${namespace}, default]`),
      expected: [
        /failed: Database .*: may not watch in test-\w+ → add to the Role in test-/,
        /may not get, list, watch in default/,
      ],
    },
    {
      name: "all rights in its namespace are enough",
      rules: [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list", "watch"] }],
      resources: (namespace: string) => resource(`, namespaces: [${namespace}]`),
      expected: [/ok: Database of demo\.example\.com\/v1: may be read in test-\w+, 3 objects/],
    },
    {
      name: "a pattern is what it means today",
      rules: [{ apiGroups: ["demo.example.com"], resources: ["databases"], verbs: ["get", "list", "watch"] }],
      resources: (namespace: string) =>
        `resources: [{ apiVersion: demo.example.com/*, kind: Database, namespaces: [${namespace}] }]`,
      expected: [/ok: Database of demo\.example\.com\/\* \(1 kind today\): may be read in test-\w+, 3 objects/],
    },
    {
      name: "a Lease that may not be held is told with its rules",
      rules: [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get"] }],
      resources: (namespace: string) =>
        `${resource()}\nleaderElection: { enabled: true, namespace: ${namespace}, name: elected }`,
      expected: [
        /failed: Lease test-\w+\/elected: may not create, update → add to a Role in test-\w+, under rules: - \{apiGroups: \["coordination\.k8s\.io"\], resources: \["leases"\], verbs: \["create"\]\} - \{.* resourceNames: \["elected"\], verbs: \["update"\]\}/,
      ],
    },
    {
      name: "a Lease that may be held is told",
      rules: [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] }],
      resources: (namespace: string) =>
        `${resource()}\nleaderElection: { enabled: true, namespace: ${namespace}, name: elected }`,
      expected: [/ok: Lease test-\w+\/elected: may be held/],
    },
    {
      name: "a kind that is nearly one that is served",
      rules: [],
      resources: "resources: [{ apiVersion: demo.example.com/v1, kind: Databse }]",
      expected: [
        /failed: Databse of demo\.example\.com\/v1 is not served \(did you mean "Database"\?\) → correct kind, or install its CRD: kubectl .*get crd/,
      ],
    },
    {
      name: "another version of a group that is served",
      rules: [],
      resources: "resources: [{ apiVersion: demo.example.com/v1beta1, kind: Database }]",
      expected: [
        /failed: Database of demo\.example\.com\/v1beta1 is not served: served are demo\.example\.com\/v1 → apiVersion: demo\.example\.com\/v1/,
      ],
    },
    {
      name: "a group that is nearly one that is served",
      rules: [],
      resources: "resources: [{ apiVersion: demo.exampel.com/v1, kind: Database }]",
      expected: [
        /failed: Database of demo\.exampel\.com\/v1 is not served: no CRD of demo\.exampel\.com \(did you mean "demo\.example\.com"\?\) →/,
      ],
    },
  ];
  for (const { name, rules, resources, expected } of cases) {
    test(name, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      const namespace = await uniqueNamespace(kube);
      for (const each of ["a", "b", "c"])
        await kube.client.create(databasePath(namespace), {
          apiVersion: "demo.example.com/v1",
          kind: "Database",
          metadata: { name: each },
          spec: { engine: "mysql" },
        });
      const text = bridgeText("", typeof resources === "string" ? resources : resources(namespace));
      const kubeconfig = await kubeconfigOf(t, kube, namespace, rules);
      const found = await doctor(["--config", file(t, "bridge.yaml", text), "--kubeconfig", kubeconfig]);
      for (const line of expected) assert.match(found.text, line);
    });
  }

  test("the admin is told of namespaces that are not there, and of kinds that have none", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const resources =
      "resources: [{ apiVersion: v1, kind: ConfigMap, namespaces: [nowhere] }, { apiVersion: v1, kind: Namespace, namespaces: [default] }]";
    const args = ["--config", file(t, "bridge.yaml", bridgeText("", resources)), "--kubeconfig", kube.kubeconfigPath];
    const { text } = await doctor([...args, "--context", "admin"]);
    assert.match(text, /warning: there is no namespace nowhere → kubectl .*--context admin create namespace nowhere/);
    assert.match(text, /warning: Namespace is cluster-scoped: its namespaces count for nothing/);
    assert.doesNotMatch(text, /cluster failed/);
  });

  test("a context that is not in the kubeconfig, a token that is refused, an address where nobody is", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const noContext = await doctor(["--kubeconfig", kube.kubeconfigPath, "--context", "prod"]);
    assert.match(
      noContext.text,
      /cluster failed: the kubeconfig has no context "prod": it has admin, restricted.* → kubectl .* config get-contexts/,
    );
    const refused = file(t, "refused", kube.kubeconfig().replaceAll(kube.adminToken, SECRET));
    assert.match(
      (await doctor(["--kubeconfig", refused])).text,
      /cluster failed: \S+ \(context admin\) does not accept the credentials → renew them/,
    );
    const away = file(t, "away", kube.kubeconfig().replaceAll(kube.url, "https://127.0.0.1:1"));
    assert.match(
      (await doctor(["--kubeconfig", away])).text,
      /cluster failed: no API server at https:\/\/127\.0\.0\.1:1 \(context admin\): connection refused → kubectl/,
    );
    const broken = file(t, "broken", `users:\n- user: {token: ${SECRET}\n  a: [`);
    assert.match(
      (await doctor(["--kubeconfig", broken])).text,
      /cluster failed: the kubeconfig .*broken cannot be read/,
    );
  });
});

describe("the version of Kubernetes", () => {
  const cases = [
    { name: "that the tests run against is fine", version: "1.36", expected: /^ok: Kubernetes 1\.36\.0 at URL$/ },
    {
      name: "that the tests have passed on is fine",
      version: "1.33",
      expected: /^ok: Kubernetes 1\.33\.0 at URL$/,
    },
    {
      name: "that is newer is told as untested",
      version: "1.40",
      expected: /^warning: .*: untested \(tested: 1\.33, 1\.34, 1\.35, 1\.36\)$/,
    },
    { name: "that is older is told so", version: "1.32", expected: /^warning: .*: untested, and older than 1\.33/ },
    { name: "that cannot work has failed", version: "1.26", expected: /^failed: .* is too old$/ },
  ];
  for (const { name, version, expected } of cases) {
    test(name, () => {
      const { status, detail } = versionFinding(version, `v${version}.0`, "URL", "prod");
      assert.match(`${status}: ${detail}`, expected);
    });
  }
});

describe("the clock", () => {
  const asked = Date.parse("2026-11-20T10:00:00.400Z");
  const cases = [
    {
      name: "is right within the second that the API server tells",
      server: "2026-11-20T10:00:00Z",
      expected: "ok: the clocks of this machine and the API server agree",
    },
    {
      name: "may be five seconds off",
      server: "2026-11-20T09:59:55Z",
      expected: "ok: the clocks of this machine and the API server agree",
    },
    {
      name: "is told when it is ahead",
      server: "2026-11-20T09:59:30Z",
      expected: "warning: this machine's clock is 29 s ahead of the API server's",
    },
    {
      name: "is told when it is behind",
      server: "2026-11-20T10:02:00Z",
      expected: "warning: this machine's clock is 120 s behind the API server's",
    },
    { name: "is not judged when the API server does not tell", server: null, expected: "" },
  ];
  for (const { name, server, expected } of cases) {
    test(name, () => {
      const findings = clockFindings(server, asked, asked + 100);
      assert.equal(findings.map(({ status, detail }) => `${status}: ${detail}`).join(), expected);
    });
  }
});
