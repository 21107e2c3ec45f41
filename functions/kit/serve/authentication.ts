/**
 * Who may send events: whoever knows the token, or whose token an identity provider signed. Asked before anything of the body is
 * read. Secrets are read when they are compared, so a rotated one needs no restart, and compared in the same time whatever they are.
 */
import { isSameSecret, readSecret } from "#contract";
import type { RequestHeaders } from "./cloud-event-request.ts";
import { unauthorized } from "./problem.ts";
import type { ServeAuth } from "./serve-settings.ts";

/** Resolves when the request may pass; rejects with a RequestRefusedError (401, or 503 when it cannot be told), or a SecretError. */
export type Authentication = (headers: RequestHeaders) => Promise<void>;

/** More is no token. */
const TOKEN_LENGTH_MAX = 8_192;

/** Makes the check. Throws SecretError when the secret cannot be read, so that it is told at the start. */
export async function createAuthentication(settings: ServeAuth | undefined): Promise<Authentication> {
  if (settings === undefined) return async () => undefined;
  if (settings.type === "oidc") {
    const { createOidcCheck } = await import("./oidc.ts");
    const check = await createOidcCheck(settings);
    return async (headers) => await check(bearerOf(headers));
  }
  const { token: source, header } = settings;
  readSecret(source);
  return async (headers) => {
    const given = header === undefined ? bearerOf(headers) : onlyValue(headers, header.toLowerCase());
    if (!isSameSecret(given, readSecret(source))) throw unauthorized("the token is another one");
  };
}

function bearerOf(headers: RequestHeaders): string {
  const value = onlyValue(headers, "authorization");
  const token = /^Bearer +([^\s]+)$/i.exec(value)?.[1];
  if (token === undefined) throw unauthorized("authorization: expected Bearer and a token", "invalid_request");
  return token;
}

function onlyValue(headers: RequestHeaders, name: string): string {
  const [value, ...others] = headers[name] ?? [];
  if (value === undefined || value === "") throw unauthorized(`${name}: is missing`, "invalid_request");
  if (others.length > 0 || value.length > TOKEN_LENGTH_MAX) throw unauthorized(`${name}: is no single token`);
  return value;
}
