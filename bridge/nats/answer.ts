/** What JetStream's API answers. Source: JetStream API reference, ADR-1 (errors). */
import { JetStreamApiError } from "./jetstream-error.ts";

/** A reply's JSON. Throws JetStreamApiError for an error answer and for the header-only answer "no responders". */
export function readAnswer<T>(reply: { readonly status: number; readonly data: Uint8Array }, subject: string): T {
  if (reply.status === 503) {
    throw new JetStreamApiError(`nobody answers ${subject}: no stream takes it, or JetStream is off`, 503, 0);
  }
  const { buffer, byteOffset, length } = reply.data;
  const answer = JSON.parse(Buffer.from(buffer, byteOffset, length).toString("utf8")) as {
    error?: { code: number; err_code?: number; description: string };
  };
  if (answer.error !== undefined) {
    const { code, err_code = 0, description } = answer.error;
    throw new JetStreamApiError(`${description} (${subject}, error ${err_code})`, code, err_code);
  }
  return answer as T;
}
