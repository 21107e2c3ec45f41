/**
 * The files that a new function begins with. A test generates them, type-checks them and runs their test, against the packed package.
 */
import { groupOf, parseFieldPath, presetPhase } from "#contract";

/** What is to be made. */
export interface NewFunction {
  /** Kebab-case. */
  readonly name: string;
  readonly apiVersion: string;
  readonly kind: string;
}

/** As in the package that a user's function is written against. */
const ZOD_VERSION = "^4.0.0";
const TYPESCRIPT_VERSION = "^5.9.0";
const NODE_TYPES_VERSION = "^24.0.0";
const NODE_VERSION = ">=24.12";

/** Where this kind has its phase, as the bridge looks for it, and what it is called when things go well and when they do not. */
function phaseOf({ apiVersion, kind }: NewFunction): {
  readonly good: string;
  readonly bad: string;
  readonly fields: string;
} {
  const source = presetPhase(groupOf(apiVersion), kind);
  const condition = /^condition:(.+)$/.exec(source)?.[1];
  if (condition !== undefined)
    return { good: "True", bad: "False", fields: `status: { conditions: [{ type: "${condition}", status: phase }] }` };
  const [last, ...above] = parseFieldPath(source).toReversed();
  const field = last === "phase" ? "phase" : `${last}: phase`;
  const fields = above.reduce((below, key) => `${key}: { ${below} }`, field);
  return { good: "Running", bad: "Failed", fields };
}

/** The function: it tells an HTTP endpoint, once. */
export function functionText(made: NewFunction): string {
  const { name, apiVersion, kind } = made;
  return `/** ${name}: tells an HTTP endpoint that a ${kind} failed. */
import { defineFunction, PermanentError, phase } from "cr-reactor";
import { z } from "zod";

export default defineFunction({
  name: "${name}",
  description: "Tells an HTTP endpoint that a ${kind} failed.",
  config: z.strictObject({ url: z.url() }),
  subscription: { apiVersion: "${apiVersion}", kind: "${kind}", when: phase({ to: "${phaseOf(made).bad}" }) },
  async run({ object, change, config, step }) {
    const { namespace, name } = object.metadata;
    // A step that has succeeded is not run again when a later one fails.
    await step("tell", async ({ idempotencyKey, signal }) => {
      const response = await fetch(config.url, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": idempotencyKey },
        body: JSON.stringify({ namespace, name, was: change.transitions.phase?.from }),
        signal,
      });
      await response.body?.cancel();
      if (response.ok) return;
      const problem = \`the endpoint answered \${response.status}\`;
      // Trying again helps against 408, 429 and 5xx alone; anything else goes to the dead letters at once.
      if (response.status < 500 && ![408, 429].includes(response.status)) throw new PermanentError(problem);
      throw new Error(problem);
    });
    return \`told about \${name}\`;
  },
});
`;
}

/** Its test: what it does, what it leaves alone, and what a failure leads to. */
export function testText(made: NewFunction): string {
  const { name, kind } = made;
  const { good, bad, fields } = phaseOf(made);
  return `import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { testFunction } from "cr-reactor/testing";
import definition from "./${name}.ts";

let status = 200;
let calls: unknown[] = [];
const endpoint = createServer(async (request, response) => {
  calls.push(JSON.parse((await request.toArray()).join("")));
  response.writeHead(status).end();
});
const config = { url: "" };

before(async () => {
  await new Promise<void>((resolve) => endpoint.listen(0, "127.0.0.1", resolve));
  config.url = \`http://127.0.0.1:\${(endpoint.address() as AddressInfo).port}/\`;
});
after(() => {
  endpoint.closeAllConnections();
  endpoint.close();
});
beforeEach(() => {
  status = 200;
  calls = [];
});

const orders = (phase: string) => ({ metadata: { name: "orders", namespace: "prod" }, ${fields} });

test("tells the endpoint when a ${kind} fails", async () => {
  const result = await testFunction(definition, { config }).updated(orders("${good}"), orders("${bad}"));
  assert.equal(result.outcome, "done", result.error?.message);
  assert.deepEqual(calls, [{ namespace: "prod", name: "orders", was: "${good}" }]);
});

test("leaves other changes alone", async () => {
  const result = await testFunction(definition, { config }).updated(orders("${bad}"), orders("${good}"));
  assert.equal(result.outcome, "skipped");
  assert.deepEqual(calls, []);
});

test("is tried again while the endpoint is down, and gives up when it refuses", async () => {
  const { created } = testFunction(definition, { config });
  status = 503;
  assert.equal((await created(orders("${bad}"))).outcome, "retry");
  status = 403;
  assert.equal((await created(orders("${bad}"))).outcome, "dead-letter");
});
`;
}

/** The entry of a subscriptions file. */
export function entryText(made: NewFunction): string {
  const { name, apiVersion, kind } = made;
  return `  - name: ${name}
    function: ./${name}/${name}.ts
    apiVersion: ${apiVersion}
    kind: ${kind}
    when: { phase: { to: "${phaseOf(made).bad}" } }
    config: { url: "https://oncall.example.com/page" }
`;
}

/** A subscriptions file with that entry. */
export function subscriptionsText(made: NewFunction): string {
  return `# Which function gets which changes; its JSON Schema: cr-reactor schema subscriptions.\nsubscriptions:\n${entryText(made)}`;
}

/** A package that depends on this very version. */
export function packageText(folderName: string, version: string): string {
  const name =
    folderName
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, "-")
      .replace(/^-+|-+$/g, "") || "functions";
  const manifest = {
    name,
    private: true,
    type: "module",
    engines: { node: NODE_VERSION },
    scripts: { test: "node --test", check: "tsc" },
    dependencies: { "cr-reactor": version, zod: ZOD_VERSION },
    devDependencies: { "@types/node": NODE_TYPES_VERSION, typescript: TYPESCRIPT_VERSION },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Node runs TypeScript by leaving the types out: the options that keep to what it can. */
export function tsconfigText(): string {
  const compilerOptions = {
    target: "es2024",
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
  };
  return `${JSON.stringify({ compilerOptions }, null, 2)}\n`;
}
