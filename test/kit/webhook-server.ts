/**
 * Local servers that stand for the receivers of our calls: `startReceiver` answers each request as its owner says and misbehaves on
 * demand (misbehaviour.ts); `startWorkflowEndpoint` is one that starts each named workflow once and refuses a name it has with 409.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { createMisbehaviour, type Misbehaviour, type ReceivedRequest, type Reply, respond } from "./misbehaviour.ts";

/** A server on loopback. */
export interface Receiver extends Misbehaviour, AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** Every request, also those that met a fault. */
  readonly requests: readonly ReceivedRequest[];
  /** Resolves once `holds()` is true, asked after each request; rejects after `timeoutMs`, saying what it waited for. */
  until(holds: () => boolean, what: string, timeoutMs: number): Promise<void>;
  /** Stops it and breaks what still hangs. */
  stop(): Promise<void>;
}

/** More than any body of ours. */
const BODY_BYTES_MAX = 4 * 1024 * 1024;

/** Starts a server that answers with what `answer` returns. */
export async function startReceiver(answer: (request: ReceivedRequest) => Reply): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  const { draw, ...misbehaviour } = createMisbehaviour();
  const waiting = new Set<() => void>();

  const server = createServer((incoming, outgoing) => {
    receive(incoming).then(
      (request) => {
        requests.push(request);
        respond(outgoing, draw(), () => answer(request));
        for (const check of waiting) check();
      },
      () => incoming.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });

  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    ...misbehaviour,
    until: (holds, what, timeoutMs) =>
      new Promise((resolve, reject) => {
        const done = () => {
          clearTimeout(timer);
          waiting.delete(check);
        };
        const check = () => {
          if (!holds()) return;
          done();
          resolve();
        };
        const timer = setTimeout(() => {
          done();
          reject(new Error(`waited ${timeoutMs} ms for ${what}; ${requests.length} requests came`));
        }, timeoutMs);
        waiting.add(check);
        check();
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function receive(incoming: IncomingMessage): Promise<ReceivedRequest> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) throw new Error("the body is too long");
    chunks.push(chunk);
  }
  const { method = "", url = "", headers } = incoming;
  return { method, path: url, headers, body: Buffer.concat(chunks).toString("utf8") };
}

/** A started workflow. */
const Workflow = z.strictObject({
  id: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/),
  event: z.strictObject({
    id: z.string(),
    type: z.string(),
    subject: z.string(),
    time: z.iso.datetime(),
    cluster: z.string(),
    apiversion: z.string(),
    kind: z.string(),
    namespace: z.string().nullable(),
    name: z.string(),
  }),
  parameters: z.record(z.string(), z.json()),
});
export type Workflow = z.infer<typeof Workflow>;

/** An endpoint that starts workflows. */
export interface WorkflowEndpoint extends Omit<Receiver, "origin" | "until"> {
  readonly url: string;
  /** The bearer token it asks for. */
  readonly token: string;
  /** What was started, by id: each once. */
  readonly workflows: ReadonlyMap<string, Workflow>;
  waitForWorkflows(count: number, options: { readonly timeoutMs: number }): Promise<void>;
}

/** Starts the endpoint: 201 for a new id, 409 for one it has, 401 without the token, 400 for what is no order of ours. */
export async function startWorkflowEndpoint(): Promise<WorkflowEndpoint> {
  const workflows = new Map<string, Workflow>();
  const token = "workflow-token-3f9a";
  const { origin, until, ...receiver } = await startReceiver((request) => {
    if (request.method !== "POST" || request.path !== "/workflows") return { status: 404 };
    if (request.headers.authorization !== `Bearer ${token}`) return { status: 401 };
    if (request.headers["content-type"] !== "application/json") return { status: 415 };
    if (!request.headers["idempotency-key"]) return { status: 400, body: "idempotency-key is missing" };
    const order = Workflow.safeParse(parseJson(request.body));
    if (!order.success) return { status: 400, body: order.error.message };
    if (workflows.has(order.data.id)) return { status: 409, body: "it is there already" };
    workflows.set(order.data.id, order.data);
    return {
      status: 201,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id: order.data.id }),
    };
  });
  return {
    ...receiver,
    url: `${origin}/workflows`,
    token,
    workflows,
    waitForWorkflows: (count, { timeoutMs }) => until(() => workflows.size >= count, `${count} workflows`, timeoutMs),
  };
}

/** `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
