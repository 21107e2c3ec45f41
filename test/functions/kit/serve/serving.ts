/** A receiver on loopback with functions that a test writes, and senders for it. */
import { connect } from "node:net";
import type { TestContext } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { defineFunction, type FunctionContext } from "../../../../functions/kit/define.ts";
import { type Receiver, type ReceiverLimits, receive } from "../../../../functions/kit/serve/receiver.ts";
import type { ServeSettings } from "../../../../functions/kit/serve/serve-settings.ts";
import { bind, Subscription } from "../../../../functions/kit/subscription.ts";

export type Run = (context: FunctionContext<unknown>) => Promise<string | undefined> | Promise<void>;

export interface ServeTestOptions extends ServeSettings {
  readonly limits?: Partial<ReceiverLimits>;
  readonly subscription?: Partial<z.input<typeof Subscription>>;
  readonly timeoutMs?: number;
}

/** Serves each function as the subscription of its key. */
export async function startServing(
  t: TestContext,
  functions: Readonly<Record<string, Run>>,
  options: ServeTestOptions = {},
) {
  const { limits, subscription, timeoutMs = 60_000, ...settings } = options;
  const stopping = new AbortController();
  const lines: { readonly level: number; readonly msg: string; readonly [field: string]: unknown }[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const bindings = Object.entries(functions).map(([name, run]) =>
    bind(
      Subscription.parse({
        name,
        function: name,
        apiVersion: "demo.example.com/v1",
        kind: "Database",
        ...subscription,
      }),
      defineFunction({ name, description: "A test's.", config: z.object({}), timeoutMs, run }),
    ),
  );
  const receiver: Receiver = await receive(
    bindings,
    { port: 0, ...settings },
    { log, signal: stopping.signal, limits: { drainMs: 1_000, graceMs: 50, ...limits } },
  );
  const stop = async () => {
    stopping.abort();
    await receiver.done;
  };
  t.after(stop);
  return { ...receiver, lines, stopping, stop };
}

export const STRUCTURED = { "content-type": "application/cloudevents+json" };

/** Posts a body; answers what came back. */
export async function post(
  url: string,
  body: string | Buffer,
  headers: Record<string, string> = STRUCTURED,
  signal?: AbortSignal,
) {
  const response = await fetch(url, {
    method: "POST",
    body: new Uint8Array(Buffer.from(body)),
    headers,
    ...(signal && { signal }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    outcome: response.headers.get("cr-outcome"),
    detail: text === "" ? undefined : (JSON.parse(text) as { detail?: string }).detail,
  };
}

/** Sends bytes as they are and resolves to everything that comes back until the other side closes. */
export function sendRaw(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = "";
  const socket = connect(Number(port), hostname, () => socket.write(bytes));
  socket.setEncoding("utf8");
  socket.on("data", (chunk) => {
    received += String(chunk);
  });
  socket.on("error", () => undefined);
  socket.on("close", () => resolve(received));
  return promise;
}
