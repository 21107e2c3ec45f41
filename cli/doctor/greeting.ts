/**
 * What a nats-server says of itself before anybody signs in: version, JetStream, its largest message. It tells a server that is
 * away from one that refuses the credentials, and which of several it is. Nothing is sent.
 * Source: NATS client protocol, INFO.
 */
import { connect } from "node:net";
import { z } from "zod";
import { CHECK_MS_MAX, reasonOf } from "./check.ts";

/** The part of INFO that is checked. */
const ServerInfo = z.object({
  version: z.string(),
  max_payload: z.int(),
  jetstream: z.boolean().default(false),
  /** Left out by a server that stands alone. */
  cluster: z.string().exactOptional(),
});
type ServerInfo = z.infer<typeof ServerInfo>;

/** What came of asking one server. `url` is as it was given. */
export type Greeting =
  | { readonly type: "greeted"; readonly url: string; readonly info: ServerInfo }
  | { readonly type: "none"; readonly url: string; readonly reason: string };

const PORT_DEFAULT = 4222;
/** INFO of a large cluster names all its members. */
const INFO_BYTES_MAX = 64 * 1024;

/** Connects, waits for the greeting, and hangs up. Never rejects. */
export async function greet(url: string): Promise<Greeting> {
  try {
    return { type: "greeted", url, info: parseInfo(await firstLine(addressOf(url))) };
  } catch (error) {
    return { type: "none", url, reason: reasonOf(error) };
  }
}

function addressOf(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url.includes("://") ? url : `nats://${url}`);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: Number(port) || PORT_DEFAULT };
}

function firstLine(address: { readonly host: string; readonly port: number }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = connect(address);
  let text = "";
  const timer = setTimeout(() => reject(new Error(`silent for ${CHECK_MS_MAX / 1_000} s`)), CHECK_MS_MAX);
  socket.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
    if (text.includes("\n")) resolve(text);
    else if (text.length > INFO_BYTES_MAX) reject(new Error("no NATS server"));
  });
  socket.on("error", reject).on("close", () => reject(new Error("it hung up")));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function parseInfo(text: string): ServerInfo {
  const json = /^INFO (\{.*\})/.exec(text)?.[1];
  if (json === undefined) throw new Error("what answers there is no NATS server");
  return ServerInfo.parse(JSON.parse(json));
}
