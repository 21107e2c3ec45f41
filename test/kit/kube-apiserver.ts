/**
 * A real kube-apiserver with its own etcd on free loopback ports, with TLS, RBAC and token users, ready in about four seconds.
 * There is no controller manager: no garbage collection, no default service accounts, namespaces stay Terminating for ever.
 * Port, certificate and data survive `kill()` and `restart()`; like any restart of an API server, that empties its watch history.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findBinary } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { type EtcdServer, startEtcd } from "./etcd-server.ts";
import { withFreePorts } from "./free-port.ts";
import type { Report } from "./install/progress.ts";
import { type KubeAccess, kubeAccess, kubeconfigText } from "./kube-access.ts";
import { kubeClient } from "./kube-client.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** All optional: without them a server with the release's own defaults. */
export interface KubeOptions {
  /** `{ WatchList: false }`. @default the release's own */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** Further flags, such as `--watch-cache=false`; a flag given here wins over the kit's own. */
  readonly args?: readonly string[];
  /** Further users by name, with their groups. Like `restricted`, they may do only what a test grants them. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  /** Where progress is told if a binary has to be installed first. @default standard error */
  readonly report?: Report;
}

/** A started API server. `kill` and `restart` are about it alone, `stop` ends its etcd too. */
export interface KubeServer extends ServerProcess, KubeAccess {
  readonly etcd: EtcdServer;
  /** Data for `kubeAccess` in another process. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** Starts etcd and kube-apiserver. Throws BinaryMissingError and ServerStartError. */
export async function startKube(options: KubeOptions = {}): Promise<KubeServer> {
  const report = options.report === undefined ? {} : { report: options.report };
  const command = await findBinary("kube-apiserver", report);
  const etcd = await startEtcd(report);
  try {
    return await withFreePorts(1, ([port = 0]) => startOnPort(command, etcd, port, options));
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}

async function startOnPort(command: string, etcd: EtcdServer, port: number, options: KubeOptions): Promise<KubeServer> {
  const folder = createDataFolder("kube");
  const url = `https://127.0.0.1:${port}`;
  const users = { admin: ["system:masters"], restricted: [], ...options.users };
  const tokens = Object.fromEntries(Object.keys(users).map((user) => [user, randomBytes(16).toString("hex")]));
  writeSecrets(folder.path, users, tokens);
  const args = [...flagsOf(folder.path, etcd.url, port, options.featureGates), ...(options.args ?? [])];
  const server = await startServer({
    name: "kube-apiserver",
    command,
    args: () => args,
    folder,
    isReady: () => isReady(url, folder.path, tokens["admin"] ?? ""),
    restartMsMax: 2_000, // it keeps nothing itself, and waits a minute for whoever watches
  });
  const caPem = readFileSync(certificatePath(folder.path), "utf8");
  const kubeconfigPath = join(folder.path, "kubeconfig");
  writeFileSync(kubeconfigPath, kubeconfigText({ url, caPem, tokens }), { mode: 0o600 });
  const access = kubeAccess({ url, caPem, tokens, kubeconfigPath });
  const stopServer = server.stop;
  async function stop(): Promise<void> {
    await access.client.close();
    await stopServer();
    await etcd.stop();
  }
  return Object.assign(server, access, { etcd, tokens, stop, [Symbol.asyncDispose]: stop });
}

const certificatePath = (folder: string): string => join(folder, "certs", "apiserver.crt");

function writeSecrets(folder: string, users: Record<string, readonly string[]>, tokens: Record<string, string>): void {
  const lines = Object.entries(users).map(([user, groups]) => `${tokens[user]},${user},${user},"${groups.join(",")}"`);
  writeFileSync(join(folder, "tokens.csv"), `${lines.join("\n")}\n`, { mode: 0o600 });
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privatePem = privateKey.export({ type: "pkcs8", format: "pem" });
  writeFileSync(join(folder, "service-account.key"), privatePem, { mode: 0o600 });
  writeFileSync(join(folder, "service-account.pub"), publicKey.export({ type: "spki", format: "pem" }));
}

function flagsOf(
  folder: string,
  etcdUrl: string,
  port: number,
  featureGates: KubeOptions["featureGates"] = {},
): readonly string[] {
  const gates = Object.entries(featureGates).map(([gate, isOn]) => `${gate}=${isOn}`);
  const flags = {
    "etcd-servers": etcdUrl,
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "secure-port": port,
    "cert-dir": join(folder, "certs"),
    "authorization-mode": "RBAC",
    "token-auth-file": join(folder, "tokens.csv"),
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-signing-key-file": join(folder, "service-account.key"),
    "service-account-key-file": join(folder, "service-account.pub"),
    "service-cluster-ip-range": "10.0.0.0/24",
    "endpoint-reconciler-type": "none", // a loopback address is not a valid endpoint
    "disable-admission-plugins": "ServiceAccount", // refuses Pods without a default service account, which nobody makes here
    "feature-gates": gates.join(","),
  };
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}

async function isReady(url: string, folder: string, token: string): Promise<boolean> {
  if (!existsSync(certificatePath(folder))) return false;
  const client = kubeClient({ url, token, caPem: readFileSync(certificatePath(folder), "utf8") });
  try {
    return (await client.request<string>("GET", "/readyz")) === "ok";
  } catch {
    return false;
  } finally {
    await client.close();
  }
}
