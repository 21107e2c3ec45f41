import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse, stringify } from "yaml";
import { ApiStatusError, connectApiServer, KubeconfigError } from "../../../bridge/kube/api-server.ts";
import { discover } from "../../../bridge/kube/discovery.ts";
import { createDataFolder } from "../../kit/data-folder.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { kubeconfigText } from "../../kit/kube-access.ts";
import { sharedKube } from "../../kit/shared-kube.ts";

const { signal } = new AbortController();

describe("the connection to the API server", () => {
  test("answers with the Status object's reason when it is refused", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath, context: "restricted" });
    t.after(() => apiServer.close());
    await assert.rejects(apiServer.json("/api/v1/secrets"), (error) => {
      assert.ok(error instanceof ApiStatusError);
      assert.deepEqual([error.status, error.reason], [403, "Forbidden"]);
      return true;
    });
  });

  test("reads its credentials again when they are no longer accepted, so that a rotated token needs no restart", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const folder = createDataFolder("kubeconfig");
    t.after(() => folder.remove());
    const kubeconfig = join(folder.path, "kubeconfig");
    const write = (token: string) =>
      writeFileSync(kubeconfig, kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { admin: token } }));
    write("outdated");
    const apiServer = await connectApiServer({ kubeconfig });
    t.after(() => apiServer.close());
    await assert.rejects(
      apiServer.json("/api/v1/namespaces"),
      (error) => error instanceof ApiStatusError && error.status === 401,
    );
    write(kube.adminToken);
    assert.ok(await apiServer.json("/api/v1/namespaces"));
  });

  test("reads a token file again when its token is no longer accepted, without waiting for the minute that it is kept", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const folder = createDataFolder("token");
    t.after(() => folder.remove());
    const [kubeconfig, tokenFile] = [join(folder.path, "kubeconfig"), join(folder.path, "token")];
    const config = parse(kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { admin: "" } }));
    // What client-node makes of a pod's service account.
    config.users[0].user = { "auth-provider": { name: "tokenFile", config: { tokenFile } } };
    writeFileSync(kubeconfig, stringify(config));
    writeFileSync(tokenFile, "outdated");
    const apiServer = await connectApiServer({ kubeconfig });
    t.after(() => apiServer.close());
    await assert.rejects(
      apiServer.json("/api/v1/namespaces"),
      (error) => error instanceof ApiStatusError && error.status === 401,
    );
    writeFileSync(tokenFile, kube.adminToken);
    assert.ok(await apiServer.json("/api/v1/namespaces"));
  });

  test("waits no longer for a Retry-After than five minutes", async (t) => {
    const { server, connect } = await openEmbedded(t);
    const { apiServer } = await connect();
    const rows = [
      [7, 7_000],
      [100_000_000, 300_000],
    ] as const;
    for (const [retryAfterSeconds, retryAfterMs] of rows) {
      const effect = { type: "refuse", status: 429, reason: "TooManyRequests", retryAfterSeconds } as const;
      server.faults.add({ meets: () => true, effect });
      await assert.rejects(
        apiServer.json("/api/v1/namespaces"),
        (error) => error instanceof ApiStatusError && error.retryAfterMs === retryAfterMs,
      );
    }
  });

  test("to a context that does not exist names those that do", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    await assert.rejects(
      connectApiServer({ kubeconfig: kube.kubeconfigPath, context: "nowhere" }),
      (error) =>
        error instanceof KubeconfigError && /no context "nowhere": it has admin, restricted/.test(error.message),
    );
  });

  test("with a kubeconfig that is no YAML shows none of its lines, which may be credentials", async (t) => {
    const folder = createDataFolder("kubeconfig");
    t.after(() => folder.remove());
    const kubeconfig = join(folder.path, "kubeconfig");
    writeFileSync(kubeconfig, 'users:\n  - user: { token: "s3cret" : }\n');
    await assert.rejects(
      connectApiServer({ kubeconfig }),
      (error) =>
        error instanceof KubeconfigError && /cannot be read/.test(error.message) && !/s3cret/.test(error.message),
    );
  });

  test("with a kubeconfig that cannot be read names the file", async () => {
    await assert.rejects(
      connectApiServer({ kubeconfig: "/nowhere/kubeconfig" }),
      (error) => error instanceof KubeconfigError && /\/nowhere\/kubeconfig cannot be read/.test(error.message),
    );
  });
});

describe("discovery", () => {
  const rows = [
    {
      name: "finds a custom resource's plural and scope",
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      expected: { plural: "databases", namespaced: true },
    },
    {
      name: "finds a resource of the core group",
      apiVersion: "v1",
      kind: "Node",
      expected: { plural: "nodes", namespaced: false },
    },
    {
      name: "does not mistake a subresource for the resource",
      apiVersion: "apps/v1",
      kind: "Scale",
      expected: undefined,
    },
    {
      name: "finds nothing of a group that is not served",
      apiVersion: "nowhere.example.com/v1",
      kind: "Thing",
      expected: undefined,
    },
    {
      name: "finds nothing of a kind that the group does not have",
      apiVersion: "demo.example.com/v1",
      kind: "Databaze",
      expected: undefined,
    },
  ];
  for (const { name, apiVersion, kind, expected } of rows) {
    test(name, async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return;
      const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
      t.after(() => apiServer.close());
      assert.deepEqual(await discover(apiServer, apiVersion, kind, signal), expected);
    });
  }

  test("refuses a kind that cannot be watched, and says what it supports", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const apiServer = await connectApiServer({ kubeconfig: kube.kubeconfigPath });
    t.after(() => apiServer.close());
    await assert.rejects(
      discover(apiServer, "authorization.k8s.io/v1", "SubjectAccessReview", signal),
      /cannot be watched: it supports create/,
    );
  });
});
