/**
 * The two servers that one suite of cases holds to the same behaviour: the embedded API server and the real kube-apiserver. A case
 * that passes on one only is a defect of the embedded one, or of the case.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { databaseCrd } from "../../../kit/database-crd.ts";
import { type KubeClient, kubeClient } from "../../../kit/kube-client.ts";
import { sharedKube } from "../../../kit/shared-kube.ts";

/** An API server, as its clients see it. */
export interface Target {
  readonly name: "embedded" | "kube-apiserver";
  readonly url: string;
  /** Of an administrator; the embedded server asks for none. */
  readonly token: string;
  /** Empty for the embedded server, which speaks plain HTTP. */
  readonly caPem: string;
  readonly client: KubeClient;
  /** A file whose current context is this server. */
  readonly kubeconfigPath: string;
}

/** How a case gets its server: undefined when it is missing here, and the test is marked as skipped. */
export type Open = (t: TestContext) => Promise<Target | undefined>;

let ofThisFile: Promise<Target> | undefined; // started once for a file of cases, and gone with its process

async function startEmbedded(): Promise<Target> {
  const { startEmbeddedKube } = await import("../../../../cli/embedded/embedded.ts");
  const server = await startEmbeddedKube();
  server.unref();
  const kubeconfigPath = join(createDataFolder("embedded").path, "kubeconfig");
  writeFileSync(kubeconfigPath, server.kubeconfig());
  const access = { url: server.url, token: "", caPem: "" };
  const client = kubeClient(access);
  await client.applyCrd(databaseCrd);
  return { name: "embedded", ...access, client, kubeconfigPath };
}

const TARGETS: readonly { readonly name: Target["name"]; readonly open: Open }[] = [
  {
    name: "embedded",
    open: () => {
      ofThisFile ??= startEmbedded();
      return ofThisFile;
    },
  },
  {
    name: "kube-apiserver",
    open: async (t) => {
      const kube = await sharedKube(t);
      if (kube === undefined) return undefined;
      const { url, caPem, client, kubeconfigPath, adminToken: token } = kube;
      return { name: "kube-apiserver", url, token, caPem, client, kubeconfigPath };
    },
  },
];

/** Declares the cases once for each server. Both are shared with other cases: each keeps to names and namespaces of its own. */
export function conform(title: string, cases: (open: Open) => void): void {
  for (const { name, open } of TARGETS)
    describe(`${title}, on the ${name === "embedded" ? "embedded API server" : name}`, () => cases(open));
}
