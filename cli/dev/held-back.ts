/**
 * Keeps what functions send from leaving the process, and tells what it would have been. Requests of the built-in actions (by Node's `request`) and of
 * `fetch` are answered as the receivers of those actions answer a success, so that a function goes on to its end; whatever else opens a connection (mail,
 * the Kubernetes client) is refused before it does. It is for a process of its own: it replaces `request`, `fetch` and connecting for good.
 */
import type { RequestOptions } from "node:http";
import { Socket } from "node:net";
import { Readable, Writable } from "node:stream";

/** A request that was not sent. */
export interface HeldBack {
  readonly method: string;
  /** May hold secrets, as the headers do. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a function gets that opens a connection by itself. */
export class HeldBackError extends Error {
  readonly code = "HELD_BACK";
  override readonly name = "HeldBackError";
}

/** From now on nothing is sent; `onHeldBack` hears of every request. */
export function holdBack(onHeldBack: (request: HeldBack) => void): void {
  globalThis.fetch = async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    const { method, url } = request;
    onHeldBack({ method, url, headers: Object.fromEntries(request.headers), body: await request.text() });
    return Response.json(answerTo(method, new URL(url)));
  };
  for (const client of [process.getBuiltinModule("node:http"), process.getBuiltinModule("node:https")]) {
    const connecting = client.request as (...args: unknown[]) => unknown;
    const request = (...args: unknown[]) => {
      const [url, options] = args;
      // As functions/actions/http-exchange.ts calls it.
      return url instanceof URL ? unsentRequest(url, options as RequestOptions, onHeldBack) : connecting(...args);
    };
    Object.assign(client, { request });
  }
  Socket.prototype.connect = function refuse(this: Socket, ...args: unknown[]): Socket {
    const where = placeOf(args);
    onHeldBack({ method: "CONNECT", url: where, headers: {}, body: "" });
    throw new HeldBackError(`nothing was sent to ${where}: that needs --send`);
  };
}

/** In the place of a ClientRequest: answers once its body has ended. */
function unsentRequest(
  url: URL,
  { method = "GET", headers, signal }: RequestOptions,
  onHeldBack: (request: HeldBack) => void,
): Writable {
  const chunks: Buffer[] = [];
  const request = new Writable({
    ...(signal && { signal }),
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
    final(done) {
      const sent = headers as Readonly<Record<string, string>>;
      onHeldBack({ method, url: url.href, headers: sent, body: Buffer.concat(chunks).toString() });
      const body = Readable.from([Buffer.from(JSON.stringify(answerTo(method, url)))]);
      request.emit("response", Object.assign(body, { statusCode: 200, headersDistinct: {} }));
      done();
    },
  });
  return request;
}

/** What the receivers of the built-in actions answer to what they take; others get an object with an id, which most are content with. */
function answerTo(method: string, { pathname }: URL): object {
  const isRead = method === "GET";
  const place = "https://not-sent.invalid/1";
  const answers: readonly (readonly [RegExp, object])[] = [
    [/\/api\/(chat|conversations|users|views)\./, { ok: true, channel: "C0000000000", ts: "1.000001", messages: [] }],
    [/\/access_tokens$/, { token: "not-sent" }],
    [/\/repos\//, isRead ? [] : { number: 1, html_url: place, state: "open" }],
    [/\/projects\//, isRead ? [] : { iid: 1, web_url: place, state: "opened" }],
    [/\/search(\/jql)?$/, { issues: [] }],
    [/\/bulkfetch$/, { issues: [] }],
    [/\/rest\/api\/\d\/issue$/, { id: "1", key: "NOT-1" }],
  ];
  return answers.find(([path]) => path.test(pathname))?.[1] ?? (isRead ? [] : { id: "1" });
}

/** `host:port`, or the path of a local socket. */
function placeOf(args: readonly unknown[]): string {
  const [first] = args.flat(); // net.connect() hands over its normalized arguments as a list
  if (typeof first !== "object" || first === null) return String(first);
  const { host = "localhost", port, path } = first as { host?: string; port?: number; path?: string };
  return port === undefined ? String(path) : `${host}:${port}`;
}
