/** What `npm run build` makes: bundles that start, keep their distance from each other, and work on a real stream. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { parseEnvelope } from "../bridge/event/envelope.ts";
import { type Build, build } from "../build.ts";
import { startRig } from "./functions/kit/delivery/rig.ts";
import { created } from "./functions/kit/event-factory.ts";
import { createDataFolder } from "./kit/data-folder.ts";

const ROOT = join(import.meta.dirname, "..");
const VERSION = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string }).version;
const run = promisify(execFile);

const folder = createDataFolder("build");
const dist = join(folder.path, "dist");
let built: Build;

before(async () => {
  built = await build(dist);
});
after(() => folder.remove());

describe("the bundles", () => {
  const cli = (...args: string[]) => run(process.execPath, [join(dist, "cr-reactor.js"), ...args]);

  test("start, and each command tells about itself", async () => {
    assert.equal((await cli("--version")).stdout, `${VERSION}\n`);
    for (const command of ["bridge", "run", "serve", "tail", "new", "schema", "demo"])
      assert.match((await cli(command, "--help")).stdout, new RegExp(`^Usage: cr-reactor ${command} `));
  });

  test("show an event of a real stream", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const event = created({ phase: "Failed" });
    await rig.publish(event);
    const { stdout } = await cli("tail", "--since", "1h", "--count", "1", "--json", "--server", rig.nats.url);
    assert.deepEqual(parseEnvelope(stdout), event.envelope);
  });

  const apart = [
    {
      file: "bridge.js",
      has: /node_modules\/@kubernetes\/client-node\//,
      not: /^functions\/|node_modules\/(commander)\//,
    },
    {
      file: "functions.js",
      has: /^functions\/main\.ts$/,
      not: /^bridge\/(main|reflector|api-server)\.ts$|node_modules\/(@kubernetes\/client-node|undici|cloudevents|prom-client|@opentelemetry)\/|\/zod\/v4\/locales\/(?!en\.)/,
    },
    {
      file: "serving.js",
      has: /^functions\/kit\/serve\/receiver\.ts$/,
      not: /^bridge\/(main|reflector|api-server)\.ts$|node_modules\/(@kubernetes\/client-node|undici|cloudevents|prom-client|@opentelemetry|jose)\//,
    },
    {
      file: "testing.js",
      has: /^functions\/kit\/testing\/test-function\.ts$/,
      not: /^(cli\/|bridge\/main|functions\/main)|node_modules\/(@kubernetes|undici)\//,
    },
    {
      file: "actions.js",
      has: /^functions\/open-ticket\.ts$/,
      not: /^(cli\/|bridge\/(main|reflector|api-server)|functions\/main)|node_modules\/(@kubernetes|undici|nodemailer|cloudevents)\//,
    },
    { file: "index.js", has: /^functions\/kit\/define\.ts$/, not: /^(cli|bridge\/main|functions\/main)|client-node\// },
    {
      file: "cr-reactor.js",
      has: /node_modules\/commander\//,
      not: /^(bridge|functions)\/|node_modules\/(?!commander)/,
    },
  ];
  for (const { file, has, not } of apart) {
    test(`${file} loads nothing at once that belongs to another`, () => {
      const inputs = built.inputsOf(file);
      assert.ok(inputs.some((path) => has.test(path)));
      assert.deepEqual(
        inputs.filter((path) => not.test(path)),
        [],
      );
    });
  }

  test("are ASCII, of which Node keeps one byte a character", () => {
    const others = globSync("*.js", { cwd: dist }).filter((file) =>
      /[^\0-\x7f]/.test(readFileSync(join(dist, file), "utf8")),
    );
    assert.deepEqual(others, []);
  });

  for (const file of ["functions.js", "serving.js", "actions.js"])
    test(`${file} does not load the global fetch, which costs a process 9 MB`, async () => {
      const script = `await import(${JSON.stringify(join(dist, file))}); console.log(process.moduleLoadList.join())`;
      const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", script]);
      assert.doesNotMatch(stdout, /undici/);
    });

  test("go along with the licenses of what is in them", () => {
    const licenses = readFileSync(join(dist, "THIRD-PARTY-LICENSES.txt"), "utf8");
    for (const name of ["zod", "nats", "@kubernetes/client-node", "pino"])
      assert.match(licenses, new RegExp(`^${name} \\d\\S+ \\((MIT|Apache-2.0)\\)\n\n.*licen`, "mi"));
  });
});
