/** Tokens of an identity provider, which is a local server with keys of its own. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { exportJWK, type GenerateKeyPairResult, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import type { OidcAuth } from "../../../../functions/kit/serve/serve-settings.ts";
import { updated } from "../event-factory.ts";
import { post, STRUCTURED, startServing } from "./serving.ts";

const event = updated({ phase: "Running" }, { phase: "Failed" });
const AUDIENCE = "functions";
const SENDER = "system:serviceaccount:knative-eventing:mt-broker-filter";

async function startProvider(t: TestContext) {
  const keys: Record<string, GenerateKeyPairResult> = {};
  const addKey = async (kid: string, algorithm: string) => {
    keys[kid] = await generateKeyPair(algorithm, { extractable: true });
  };
  let isUp = true;
  let claimed: string | undefined;
  const asked: (string | undefined)[] = [];
  const server = createServer(async (request, response) => {
    asked.push(request.headers.authorization);
    if (!isUp) return response.writeHead(500).end();
    const published = await Promise.all(
      Object.entries(keys).map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
    );
    const discovery = { issuer: claimed ?? issuer, jwks_uri: `${issuer}/keys` };
    return response.end(JSON.stringify(request.url === "/keys" ? { keys: published } : discovery));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await addKey("rsa", "RS256");
  await addKey("ec", "ES256");
  const claims = { iss: issuer, aud: AUDIENCE, sub: SENDER, exp: Math.floor(Date.now() / 1_000) + 600 };
  return {
    ...{ issuer, claims, keys, addKey, asked },
    setUp: (up: boolean) => (isUp = up),
    claim: (other: string) => (claimed = other),
    sign: (kid: string, changes: object = {}, algorithm = kid === "ec" ? "ES256" : "RS256") =>
      new SignJWT({ ...claims, ...changes })
        .setProtectedHeader({ alg: algorithm, kid })
        .sign(keys[kid]?.privateKey ?? assert.fail(kid)),
  };
}
type Provider = Awaited<ReturnType<typeof startProvider>>;

const past = Math.floor(Date.now() / 1_000) - 600;

describe("with an identity provider", () => {
  const rows: readonly {
    readonly name: string;
    readonly token: (provider: Provider) => Promise<string>;
    readonly status: number;
    readonly detail?: RegExp;
  }[] = [
    { name: "a token signed with RS256", token: ({ sign }) => sign("rsa"), status: 204 },
    { name: "a token signed with ES256", token: ({ sign }) => sign("ec"), status: 204 },
    {
      name: "a token for several audiences",
      token: ({ sign }) => sign("ec", { aud: ["other", AUDIENCE] }),
      status: 204,
    },
    { name: "another audience", token: ({ sign }) => sign("ec", { aud: "other" }), status: 401, detail: /"aud"/ },
    {
      name: "another issuer",
      token: ({ sign }) => sign("ec", { iss: "https://other.example.com" }),
      status: 401,
      detail: /"iss"/,
    },
    { name: "a token that is over", token: ({ sign }) => sign("ec", { exp: past }), status: 401, detail: /"exp"/ },
    {
      name: "a token without an end",
      token: ({ sign }) => sign("ec", { exp: undefined }),
      status: 401,
      detail: /"exp"/,
    },
    {
      name: "a token that is not valid yet",
      token: ({ sign, claims }) => sign("ec", { nbf: claims.exp }),
      status: 401,
      detail: /"nbf"/,
    },
    {
      name: "somebody else",
      token: ({ sign }) => sign("ec", { sub: "system:serviceaccount:dev:anybody" }),
      status: 403,
      detail: /serve\.auth\.subjects/,
    },
    {
      name: "a signature of another key under a known name",
      async token({ claims }) {
        const { privateKey } = await generateKeyPair("ES256");
        return await new SignJWT(claims).setProtectedHeader({ alg: "ES256", kid: "ec" }).sign(privateKey);
      },
      ...{ status: 401, detail: /signature/ },
    },
    {
      name: "a token that is changed",
      async token({ sign }) {
        const [header, , signature] = (await sign("ec")).split(".");
        return [header, Buffer.from('{"sub":"me"}').toString("base64url"), signature].join(".");
      },
      status: 401,
    },
    { name: "no signature at all", token: async ({ claims }) => new UnsecuredJWT(claims).encode(), status: 401 },
    {
      name: "a signature with the published key as the secret",
      token: async ({ claims, keys }) =>
        await new SignJWT(claims)
          .setProtectedHeader({ alg: "HS256", kid: "rsa" })
          .sign(Buffer.from(JSON.stringify(await exportJWK(keys["rsa"]?.publicKey as never)))),
      status: 401,
    },
    { name: "what is no token", token: async () => "abc", status: 401 },
  ];
  for (const { name, token, status, detail } of rows) {
    test(`${name}: ${status}`, async (t) => {
      const provider = await startProvider(t);
      const auth: OidcAuth = { type: "oidc", issuer: provider.issuer, audience: AUDIENCE, subjects: [SENDER] };
      const { url } = await startServing(t, { test: async () => "" }, { auth });
      const headers = { ...STRUCTURED, authorization: `Bearer ${await token(provider)}` };
      const answer = await post(url, event.payload, headers);
      assert.equal(answer.status, status, answer.detail);
      if (detail) assert.match(answer.detail ?? "", detail);
    });
  }

  test("keys are fetched once, with the token that is configured, and 503 is answered as long as they cannot be had", async (t) => {
    process.env["JWKS_TEST_TOKEN"] = "for-the-keys";
    const provider = await startProvider(t);
    const jwksToken = { env: "JWKS_TEST_TOKEN" };
    const auth: OidcAuth = { type: "oidc", issuer: provider.issuer, audience: AUDIENCE, jwksToken };
    const { url } = await startServing(t, { test: async () => "" }, { auth });
    const headers = { ...STRUCTURED, authorization: `Bearer ${await provider.sign("ec")}` };
    provider.setUp(false);
    const away = await post(url, event.payload, headers);
    assert.deepEqual([away.status, away.headers.get("retry-after")], [503, "5"]);
    provider.setUp(true);
    provider.asked.length = 0;
    const answers = await Promise.all([1, 2, 3].map(() => post(url, event.payload, headers)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [204, 204, 204],
    );
    assert.deepEqual(provider.asked, ["Bearer for-the-keys", "Bearer for-the-keys"]);
  });

  test("a provider that speaks for another issuer is not believed", async (t) => {
    const provider = await startProvider(t);
    provider.claim("https://other.example.com");
    const auth: OidcAuth = { type: "oidc", issuer: provider.issuer, audience: AUDIENCE };
    const { url, lines } = await startServing(t, { test: async () => "" }, { auth });
    const headers = { ...STRUCTURED, authorization: `Bearer ${await provider.sign("ec")}` };
    assert.equal((await post(url, event.payload, headers)).status, 503);
    assert.match(JSON.stringify(lines), /is of another issuer/);
  });
});
