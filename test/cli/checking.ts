/**
 * Runs `cr-reactor bridge --check` as a user does. Every run also holds what is promised of all of them: no stack trace in any output, and no
 * NATS, which is never there.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import type { KubeAccess } from "../kit/kube-access.ts";
import type { KubeObject } from "../kit/kube-client.ts";
import { mintUser } from "../kit/shared-kube.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const RBAC = "/apis/rbac.authorization.k8s.io/v1";

/** The entry of the tests' kind. */
export const DATABASE = { apiVersion: "demo.example.com/v1", kind: "Database" };

/** A file that is removed with the test; answers its path. */
export function file(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** Runs a command with these arguments to its end. */
export async function runCommand(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, NO_COLOR: "1", HOME: "/nowhere", KUBECONFIG: "", NATS_URL: "nats://127.0.0.1:1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code, out, err };
}

/** Runs the check of a configuration with these resources. */
export function check(
  t: TestContext,
  kubeconfig: string,
  resources: readonly object[],
  args: readonly string[] = [],
  more: object = {},
) {
  return runCommand("bridge", "--check", "--config", bridgeFile(t, kubeconfig, resources, more), ...args);
}

/** Prints the Roles of a bridge with these resources. */
export function rbac(t: TestContext, kubeconfig: string, resources: readonly object[], more: object = {}) {
  return runCommand("rbac", "--config", bridgeFile(t, kubeconfig, resources, more));
}

function bridgeFile(t: TestContext, kubeconfig: string, resources: readonly object[], more: object): string {
  return file(t, "bridge.yaml", stringify({ cluster: "test", resources, kubernetes: { kubeconfig }, ...more }));
}

/** The documents of a YAML text, as far as a test looks at them. */
export function documentsOf(text: string): (KubeObject & { rules?: object[] })[] {
  return parseAllDocuments(text).map((each) => each.toJS());
}

/** A service account `bridge` without rights: its kubeconfig, and a way to apply the printed Roles to it, as admin. */
export async function mintBridge(t: TestContext, kube: KubeAccess, namespace: string) {
  const { token } = await mintUser(kube, namespace, "bridge");
  const kubeconfigPath = file(t, "kubeconfig", kube.kubeconfig().replaceAll(kube.adminToken, token));
  const apply = async (yaml: string) => {
    for (const object of documentsOf(yaml)) {
      const [subject] = object["subjects"] ?? [];
      assert.ok(subject === undefined || (subject.name === "bridge" && subject.namespace === "cr-reactor"));
      if (subject !== undefined) subject.namespace = namespace;
      await kube.client.apply(pathOf(object), object);
    }
  };
  return { kubeconfigPath, apply };
}

/** The API path of an object of RBAC. */
export function pathOf({ kind, metadata: { name, namespace } }: KubeObject): string {
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  return `${RBAC}${scope}/${kind?.toLowerCase()}s/${name}`;
}
