/**
 * Ports for servers that keep theirs over a restart. They lie below the range from which the kernel takes ports for outgoing
 * connections: there, while a server is down, a client that keeps trying could be given the server's own port and connect to itself.
 * A port that was given away belongs to its process, so that no other test's server takes it while its own is down.
 */
import { createSocket } from "node:dgram";
import { createServer } from "node:net";

/** Linux hands out 32768–60999, macOS 49152–65535; below 20000 live the well-known services. */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;

/** Another process can take a port between the look and the server's start: such a start is tried again with other ports. */
const STARTS_MAX = 5;

/** Calls `start` with `count` ports that are free on 127.0.0.1, and again with others if it fails with "address already in use". */
export async function withFreePorts<T>(count: number, start: (ports: readonly number[]) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const ports = new Set<number>();
    while (ports.size < count) ports.add(await freePort());
    try {
      return await start([...ports]);
    } catch (error) {
      if (attempt === STARTS_MAX || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if ((await isFree(port)) && (await reserve(port))) return port;
  }
}

/** By UDP, which none of the servers speaks: what is bound there is let go of with its process, however that ends. */
function reserve(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const reservation = createSocket("udp4").unref();
    reservation.once("error", () => reservation.close(() => resolve(false)));
    reservation.bind({ port, address: "127.0.0.1", exclusive: true }, () => resolve(true));
  });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
