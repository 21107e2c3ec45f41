/**
 * Signs a body so that its receiver can tell who sent it, and refuse one that was recorded and sent again.
 * Source: Standard Webhooks 1.0, symmetric signatures: HMAC-SHA256 over `<id>.<timestamp>.<body>`.
 */
import { createHmac } from "node:crypto";
import { readSecret, type SecretSource } from "#kit";

/** A secret with this prefix is base64 behind it, any other is the key as it stands. */
const ENCODED_PREFIX = "whsec_";

/** What is signed. */
export interface SignedMessage {
  /** The same on every try. */
  readonly id: string;
  readonly body: string;
  /** Epoch milliseconds; receivers refuse what is older than a few minutes. */
  readonly atMs: number;
}

/** The headers `webhook-id`, `webhook-timestamp` and `webhook-signature`. Throws SecretError. */
export function signatureHeaders(secret: SecretSource, { id, body, atMs }: SignedMessage): Record<string, string> {
  const text = readSecret(secret);
  const key = text.startsWith(ENCODED_PREFIX) ? Buffer.from(text.slice(ENCODED_PREFIX.length), "base64") : text;
  const timestamp = String(Math.floor(atMs / 1_000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}
