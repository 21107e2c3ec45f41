/**
 * An HTTP endpoint as it stands in settings: where it is, and the headers that go with each call. Secrets are named, never written.
 */
import { z } from "zod";
import { readSecret, SecretSource } from "#kit";
import { HttpUrl } from "./http-client.ts";

/** Headers that are made here, or whose values are secrets that belong into `token`. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "content-type",
  "content-length",
  "host",
  "idempotency-key",
  "traceparent",
  "tracestate",
]);
/** What a CloudEvent in binary mode, and a signature, are made of. */
const RESERVED_PREFIX = /^(ce-|webhook-)/;

const HeaderName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, "expected the name of an HTTP header")
  .refine((name) => !isReserved(name.toLowerCase()), "is set by cr-reactor; for a credential, set token");

/** An endpoint, for settings. */
export const HttpEndpoint = z.strictObject({
  url: HttpUrl,
  /** Sent as `authorization: Bearer …`. */
  token: SecretSource.optional(),
  /** Further headers; an API key of the endpoint's own comes from a secret. */
  headers: z.record(HeaderName, z.union([z.string(), SecretSource])).default({}),
});
export type HttpEndpoint = z.infer<typeof HttpEndpoint>;

/** The headers of a call. Secrets are read now, so that a rotated one needs no restart. Throws SecretError. */
export function endpointHeaders({ headers, token }: Omit<HttpEndpoint, "url">): Record<string, string> {
  const values = Object.entries(headers).map(([name, value]) => [
    name,
    typeof value === "string" ? value : readSecret(value),
  ]);
  return { ...Object.fromEntries(values), ...(token && { authorization: `Bearer ${readSecret(token)}` }) };
}

function isReserved(name: string): boolean {
  return RESERVED_HEADERS.has(name) || RESERVED_PREFIX.test(name);
}
