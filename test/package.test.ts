/**
 * The npm package as a new user meets it: packed, installed into an empty folder, imported by the function that the README shows, which is
 * type-checked against the published declarations and run on a real NATS server.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, delimiter, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import type { SubscriptionsFile } from "../functions/kit/kit.ts";
import { startRig } from "./functions/kit/delivery/rig.ts";
import { updated } from "./functions/kit/event-factory.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import { databaseCrd } from "./kit/database-crd.ts";
import { startServer } from "./kit/server-process.ts";
import { until } from "./kit/until.ts";

const ROOT = join(import.meta.dirname, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const { name, version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as Record<string, string>;
const block = (opening: RegExp) =>
  [...README.matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, content = ""]) => content).find((each) => opening.test(each));

/** The function of the README, under the name that its subscriptions.yaml gives it. */
const FUNCTION = block(/\bdefineFunction\(/) ?? assert.fail("the README shows no function");
/** Its test. */
const FUNCTION_TEST = block(/\btestFunction\b/) ?? assert.fail("the README shows no test");
const SUBSCRIPTIONS = parse(block(/^# subscriptions\.yaml\n/) ?? "") as Pick<SubscriptionsFile, "subscriptions">;
const SUBSCRIPTION =
  SUBSCRIPTIONS.subscriptions.find((each) => each.function.startsWith("./")) ?? assert.fail("no function of one's own");

const [, TYPED_FUNCTION = assert.fail("functions/README.md shows no typed function")] =
  /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, "functions/README.md"), "utf8")) ?? [];

const [, ACTING_FUNCTION = assert.fail("functions/actions/README.md shows no function of one's own")] =
  /^```ts\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, "functions/actions/README.md"), "utf8")) ?? [];

/** A function that gives up at once. */
const REFUSAL = `import { defineFunction, PermanentError } from "cr-reactor";
import { z } from "zod";

