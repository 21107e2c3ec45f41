/**
 * How the look-alikes of other people's servers misbehave: what a request can meet instead of its answer, one on demand (`next`) or
 * some at random from a seed (`at`), so that a run that found something can be had again. Half of them happen before anything is
 * done and half after everything is: a caller cannot tell which, and that is what the tests are about.
 */
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { createRandom } from "./random.ts";

/** A request as it arrived. */
export interface ReceivedRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** An answer. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * What a request meets. Before anything is done: another answer; `hang`, no answer ever; `reset`, the connection broken. After
 * everything is: `lose-answer`, the connection broken; `fail-answer`, a 502 as from a proxy in between; `empty-answer`, the success without
 * its body; `cut-answer`, half of the body and then the connection broken; `stall-answer`, half of the body and then nothing. And `none`:
 * nothing unusual, where a fault is queued for a later request.
 */
export type Fault = Reply | "none" | "hang" | "reset" | (typeof AFTER)[number];

const AFTER = ["lose-answer", "fail-answer", "empty-answer", "cut-answer", "stall-answer"] as const;

/** Those that do not keep a caller waiting for its own time limit. */
export const PROMPT_FAULTS: readonly Fault[] = [
  "reset",
  "lose-answer",
  "fail-answer",
  "empty-answer",
  "cut-answer",
  { status: 500 },
  { status: 503, headers: { "retry-after": "1" } },
  { status: 429, headers: { "retry-after": "1" } },
];

/** What a server does to its next requests. */
export interface Misbehaviour {
  /** Queues a fault for one request; queued ones go before those at random. */
  next(fault: Fault): void;
  /** From now on a share of the requests (0 to 1) meets one of the faults, drawn from the seed. 0 ends it. */
  at(share: number, seed: number, faults?: readonly Fault[]): void;
}

/** Starts well-behaved. `draw` is asked once for each request. */
export function createMisbehaviour(): Misbehaviour & { draw(): Fault | undefined } {
  const queued: Fault[] = [];
  let drawn = (): Fault | undefined => undefined;
  return {
    next: (fault) => queued.push(fault),
    at(share, seed, faults = PROMPT_FAULTS) {
      const random = createRandom(seed);
      drawn = () => (random.next() < share ? random.pick(faults) : undefined);
    },
    draw: () => queued.shift() ?? drawn(),
  };
}

/** Answers a request, or does to it what the fault says. */
export function respond(outgoing: ServerResponse, fault: Fault | undefined, answer: () => Reply): void {
  if (fault === "hang") return;
  if (fault === "reset") return void outgoing.socket?.resetAndDestroy();
  const reply = typeof fault === "object" ? fault : answer();
  const { status, headers = {}, body = "" } = reply;
  switch (fault) {
    case "lose-answer":
      outgoing.socket?.resetAndDestroy();
      return;
    case "fail-answer":
      outgoing.writeHead(502).end("bad gateway");
      return;
    case "empty-answer":
      outgoing.writeHead(status, headers).end();
      return;
    case "cut-answer":
    case "stall-answer":
      outgoing.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(body) + 1) });
      outgoing.write(body.slice(0, Math.ceil(body.length / 2)), () => {
        if (fault === "cut-answer") outgoing.socket?.resetAndDestroy();
      });
      outgoing.flushHeaders();
      return;
    default:
      outgoing.writeHead(status, headers).end(body);
  }
}
