/** The proxy does to connections what its mode says, and no more. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { until } from "../kit/until.ts";
import { type ChaosProxy, startProxy } from "./proxy.ts";

/** A server that answers what it is told, and a connection to it through a proxy. */
async function connectThrough(t: TestContext) {
  const server = createServer((socket) => socket.on("error", () => undefined).pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const proxy = await startProxy((server.address() as AddressInfo).port);
  t.after(async () => {
    await proxy[Symbol.asyncDispose]();
    server.close();
  });
  return { proxy, ...(await dial(proxy)) };
}

async function dial(proxy: ChaosProxy) {
  const socket = connect(proxy.port, "127.0.0.1");
  const heard = { text: "", closed: false };
  socket.on("data", (chunk) => {
    heard.text += String(chunk);
  });
  socket
    .on("error", () => undefined)
    .on("close", () => {
      heard.closed = true;
    });
  await new Promise<unknown>((resolve) => socket.once("connect", resolve).once("close", resolve));
  return { socket, heard };
}

describe("a proxy", () => {
  test("passes what it is given", async (t) => {
    const { socket, heard } = await connectThrough(t);
    socket.write("hello");
    await until(() => heard.text === "hello");
  });

  test("stalls without closing, and delivers when it is released", async (t) => {
    const { proxy, socket, heard } = await connectThrough(t);
    proxy.set({ type: "stall" });
    socket.write("late");
    const other = await dial(proxy); // two round trips of the loop: what could have come would have
    await new Promise(setImmediate);
    assert.deepEqual([heard.text, heard.closed, other.heard.closed], ["", false, false]);
    proxy.set({ type: "pass" });
    await until(() => heard.text === "late");
  });

  test("slows down and loses nothing", async (t) => {
    const { proxy, socket, heard } = await connectThrough(t);
    proxy.set({ type: "slow", bytesPerSecond: 2_000 });
    socket.write("x".repeat(300));
    await until(() => heard.text.length === 300);
  });

  test("ends an answer half-way", async (t) => {
    const { proxy, socket, heard } = await connectThrough(t);
    proxy.set({ type: "truncate" });
    socket.write("12345678");
    await until(() => heard.closed);
    assert.equal(heard.text, "1234");
  });

  test("refuses new connections, and leaves those that are there until they are cut", async (t) => {
    const { proxy, socket, heard } = await connectThrough(t);
    proxy.set({ type: "refuse" });
    const refused = await dial(proxy);
    await until(() => refused.heard.closed);
    socket.write("still");
    await until(() => heard.text === "still");
    proxy.cut();
    await until(() => heard.closed);
  });

  test("asks where to go at each connection", async (t) => {
    const servers = await Promise.all([connectThrough(t), connectThrough(t)]);
    const ports = servers.map(({ proxy }) => proxy.port);
    await using proxy = await startProxy(() => ports.shift() ?? 0);
    for (const { proxy: target } of servers) {
      const known = target.connections;
      const { socket, heard } = await dial(proxy);
      socket.write("there");
      await until(() => heard.text === "there");
      assert.equal(target.connections, known + 1);
      socket.destroy();
    }
  });

  test("cuts what is connected, and takes new connections", async (t) => {
    const { proxy, heard } = await connectThrough(t);
    await until(() => proxy.connections === 1);
    proxy.cut();
    await until(() => heard.closed);
    const again = await dial(proxy);
    again.socket.write("again");
    await until(() => again.heard.text === "again");
  });
});
