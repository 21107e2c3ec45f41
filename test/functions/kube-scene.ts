/**
 * A namespace on the real API server, Databases in it, and the events that a bridge would tell of them, for tests of functions that act on
 * Kubernetes.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { z } from "zod";
import type { Envelope } from "../../bridge/event/envelope.ts";
import { createFixture, type FixtureObject } from "../../bridge/fixture.ts";
import type { FunctionContext, FunctionDefinition } from "../../functions/kit/define.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { type Database, database, databasePath } from "../kit/database-crd.ts";
import { kubeconfigText } from "../kit/kube-access.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { mintUser, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { sampleContext } from "./actions/sample-event.ts";

/** The scene; `undefined` where there is no API server. */
export async function openKubeScene(t: TestContext) {
  const kube = await sharedKube(t);
  if (kube === undefined) return undefined;
  const namespace = await uniqueNamespace(kube);
  const { client } = kube;
  const fixture = createFixture({ apiVersion: "demo.example.com/v1", kind: "Database", cluster: "test" });
  const at = () => Date.now();
  const kubernetes = { kubeconfig: kube.kubeconfigPath };
  return {
    kube,
    client,
    namespace,
    kubernetes,
    path: (name: string) => databasePath(namespace, name),
    createDatabase: (name: string, spec?: Partial<Database["spec"]>) =>
      client.create(databasePath(namespace), database(name, namespace, spec)),
    setStatus: (name: string, status: object) =>
      client.patch(databasePath(namespace, name), { status }, { subresource: "status", fieldManager: "operator" }),
    setSpec: (name: string, spec: object, fieldManager = "kubectl-edit") =>
      client.patch(databasePath(namespace, name), { spec }, { fieldManager }),
    created: (object: KubeObject) => fixture.event({ op: "created", object: asFixture(object) }, at()),
    updated: (before: KubeObject, after: KubeObject) =>
      fixture.event({ op: "updated", before: asFixture(before), object: asFixture(after) }, at()),
    deleted: (object: KubeObject) => fixture.event({ op: "deleted", object: asFixture(object) }, at()),
    /** Runs the function once, with settings as they stand in YAML and the scene's API server. */
    run<Schema extends z.ZodType>(
      definition: FunctionDefinition<Schema>,
      config: object,
      event: Envelope,
      context: Partial<Omit<FunctionContext<unknown>, "config">> = {},
    ): Promise<string | undefined> {
      const parsed = definition.config.parse(config) as z.output<Schema>;
      return definition.run({ ...sampleContext(event, parsed), ...context }) as Promise<string | undefined>;
    },
    /** A kubeconfig of a user who may do this in the namespace and nothing else. */
    async userWhoMay(rules: readonly object[]): Promise<string> {
      const { user, token } = await mintUser(kube, namespace);
      const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
      await client.create(`${rbac}/roles`, { metadata: { name: "functions" }, rules });
      await client.create(`${rbac}/rolebindings`, {
        metadata: { name: "functions" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "functions" },
        subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
      });
      const file = join(createDataFolder("kubeconfig").path, "config");
      writeFileSync(
        file,
        kubeconfigText({ url: kube.url, caPem: kube.caPem, tokens: { functions: token } }, "functions"),
      );
      return file;
    },
  };
}
export type KubeScene = NonNullable<Awaited<ReturnType<typeof openKubeScene>>>;

function asFixture(object: KubeObject): FixtureObject {
  return object as unknown as FixtureObject;
}
