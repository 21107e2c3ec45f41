/**
 * Faults on demand, for what no real API server shows when it is asked to: refusals, connections that are cut, stall or never
 * answer, watches that send what is not in the protocol. A fault meets the requests that it describes, as often as it says.
 */
import type { ServerResponse } from "node:http";
import { StatusError } from "./object/status-error.ts";

/** A request, as a fault looks at it. */
export interface FaultedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isWatch: boolean;
}

/** What goes wrong. */
export type FaultEffect =
  /** The server refuses; the Retry-After header is in whole seconds. */
  | {
      readonly type: "refuse";
      readonly status: number;
      readonly reason: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** No answer, for as long as the client waits. */
  | { readonly type: "hang" }
  /** The connection is cut behind so many bytes of the body, which may be in the middle of a line; 0 is before the answer. */
  | { readonly type: "cut"; readonly afterBytes: number }
  /** Nothing more comes behind so many bytes of the body, and the connection stays open (half-open). */
  | { readonly type: "stall"; readonly afterBytes: number }
  /** The answer ends behind so many bytes of the body as if it were whole, as a proxy on the way may do. */
  | { readonly type: "end"; readonly afterBytes: number }
  /** Each line of a watch, and the whole of another answer, is sent as what this makes of it. */
  | { readonly type: "rewrite"; readonly text: (text: string) => string };

/** Which requests a fault meets, how often, and what it does. */
export interface Fault {
  readonly meets: (request: FaultedRequest) => boolean;
  /** How many requests; Infinity until it is cleared. @default 1 */
  readonly times?: number;
  readonly effect: FaultEffect;
}

/** The faults that are waiting for their requests. */
export interface Faults {
  /** Behind those that wait already; answers how to take it away again. */
  add(fault: Fault): () => void;
  /** Takes all of them away. */
  clear(): void;
  /** The effect on this request, of the first fault that meets it. */
  take(request: FaultedRequest): FaultEffect | undefined;
}

/** No faults at first. */
export function createFaults(): Faults {
  let waiting: { readonly fault: Fault; left: number }[] = [];
  return {
    add(fault) {
      const added = { fault, left: fault.times ?? 1 };
      waiting.push(added);
      return () => {
        waiting = waiting.filter((each) => each !== added);
      };
    },
    clear() {
      waiting = [];
    },
    take(request) {
      const found = waiting.find(({ fault }) => fault.meets(request));
      if (found === undefined) return undefined;
      found.left--;
      if (found.left <= 0) waiting = waiting.filter((each) => each !== found);
      return found.fault.effect;
    },
  };
}

/** Throws the refusal as the Status that it is. */
export function refuse({ status, reason, message, retryAfterSeconds }: FaultEffect & { type: "refuse" }): never {
  throw new StatusError(status, reason, message ?? `refused on demand (${reason})`, {
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
  });
}

/** The body of an answer, on its way through a fault. */
export interface Body {
  /** The head is sent, and the body may be a while. */
  begin(): void;
  write(text: string): void;
  end(text?: string): void;
}

/** Opens the body of an answer whose head has been written. */
export function openBody(response: ServerResponse, effect: FaultEffect | undefined): Body {
  switch (effect?.type) {
    case undefined:
    case "refuse":
    case "hang":
      return {
        begin: () => response.flushHeaders(),
        write: (text) => void response.write(text),
        end: (text) => void response.end(text),
      };
    case "rewrite":
      return {
        begin: () => response.flushHeaders(),
        write: (text) => void response.write(effect.text(text)),
        end: (text) => void response.end(text === undefined ? undefined : effect.text(text)),
      };
    case "cut":
      return limitedBody(response, effect.afterBytes, () => response.destroy());
    case "stall":
      return limitedBody(response, effect.afterBytes, () => {});
    case "end":
      return limitedBody(response, effect.afterBytes, () => response.end());
    default:
      return effect satisfies never;
  }
}

function limitedBody(response: ServerResponse, bytesMax: number, atLimit: () => void): Body {
  let left = bytesMax;
  let isOver = false;
  const send = (bytes: Buffer) => {
    const part = bytes.subarray(0, left);
    left -= part.length;
    isOver = left === 0;
    // What was sent is out before the connection goes.
    if (isOver) response.write(part, atLimit);
    else if (part.length > 0) response.write(part);
  };
  const write = (text: string) => {
    if (!isOver) send(Buffer.from(text));
  };
  return {
    begin() {
      response.flushHeaders();
      write("");
    },
    write,
    end(text = "") {
      write(text);
      if (!isOver) response.end();
    },
  };
}
