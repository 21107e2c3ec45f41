/** What a real API server does not show on demand is made by faults: groups that do not answer, kinds that cannot be watched. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ApiStatusError, connectApiServer } from "../../../bridge/kube/api-server.ts";
import { findResource, ResourceNameError } from "../../../bridge/kube/discovery.ts";
import type { FaultEffect } from "../../../cli/embedded/embedded.ts";
import { type EmbeddedStage, openEmbedded } from "../../kit/embedded-kube.ts";
import { sharedKube } from "../../kit/shared-kube.ts";

const { signal } = new AbortController();

const definition = (
  group: string,
  kind: string,
  versions: readonly string[] = ["v1"],
  shortNames: readonly string[] = [],
) => {
  const plural = `${kind.toLowerCase().replace(/metrics$/, "")}s`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), shortNames },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object" } },
      })),
    },
  };
};
const DEFINITIONS = [
  definition("broken.example.com", "Riddle"),
  definition("gone.example.com", "Ghost"),
  definition("metrics.example.com", "SecretMetrics"),
  definition("metrics.example.com", "Usage", ["v1"], ["us"]),
  definition("postgresql.example.com", "Cluster", ["v1"], ["pg"]),
  definition("cluster.example.org", "Cluster", ["v1beta1", "v1"], ["cl"]),
  definition("cluster.example.org", "Pool", ["v1beta1"], ["pg", "po"]),
  definition("serving.example.com", "ConfigMap"),
];
/** By the group of the document. */
const FAULTS: Readonly<Record<string, FaultEffect>> = {
  broken: { type: "refuse", status: 503, reason: "ServiceUnavailable" },
  gone: { type: "refuse", status: 404, reason: "NotFound" },
  metrics: { type: "rewrite", text: (document) => document.replace(/"verbs":\[[^\]]*\]/g, '"verbs":["get","list"]') },
};

let stage: EmbeddedStage; // started once: nothing here writes
const cleanup = new AsyncDisposableStack();

after(() => cleanup.disposeAsync());
before(async () => {
  stage = await openEmbedded({ after: (each) => cleanup.defer(each) });
  for (const crd of DEFINITIONS) await stage.client.applyCrd(crd);
  for (const [group, effect] of Object.entries(FAULTS)) {
    const path = `/apis/${group}.example.com/v1`;
    stage.server.faults.add({ meets: (request) => request.path === path, times: Infinity, effect });
  }
});

describe("a resource is found", () => {
  const rows = [
    { name: "by its plural", text: "pools", expected: "cluster.example.org/v1beta1 Pool pools" },
    { name: "by its kind, in any letter case", text: "POOL", expected: "cluster.example.org/v1beta1 Pool pools" },
    { name: "by its short name", text: "cm", expected: "v1 ConfigMap configmaps" },
    {
      name: "by plural and group",
      text: "clusters.postgresql.example.com",
      expected: "postgresql.example.com/v1 Cluster clusters",
    },
    {
      name: "in its group's preferred version",
      text: "clusters.cluster.example.org",
      expected: "cluster.example.org/v1 Cluster clusters",
    },
    {
      name: "in the version that is asked for",
      text: "Cluster.v1beta1.cluster.example.org",
      expected: "cluster.example.org/v1beta1 Cluster clusters",
    },
    {
      name: "in a version that is not the preferred one, if only that has it",
      text: "po",
      expected: "cluster.example.org/v1beta1 Pool pools",
    },
    {
      name: "in the core group first, as kubectl does",
      text: "configmaps",
      expected: "v1 ConfigMap configmaps",
    },
    {
      name: "in another group, if that is named",
      text: "configmaps.serving.example.com",
      expected: "serving.example.com/v1 ConfigMap configmaps",
    },
    { name: "in the core group by its version", text: "configmaps.v1", expected: "v1 ConfigMap configmaps" },
    {
      name: "in the core group by its version as kubectl writes it",
      text: "configmaps.v1.",
      expected: "v1 ConfigMap configmaps",
    },
    { name: "although another of its name cannot be watched", text: "secrets", expected: "v1 Secret secrets" },
  ];
  for (const { name, text, expected } of rows) {
    test(name, async () => {
      const { apiServer } = await stage.connect();
      const { apiVersion, kind, plural } = await findResource(apiServer, text, signal);
      assert.equal(`${apiVersion} ${kind} ${plural}`, expected);
    });
  }

  test("with a named group by that group's documents alone", async () => {
    const { apiServer, requests } = await stage.connect();
    await findResource(apiServer, "Cluster.v1.cluster.example.org", signal);
    const paths = requests.map(({ path }) => path);
    assert.deepEqual(paths, ["/apis", "/api/v1", "/apis/cluster.example.org/v1", "/apis/cluster.example.org/v1beta1"]);
  });
});

