/**
 * Tokens of an identity provider: signature, issuer, audience and times are checked with the provider's published keys, which are
 * fetched when the first token comes, kept, and fetched again for a key that is not among them, at most every half a minute. That the
 * keys cannot be had says nothing about the token: the sender is told to come again.
 * Source: OpenID Connect Discovery 1.0; RFC 7519 (JWT), 7517 (JWK); Knative eventing, "Sender Identity with OIDC".
 */
import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { z } from "zod";
import { readSecret } from "#contract";
import { RequestRefusedError, unauthorized } from "./problem.ts";
import { type OidcAuth, SafeUrl } from "./serve-settings.ts";

/** Asymmetric ones alone: with the others whoever can check a token can make one. */
const ALGORITHMS = ["RS256", "ES256"];
/** Clocks of one cluster differ by less. */
const CLOCK_TOLERANCE_SECONDS = 5;
const FETCH_MS_MAX = 5_000;
/** When the keys could not be had. */
const RETRY_AFTER_SECONDS = "5";

const Discovery = z.looseObject({ issuer: z.string(), jwks_uri: SafeUrl });

/** Checks a token: resolves when it is good. Rejects with a RequestRefusedError: 401, or 503 without keys. */
export async function createOidcCheck(settings: OidcAuth): Promise<(token: string) => Promise<void>> {
  const { issuer, audience, subjects } = settings;
  if (settings.jwksToken !== undefined) readSecret(settings.jwksToken);
  const headers = () =>
    settings.jwksToken === undefined ? {} : { authorization: `Bearer ${readSecret(settings.jwksToken)}` };
  let finding: Promise<JWTVerifyGetKey> | undefined;
  const findOnce = () => {
    finding ??= findKeys(settings, headers).catch((error) => {
      finding = undefined;
      throw error;
    });
    return finding;
  };
  return async (token) => {
    try {
      const keys = await findOnce();
      const required = ["exp", "sub"];
      const options = { algorithms: ALGORITHMS, clockTolerance: CLOCK_TOLERANCE_SECONDS, requiredClaims: required };
      const { payload } = await jwtVerify(token, keys, { ...options, issuer, audience });
      if (subjects !== undefined && !subjects.includes(payload.sub ?? ""))
        throw new RequestRefusedError(403, `${payload.sub} may not send events: add it to serve.auth.subjects`);
    } catch (error) {
      throw asRefusal(error);
    }
  };
}

async function findKeys(
  { issuer, jwksUrl }: OidcAuth,
  headers: () => Record<string, string>,
): Promise<JWTVerifyGetKey> {
  let url = jwksUrl;
  if (url === undefined) {
    const where = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
    const signal = AbortSignal.timeout(FETCH_MS_MAX);
    const response = await fetch(where, { headers: headers(), redirect: "error", signal });
    if (!response.ok) throw new Error(`${where} answered ${response.status}`);
    const found = Discovery.parse(await response.json());
    if (found.issuer !== issuer) throw new Error(`${where} is of another issuer, ${found.issuer}`);
    url = found.jwks_uri;
  }
  // The token may be rotated, so that it is read for each request.
  const fetchKeys: typeof fetch = (input, init) =>
    fetch(input, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers() } });
  return createRemoteJWKSet(new URL(url), { timeoutDuration: FETCH_MS_MAX, [customFetch]: fetchKeys });
}

/** Which errors are the token's fault, and which the provider's. */
function asRefusal(error: unknown): RequestRefusedError {
  if (error instanceof RequestRefusedError) return error;
  const isOfToken =
    error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid);
  if (isOfToken && error.code !== "ERR_JOSE_GENERIC") return unauthorized(`the token is not taken: ${error.message}`);
  return new RequestRefusedError(
    503,
    "the keys of the identity provider cannot be had: the token cannot be checked now",
    { "retry-after": RETRY_AFTER_SECONDS },
    { cause: error },
  );
}
