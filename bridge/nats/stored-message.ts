/**
 * One message of a stream, with its headers, by its sequence or by its subject. The stream's leader answers: a copy may not
 * have the newest yet.
 * Source: JetStream API `$JS.API.STREAM.MSG.GET`; NATS ADR-4 for headers.
 */
import { z } from "zod";
import type { JetStream } from "./jetstream.ts";
import { unlessMissing } from "./jetstream-error.ts";

/** A message as the stream has it. */
export interface StoredMessage {
  readonly sequence: number;
  /** When the stream stored it, epoch milliseconds. */
  readonly storedAtMs: number;
  readonly subject: string;
  readonly data: Uint8Array;
  header(name: string): string | undefined;
}

const Answer = z.object({
  message: z.object({
    subject: z.string(),
    seq: z.int(),
    time: z.string(),
    data: z.string().default(""),
    hdrs: z.string().default(""),
  }),
});

/** Which message: the one of this sequence, the last one of a subject, or the first one of it from a sequence on. Wildcards may stand in it. */
export type StoredQuery =
  | { readonly seq: number }
  | { readonly last_by_subj: string }
  | { readonly next_by_subj: string; readonly seq: number };

/** `undefined` when there is no such message, or no such stream. Throws JetStreamApiError and RequestLostError. */
export async function getStored(
  jetStream: JetStream,
  stream: string,
  query: StoredQuery,
): Promise<StoredMessage | undefined> {
  const asked = unlessMissing("message", jetStream.api(`STREAM.MSG.GET.${stream}`, query));
  const answer = await unlessMissing("stream", asked);
  if (answer === undefined) return undefined;
  const { subject, seq, time, data, hdrs } = Answer.parse(answer).message;
  const headers = parseHeaders(Buffer.from(hdrs, "base64").toString("utf8"));
  return {
    sequence: seq,
    storedAtMs: Date.parse(time),
    subject,
    data: Buffer.from(data, "base64"),
    header: (name) => headers.get(name),
  };
}

/** `NATS/1.0` and a line for each; of a name that comes twice the first. */
function parseHeaders(text: string): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const line of text.split("\r\n").slice(1)) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return headers;
}
