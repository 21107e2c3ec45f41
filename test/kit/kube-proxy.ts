/**
 * A way to the real API server that misbehaves: a reverse proxy on loopback, over plain HTTP, for those who are to find their answers lost, cut
 * or late. What it does to a request, before or after the API server has done it, is `misbehaviour.ts`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Agent, request } from "undici";
import { stringify } from "yaml";
import type { KubeAccess } from "./kube-access.ts";
import { createMisbehaviour, type Misbehaviour, type Reply, respond } from "./misbehaviour.ts";

/** A running proxy. */
export interface KubeProxy extends Pick<Misbehaviour, "next" | "at"> {
  /** The text of a kubeconfig that leads through here, as the admin. */
  kubeconfig(): string;
  /** What the API server was asked and answered: `POST /apis/… 201`. */
  readonly answers: readonly string[];
  stop(): Promise<void>;
}

/** Those that happen instead of the request. */
const BEFORE: ReadonlySet<unknown> = new Set(["hang", "reset"]);

/** Starts it, well-behaved. */
export async function startKubeProxy(kube: KubeAccess): Promise<KubeProxy> {
  const dispatcher = new Agent({ connect: { ca: kube.caPem } });
  const { draw, ...misbehaviour } = createMisbehaviour();
  const answers: string[] = [];
  const forward = async (incoming: IncomingMessage): Promise<Reply> => {
    const { method = "GET", url = "/" } = incoming;
    const { host: _, connection: __, "transfer-encoding": ___, "content-length": ____, ...headers } = incoming.headers;
    const body = Buffer.concat(await incoming.toArray());
    const options = { method, headers, dispatcher, ...(body.length > 0 && { body }) };
    const answer = await request(kube.url + url, options as Parameters<typeof request>[1] & object);
    answers.push(`${method} ${url} ${answer.statusCode}`);
    const text = await answer.body.text();
    return { status: answer.statusCode, headers: { "content-type": "application/json" }, body: text };
  };
  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const fault = draw();
    const isInstead = (typeof fault === "object" && fault !== null) || BEFORE.has(fault);
    const reply = isInstead ? undefined : await forward(incoming);
    respond(outgoing, fault, () => reply ?? { status: 500 });
  };
  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy()); // whoever was killed hears no answer
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    ...misbehaviour,
    kubeconfig() {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      // Without it client-node refuses to send a token over plain HTTP.
      const cluster = { server: url, "insecure-skip-tls-verify": true };
      return stringify({
        ...{ apiVersion: "v1", kind: "Config", "current-context": "admin" },
        clusters: [{ name: "proxy", cluster }],
        users: [{ name: "admin", user: { token: kube.adminToken } }],
        contexts: [{ name: "admin", context: { cluster: "proxy", user: "admin" } }],
      });
    },
    answers,
    async stop() {
      server.closeAllConnections();
      server.close();
      await dispatcher.destroy();
    },
  };
}