export default defineFunction({
  name: "refuse",
  description: "Refuses everything.",
  config: z.object({}),
  async run() {
    throw new PermanentError("never");
  },
});
`;

const TEST_FILE = SUBSCRIPTION.function.replace(/\.ts$/, ".test.ts");

const workshop = createDataFolder("package");
const user = createDataFolder("user");
const env = {
  ...process.env,
  PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter),
  npm_config_prefer_offline: "true",
};
/** A test runner that is started by one must not take itself for its child. */
const { NODE_TEST_CONTEXT: _, ...ofItsOwn } = env as NodeJS.ProcessEnv;
const run = promisify(execFile);
/** What the package holds, as npm lists it. */
let files: readonly string[];

before(async () => {
  const left = new Set(["node_modules", ".git", "dist"]);
  const isCopied = (path: string) => !left.has(basename(path));
  cpSync(ROOT, workshop.path, { recursive: true, filter: (path) => path === ROOT || isCopied(path) });
  symlinkSync(join(ROOT, "node_modules"), join(workshop.path, "node_modules"));
  await run("npm", ["pack", "--pack-destination", user.path], { cwd: workshop.path, env });
  const tarball = `./${name}-${version}.tgz`;
  files = (await run("tar", ["--list", "--file", tarball], { cwd: user.path })).stdout.trim().split("\n");
  writeFileSync(join(user.path, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  await run("npm", ["install", tarball, "--no-audit", "--no-fund"], { cwd: user.path, env });
  writeFileSync(join(user.path, SUBSCRIPTION.function), FUNCTION);
  writeFileSync(join(user.path, TEST_FILE), FUNCTION_TEST);
  writeFileSync(join(user.path, "refuse.ts"), REFUSAL);
});
after(() => {
  workshop.remove();
  user.remove();
});

describe("the npm package", () => {
  test("holds the build, what the demo needs, and texts", () => {
    const known =
      /^package\/(dist\/.*\.(js|d\.ts|txt|cdx\.json)|test\/kit\/servers\/(go\.(mod|sum)|README\.md)|package\.json|[A-Z]+(\.md)?)$/;
    assert.deepEqual(
      files.filter((path) => !known.test(path)),
      [],
    );
    for (const path of [
      "dist/cr-reactor.js",
      "dist/index.js",
      "dist/index.d.ts",
      "dist/actions.d.ts",
      "README.md",
      "LICENSE",
    ])
      assert.ok(files.includes(`package/${path}`), path);
  });

  test("brings the command", async () => {
    const { stdout } = await run("npx", ["--no-install", "cr-reactor", "--version"], { cwd: user.path, env });
    assert.equal(stdout, `${version}\n`);
  });

  /** What the compiler says, with everything strict and the declarations of libraries checked too. */
  const tsc = async (...paths: readonly string[]) => {
    const options = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    options.push("--allowImportingTsExtensions", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess");
    const types = ["--typeRoots", join(ROOT, "node_modules/@types")];
    const args = [join(ROOT, "node_modules/typescript/bin/tsc"), ...options, ...types, ...paths];
    const said = run(process.execPath, args, { cwd: user.path });
    return await said.then(
      () => "",
      ({ stdout }: { stdout: string }) => stdout,
    );
  };

  test("has types that functions without mistakes fit", async () => {
    assert.equal(await tsc(SUBSCRIPTION.function, TEST_FILE, "refuse.ts"), "");
  });

  test("has types that tell mistakes in a filter, in settings and in the change", async () => {
    const mistakes = [
      { right: "to:", wrong: "too:", file: "filter.ts" },
      { right: "config.url", wrong: "config.uri", file: "settings.ts" },
      { right: "transitions.phase", wrong: "transitions.fase", file: "change.ts" },
    ];
    for (const { right, wrong, file } of mistakes) {
      assert.ok(FUNCTION.includes(right), right);
      writeFileSync(join(user.path, file), FUNCTION.replace(right, wrong));
    }
    const errors = await tsc(...mistakes.map(({ file }) => file));
    for (const { file, wrong } of mistakes) {
      const word = /\w+(?=:?$)/.exec(wrong)?.[0];
      assert.match(errors, new RegExp(`^${file}\\(.*'${word}' does not exist`, "m"));
    }
  });

  test("tests functions: the README's test passes", async () => {
    const { stdout } = await run(process.execPath, ["--test", TEST_FILE], { cwd: user.path, env: ofItsOwn });
    assert.match(stdout, /^# fail 0|^ℹ fail 0/m);
  });

  test("makes a function whose test passes, whose types fit and which its subscription starts", async (t) => {
    const folder = join(user.path, "fresh");
    mkdirSync(folder);
    const command = join(user.path, "node_modules/.bin/cr-reactor");
    const cli = (...args: string[]) => run(process.execPath, [command, ...args], { cwd: folder, env });
    await cli("new", "function", "tell-somebody");
    await cli("new", "function", "tell-more", "--kind", "Certificate.cert-manager.io/v1");
    const { stdout } = await run(process.execPath, ["--test"], { cwd: folder, env: ofItsOwn });
    assert.match(stdout, /^(#|ℹ) pass 6$/m);
    const compiler = [join(ROOT, "node_modules/typescript/bin/tsc"), "--typeRoots", join(ROOT, "node_modules/@types")];
    await run(process.execPath, compiler, { cwd: folder });
    const taken = await cli("new", "function", "tell-more").catch((error: { code: number; stderr: string }) => error);
    assert.match(taken.stderr, /tell-more\.ts is there already/);
    const serving = await startServer({
      name: "cr-reactor serve",
      command: process.execPath,
      args: () => [command, "serve", "--subscriptions", join(folder, "subscriptions.yaml"), "--port", "0"],
      folder: createDataFolder("serve"),
      isReady: /"listening for CloudEvents"/,
    });
    t.after(() => serving.stop());
    assert.match(serving.logTail(), /"subscriptions":\["tell-somebody"\]/);
  });

  test("lends the built-in functions: the example of the actions' README compiles and loads, and a wrong setting does not", async () => {
    writeFileSync(join(user.path, "acting.ts"), ACTING_FUNCTION);
    writeFileSync(join(user.path, "misspelt.ts"), ACTING_FUNCTION.replace("botToken", "botTokn"));
    assert.equal(await tsc("acting.ts"), "");
    assert.match(await tsc("misspelt.ts"), /^misspelt\.ts\(.*'botTokn' does not exist/m);
    await run(process.execPath, ["acting.ts"], { cwd: user.path, env: ofItsOwn });
  });

  test("writes the module of a kind, with which the function of the functions' README compiles, and a wrong path does not", async () => {
    writeFileSync(join(user.path, "crd.yaml"), stringify(databaseCrd));
    const args = ["--no-install", "cr-reactor", "types", "--crd", "crd.yaml", "--output", "database.ts"];
    await run("npx", args, { cwd: user.path, env });
    writeFileSync(join(user.path, "scaled-up.ts"), TYPED_FUNCTION);
    writeFileSync(join(user.path, "mistaken.ts"), TYPED_FUNCTION.replace("spec.replicas", "spec.replcas"));
    assert.equal(await tsc("--allowImportingTsExtensions", "scaled-up.ts"), "");
    const errors = await tsc("--allowImportingTsExtensions", "mistaken.ts");
    assert.match(errors, /^mistaken\.ts\(.*Did you mean '"spec\.replicas"'\?/m);
  });

  test("runs functions: each event once, and what they refuse becomes a dead letter", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const onCall = await startOnCall();
    t.after(() => onCall.close());
    const refusal = { ...SUBSCRIPTION, name: "refuse", function: "./refuse.ts", config: {} };
    const subscriptions = [{ ...SUBSCRIPTION, config: { url: onCall.url } }, refusal];
    const file = join(user.path, "subscriptions.yaml");
    writeFileSync(file, stringify({ nats: { servers: [rig.nats.url] }, subscriptions }));
    const functions = await startServer({
      name: "cr-reactor run",
      command: process.execPath,
      args: () => [join(user.path, "node_modules/.bin/cr-reactor"), "run", "--subscriptions", file],
      folder: createDataFolder("run"),
      isReady: /"consumer created"/,
      stopMsMax: 15_000,
    });
    t.after(() => functions.stop());
    await until(async () => (await rig.jetStream.api<{ total: number }>("CONSUMER.NAMES.CR_EVENTS")).total === 2);
    const event = updated({ phase: "Running" }, { phase: "Failed" });
    await rig.publish(event);
    await rig.untilAcked(SUBSCRIPTION.name);
    await rig.untilAcked("refuse");
    const [call] = onCall.calls;
    assert.equal(onCall.calls.length, 1);
    assert.deepEqual(JSON.parse(call?.body ?? ""), { database: "orders", was: "Running" });
    assert.equal(call?.headers["idempotency-key"], `${SUBSCRIPTION.name}/${event.envelope.id}`);
    const letters = await rig.deadLetters();
    assert.equal(letters.length, 1);
    assert.match(JSON.stringify(letters), /never/);
    assert.match(functions.logTail(), /"attempt":1\b/);
    assert.doesNotMatch(functions.logTail(), /"attempt":2\b/);
  });
});

/** The service that the README's function calls. */
async function startOnCall() {
  const calls: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = [];
  const server = createServer(async (request, response) => {
    calls.push({ headers: request.headers, body: await text(request) });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    calls,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/page`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