describe("a name that cannot be used", () => {
  const rows = [
    {
      name: "of several groups names the candidates",
      text: "Cluster",
      expected:
        /^"Cluster" is several resources, name one of them: clusters\.cluster\.example\.org, clusters\.postgresql\.example\.com$/,
    },
    {
      name: "that is the short name of several resources names them",
      text: "pg",
      expected: /several resources.*pools\.cluster\.example\.org, clusters\.postgresql\.example\.com/,
    },
    {
      name: "that is mistyped names the nearest plural, what did not answer, and how to list them",
      text: "poools",
      expected:
        /^the API server has no resource "poools" \(did you mean "pools"\?\); these groups did not answer: broken\.example\.com\/v1 \(503\)\. List them: kubectl api-resources --verbs=watch$/,
    },
    { name: "that is a mistyped kind names the nearest kind", text: "Clustr", expected: /did you mean "Cluster"\?/ },
    {
      name: "with a mistyped group names the nearest group",
      text: "pools.cluster.exmple.org",
      expected: /did you mean "pools\.cluster\.example\.org"\?/,
    },
    {
      name: "of a version that is not served is unknown",
      text: "clusters.v3.cluster.example.org",
      expected: /no resource "clusters\.v3/,
    },
    { name: "of a subresource is unknown", text: "clusters/status", expected: /no resource "clusters\/status"/ },
    {
      name: "of a kind without watch says what it offers",
      text: "us",
      expected: /^usages\.metrics\.example\.com cannot be watched: the API server offers only get, list for it$/,
    },
  ];
  for (const { name, text, expected } of rows) {
    test(name, async () => {
      const { apiServer } = await stage.connect();
      await assert.rejects(findResource(apiServer, text, signal), (error) => {
        assert.ok(error instanceof ResourceNameError);
        assert.match(error.message, expected);
        return true;
      });
    });
  }

  test("is not the fault when the API server does not answer", async (t) => {
    const { server, connect } = await openEmbedded(t);
    // The credentials are read anew once.
    server.faults.add({ meets: () => true, times: 2, effect: { type: "refuse", status: 401, reason: "Unauthorized" } });
    const { apiServer } = await connect();
    await assert.rejects(
      findResource(apiServer, "pods", signal),
      (error) => error instanceof ApiStatusError && error.status === 401,
    );
  });
});

describe("on a real API server", () => {
  const rows = [
    { text: "db", expected: "demo.example.com/v1 Database databases true" },
    { text: "databases.v1.demo.example.com", expected: "demo.example.com/v1 Database databases true" },
    { text: "deploy", expected: "apps/v1 Deployment deployments true" },
    { text: "events", expected: "v1 Event events true" },
    {
      text: "horizontalpodautoscalers",
      expected: "autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers true",
    },
    { text: "crd", expected: "apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions false" },
  ];
  for (const { text, expected } of rows) {
    test(`${text} is ${expected}`, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
      t.after(() => apiServer.close());
      const { apiVersion, kind, plural, namespaced } = await findResource(apiServer, text, signal);
      assert.equal([apiVersion, kind, plural, namespaced].join(" "), expected);
    });
  }
});
