/**
 * The `serve` part of a subscriptions file: where to listen for CloudEvents over HTTP, and who may send them.
 */
import { z } from "zod";
import { SecretSource } from "#contract";

/** A token goes over this connection, or the keys that tokens are checked with: in the open only to this machine. */
export const SafeUrl = z.url({ protocol: /^https?$/, error: "expected an https URL" }).refine((text) => {
  const { protocol, hostname } = new URL(text);
  return protocol === "https:" || isLoopback(hostname);
}, "expected https: keys that came over http could be anybody's");

/** A secret that both sides know, sent as `Authorization: Bearer <token>`, or alone in the header that is named. */
const TokenAuth = z.strictObject({
  type: z.literal("token"),
  token: SecretSource,
  /** Another header than `authorization`, such as `x-webhook-token`. */
  header: z
    .string()
    .regex(/^[a-z0-9-]+$/i, "expected the name of a header, such as x-webhook-token")
    .optional(),
});

/** A token that an identity provider signed: a JWT (RS256 or ES256), as Knative sends it to an `audience`. */
const OidcAuth = z.strictObject({
  type: z.literal("oidc"),
  /** What the token's `iss` must be; its keys are found at `<issuer>/.well-known/openid-configuration`. */
  issuer: SafeUrl,
  /** What the token's `aud` must have. */
  audience: z.string().min(1),
  /** Who may send, as in the token's `sub`: `system:serviceaccount:<namespace>:<name>`. Left out: everybody the issuer knows. */
  subjects: z.array(z.string().min(1)).min(1).optional(),
  /** Where the keys are, if the issuer does not say so itself. */
  jwksUrl: SafeUrl.optional(),
  /** Sent when the keys are asked for: a cluster's API server gives them to nobody unknown. */
  jwksToken: SecretSource.optional(),
});
export type OidcAuth = z.infer<typeof OidcAuth>;

export const ServeAuth = z.discriminatedUnion("type", [TokenAuth, OidcAuth]);
export type ServeAuth = z.infer<typeof ServeAuth>;

/** All of it may be left out; the command line's options come first, `PORT` before `port`'s default. */
export const ServeSettings = z.strictObject({
  /** An address of this machine; default 127.0.0.1, which nobody else reaches. `0.0.0.0` or `::` are all of them. */
  host: z.string().min(1).optional(),
  /** Default: PORT (Knative sets it), else 8080; 0 picks a free one. */
  port: z.int().min(0).max(65_535).optional(),
  /** Left out: everybody who reaches the port may send. */
  auth: ServeAuth.optional(),
});
export type ServeSettings = z.infer<typeof ServeSettings>;

/** Whether an address is this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(host);
}
