/**
 * One request and its answer over HTTP, by Node's own client: nothing is followed, unpacked or tried again. The global `fetch` would do as much, and costs
 * each process 9 MB and its first call some 40 ms. Connections are kept for five seconds. With NODE_USE_ENV_PROXY=1, HTTP_PROXY, HTTPS_PROXY
 * and NO_PROXY are honoured. Source: Node's `http.request` and `http.globalAgent`.
 */
import type { IncomingMessage } from "node:http";

/** What is sent. */
export interface Exchange {
  readonly method: string;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body?: string | undefined;
  /** What is read of the answer's body. */
  readonly responseBytesMax: number;
  /** For the answer's body as well. */
  readonly signal: AbortSignal;
}

/** By names in lower case; several of a name as one, with commas. */
export type ResponseHeaders = ReadonlyMap<string, string>;

/** The answer. */
export interface Exchanged {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly text: string;
  /** True when the body was longer than the limit or broke off. */
  readonly truncated: boolean;
}

/** Not by `import`, which loads the global `fetch` along with it. */
const http = process.getBuiltinModule("node:http");
const { validateHeaderName, validateHeaderValue } = http;

/** As the Fetch standard normalizes a value: a token that was read from a file may end in a line break. */
const AROUND = /^[\t\n\r ]+|[\t\n\r ]+$/g;

/** Names in lower case, and values as they are sent. Throws a TypeError for what HTTP does not allow, which quotes it. */
export function headerOf(name: string, value: string): readonly [name: string, value: string] {
  const sent = value.replace(AROUND, "");
  validateHeaderName(name);
  validateHeaderValue(name, sent);
  return [name.toLowerCase(), sent];
}

/** Resolves once the body has been read, or broke off. Rejects with what keeps the answer from coming. */
export async function exchange(
  url: URL,
  { method, headers, body, responseBytesMax, signal }: Exchange,
): Promise<Exchanged> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { request } = url.protocol === "https:" ? process.getBuiltinModule("node:https") : http;
  const length = body === undefined ? {} : { "content-length": Buffer.byteLength(body) };
  const sent = { accept: "*/*", "accept-encoding": "identity", ...Object.fromEntries(headers), ...length };
  // What breaks off behind the answer is told by its body.
  request(url, { method, headers: sent, signal }).once("response", resolve).on("error", reject).end(body);
  const response = await promise;
  const read = await readText(response, responseBytesMax);
  const received = Object.entries(response.headersDistinct).map(
    ([name, values = []]) => [name, values.join(", ")] as const,
  );
  return { status: response.statusCode ?? 0, headers: new Map(received), ...read };
}

/** Reads at most that much; the rest is not waited for. The status is already known, so that a body that breaks off throws nothing. */
async function readText(response: IncomingMessage, bytesMax: number): Promise<{ text: string; truncated: boolean }> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  let truncated = false;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk.subarray(0, bytesMax - bytes));
      bytes += chunk.length;
      truncated = bytes > bytesMax;
      if (truncated) break;
    }
  } catch {
    truncated = true;
  }
  return { text: new TextDecoder().decode(Buffer.concat(chunks)), truncated };
}
