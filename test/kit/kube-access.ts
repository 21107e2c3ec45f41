/**
 * How to reach an API server and as whom. It is plain data with functions on top, because the test runner starts one server for
 * all test processes and hands this data to them through an environment variable.
 */
import { stringify } from "yaml";
import { z } from "zod";
import { type KubeClient, kubeClient } from "./kube-client.ts";

/** What has to be known to reach the server; it crosses processes. */
export const KubeAccessData = z.object({
  url: z.url(),
  caPem: z.string(),
  /** Bearer token by user name. */
  tokens: z.record(z.string(), z.string()),
  kubeconfigPath: z.string(),
});
export type KubeAccessData = z.infer<typeof KubeAccessData>;

/** An API server as its users see it. */
export interface KubeAccess {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** Trust anchor of its certificate. */
  readonly caPem: string;
  /** Of a user in `system:masters`, who may do everything. */
  readonly adminToken: string;
  /** As the admin. */
  readonly client: KubeClient;
  /** A file with the contexts `admin` (current) and `restricted`, and those of further users. */
  readonly kubeconfigPath: string;
  /** The text of a kubeconfig with that user's context as the current one. @default admin */
  kubeconfig(user?: string): string;
  /** A user's bearer token. `restricted` is known to the server and may do nothing. Throws if there is no such user. */
  token(user: string): string;
}

/** Puts the functions onto the data. */
export function kubeAccess(data: KubeAccessData): KubeAccess {
  const { url, caPem, kubeconfigPath } = data;
  function token(user: string): string {
    const value = data.tokens[user];
    if (value === undefined) throw new Error(`no user "${user}"; there are ${Object.keys(data.tokens).join(", ")}`);
    return value;
  }
  const adminToken = token("admin");
  const client = kubeClient({ url, caPem, token: adminToken });
  return { url, caPem, kubeconfigPath, adminToken, client, token, kubeconfig: (user) => kubeconfigText(data, user) };
}

/** A kubeconfig with a context for each user, named as the user. */
export function kubeconfigText({ url, caPem, tokens }: Omit<KubeAccessData, "kubeconfigPath">, user = "admin"): string {
  const users = Object.entries(tokens);
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      { name: "test", cluster: { server: url, "certificate-authority-data": Buffer.from(caPem).toString("base64") } },
    ],
    users: users.map(([name, token]) => ({ name, user: { token } })),
    contexts: users.map(([name]) => ({ name, context: { cluster: "test", user: name } })),
    "current-context": user,
  });
}
