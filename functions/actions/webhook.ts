/**
 * Starts a workflow at any HTTP endpoint: one POST of JSON that names the workflow, the event it is about, and its parameters.
 * The name and the `idempotency-key` are the same on every try, so that an endpoint which refuses a name it has (409) starts each
 * workflow once; one that does neither may start it again when its answer was lost.
 */

import { z } from "zod";
import { type Json, readSecret, SecretSource } from "#kit";
import { HttpUrl, httpRequest } from "./http-client.ts";

/** Headers that are made here, or whose values are secrets that belong into `token`. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "content-type",
  "content-length",
  "host",
  "idempotency-key",
]);

const HeaderName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "expected the name of an HTTP header")
  .refine((name) => !RESERVED_HEADERS.has(name.toLowerCase()), "is set by cr-reactor; for a credential, set token");

/** An endpoint, for settings. */
export const HttpTarget = z.strictObject({
  type: z.literal("http"),
  url: HttpUrl,
  /** Sent as `authorization: Bearer …`. */
  token: SecretSource.optional(),
  /** Further headers; an API key of the endpoint's own comes from a secret. */
  headers: z.record(HeaderName, z.union([z.string(), SecretSource])).default({}),
});
export type HttpTarget = z.infer<typeof HttpTarget>;

/** What the endpoint gets. */
export interface WorkflowOrder {
  /** The workflow's name: a DNS label (RFC 1123), the same on every try. */
  readonly id: string;
  /** Which event it is about. */
  readonly event: Readonly<Record<string, string | null>>;
  readonly parameters: Readonly<Record<string, Json>>;
}

/** How the call is made; see HttpRequest. */
export interface WebhookOptions {
  readonly idempotencyKey: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
}

/** Orders the workflow. Secrets are read now, so that a rotated one needs no restart. Throws as httpRequest and readSecret do. */
export async function orderWorkflow(
  target: HttpTarget,
  order: WorkflowOrder,
  options: WebhookOptions,
): Promise<"started" | "already started"> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  for (const [name, value] of Object.entries(target.headers)) {
    headers[name] = typeof value === "string" ? value : readSecret(value);
  }
  if (target.token) headers["authorization"] = `Bearer ${readSecret(target.token)}`;
  const { status } = await httpRequest({
    ...options,
    url: target.url,
    method: "POST",
    headers,
    body: JSON.stringify(order),
    acceptedStatuses: [409],
  });
  return status === 409 ? "already started" : "started";
}
