/**
 * Reads a request's body within limits: of its own size, and of what all requests hold together, so that no number of senders makes
 * the process larger than planned.
 */
import type { IncomingMessage } from "node:http";
import { RequestRefusedError } from "./problem.ts";

/** Bytes that requests hold. */
export interface BodyRoom {
  /** Takes them; throws RequestRefusedError (503) when there is no room. */
  take(bytes: number): void;
  give(bytes: number): void;
}

/** Etcd takes objects of up to 1.5 MiB, and an event is at most about three times its object. */
export const BODY_BYTES_MAX = 5 * 1024 ** 2;
/** A dozen of the largest, or thousands of usual ones; each takes several times its size once it is parsed. */
const ROOM_BYTES_MAX = 64 * 1024 ** 2;

/** Room for all requests of a process. */
export function createBodyRoom(): BodyRoom {
  let held = 0;
  return {
    take(bytes) {
      if (held + bytes > ROOM_BYTES_MAX)
        throw new RequestRefusedError(503, "too much is being handled: try again", { "retry-after": "1" });
      held += bytes;
    },
    give(bytes) {
      held -= bytes;
    },
  };
}

/** The whole body. Throws RequestRefusedError (413, 503), or what broke the connection. What it took of the room is in `taken`. */
export async function readBody(request: IncomingMessage, room: BodyRoom, taken: { bytes: number }): Promise<Buffer> {
  if (Number(request.headers["content-length"] ?? 0) > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Buffer[] = [];
  // Not destroyed on the way out: the answer goes over the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (taken.bytes + chunk.length > BODY_BYTES_MAX) throw tooLarge();
    room.take(chunk.length);
    taken.bytes += chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(): RequestRefusedError {
  return new RequestRefusedError(413, `the body is larger than ${BODY_BYTES_MAX / 1024 ** 2} MiB`);
}
