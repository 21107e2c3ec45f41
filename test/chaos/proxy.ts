/**
 * A TCP proxy that can be told to misbehave: it cuts connections, refuses them, stalls them without closing (half-open), slows them
 * down, or ends one in the middle of what the server was saying. It knows nothing of what it carries, so TLS passes untouched.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** What happens to connections, those that are there and new ones. */
export type ProxyMode =
  | { readonly type: "pass" }
  /** They stay open and nothing moves. */
  | { readonly type: "stall" }
  | { readonly type: "slow"; readonly bytesPerSecond: number }
  /** The next one that gets an answer loses it half-way, each one again. */
  | { readonly type: "truncate" }
  /** New ones are closed at once. */
  | { readonly type: "refuse" };

/** A running proxy. */
export interface ChaosProxy extends AsyncDisposable {
  readonly port: number;
  readonly connections: number;
  set(mode: ProxyMode): void;
  /** Resets every connection; new ones are as the mode says. */
  cut(): void;
}

/** How much is passed on at once when slowed down. */
const SLOW_SLICES_PER_SECOND = 20;

/** Starts a proxy on a free loopback port, in front of a port of this machine; a function is asked at each connection. */
export async function startProxy(target: number | (() => number)): Promise<ChaosProxy> {
  const sockets = new Set<Socket>();
  let mode: ProxyMode = { type: "pass" };
  let changed = Promise.withResolvers<void>();

  const pump = async (from: Socket, to: Socket, isAnswer: boolean) => {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      while (mode.type === "stall") await changed.promise;
      if (mode.type === "truncate" && isAnswer) {
        to.end(chunk.subarray(0, chunk.length / 2));
        return from.destroy();
      }
      const step = mode.type === "slow" ? Math.ceil(mode.bytesPerSecond / SLOW_SLICES_PER_SECOND) : chunk.length;
      for (let at = 0; at < chunk.length; at += step) {
        if (!to.write(chunk.subarray(at, at + step))) await Promise.race([once(to, "drain"), once(to, "close")]);
        if (mode.type === "slow") await delay(1_000 / SLOW_SLICES_PER_SECOND);
      }
    }
    return to.end();
  };
  const server = createServer((client) => {
    if (mode.type === "refuse") return client.resetAndDestroy();
    const upstream = connect(typeof target === "number" ? target : target(), "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => undefined); // a cut is what this is for; "close" follows
      socket.on("close", () => {
        sockets.delete(socket);
        (socket === client ? upstream : client).destroy();
      });
    }
    pump(client, upstream, false).catch(() => client.destroy());
    pump(upstream, client, true).catch(() => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const set = (next: ProxyMode) => {
    mode = next;
    changed.resolve();
    changed = Promise.withResolvers();
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return sockets.size / 2;
    },
    set,
    cut,
    async [Symbol.asyncDispose]() {
      set({ type: "pass" });
      server.close();
      cut();
      await once(server, "close");
    },
  };
}
