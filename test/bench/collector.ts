/**
 * Makes another Node process collect its garbage, by its inspector: what is resident afterwards is what it holds, where otherwise it is also what V8
 * has not found worth collecting yet. Source: Chrome DevTools Protocol, HeapProfiler.collectGarbage.
 */
import { once } from "node:events";
import { until } from "../kit/until.ts";
import type { PeerProcess } from "./peer/peer.ts";

/** What a process has to be started with. */
export const INSPECTED = "--inspect=127.0.0.1:0";

/** Connects to a process that was just started; answers how to make it collect. */
export async function openCollector(process: PeerProcess): Promise<AsyncDisposable & { collect(): Promise<void> }> {
  const addressOf = () => /ws:\/\/\S+/.exec(process.log())?.[0];
  await until(() => addressOf() !== undefined, { what: "the inspector listens" });
  const socket = new WebSocket(addressOf() ?? "");
  await once(socket, "open");
  let questions = 0;
  return {
    async collect() {
      const answered = once(socket, "message"); // nothing is enabled that sends anything else
      socket.send(JSON.stringify({ id: ++questions, method: "HeapProfiler.collectGarbage" }));
      await answered;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}
