/** `cr-reactor types`: the same module from a file, a cluster and NATS, made to be committed and compared. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { reduceSchema } from "../../bridge/schema/kind-schema-reduction.ts";
import { renderTypes } from "../../cli/types-module.ts";
import { openBridgeScene } from "../journey/bridge-scene.ts";
import { databaseCrd } from "../kit/database-crd.ts";
import { openEmbedded } from "../kit/embedded-kube.ts";
import { gadgetCrd } from "../kit/gadget-crd.ts";
import { until } from "../kit/until.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const GENERATED = join(import.meta.dirname, "../functions/kit/schema/generated/gadget.ts");
const DOOR = '"../../../../../functions/door.ts"';

async function types(...args: readonly string[]) {
  const child = spawn(process.execPath, [CLI, "types", ...args], { env: { ...process.env, NO_COLOR: "1" } });
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  return { code, out, err };
}

function folderWith(t: TestContext, ...crds: readonly object[]) {
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-types-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const crd = join(folder, "gadget-crd.yaml");
  writeFileSync(crd, crds.map((each) => stringify(each)).join("---\n"));
  return { crd, output: join(folder, "gadget.ts") };
}

/** Every map's entries the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, reversed(each)]),
  );
}

describe("cr-reactor types", () => {
  test("writes the module that the tests of the kit compile", async (t) => {
    const { crd, output } = folderWith(t, gadgetCrd);
    assert.deepEqual(await types("Gadget", "--crd", crd, "--output", output), {
      code: 0,
      out: "",
      err: `${output}: Gadget odd.example.com/v1\n`,
    });
    assert.equal(readFileSync(output, "utf8").replace('"cr-reactor"', DOOR), readFileSync(GENERATED, "utf8"));
  });

  test("writes the same whatever the order of the fields, and without a word when nothing is new", async (t) => {
    const { crd, output } = folderWith(t, reversed(gadgetCrd) as object);
    await types("--crd", crd, "--output", output);
    assert.equal(readFileSync(output, "utf8").replace('"cr-reactor"', DOOR), readFileSync(GENERATED, "utf8"));
    assert.match((await types("--crd", crd, "--output", output)).err, /as before/);
  });

  test("--check says with its exit code whether the file is what the definition says", async (t) => {
    const { crd, output } = folderWith(t, gadgetCrd);
    const check = () => types("--crd", crd, "--output", output, "--check");
    const missing = await check();
    assert.equal(missing.code, 1);
    assert.match(
      missing.err,
      /does not exist: make it with cr-reactor types Gadget --api-version v1 --crd gadget-crd\.yaml --output gadget\.ts/,
    );
    await types("--crd", crd, "--output", output);
    assert.deepEqual(await check(), { code: 0, out: "", err: "" });
    writeFileSync(output, readFileSync(output, "utf8").replace("z.int()", "z.number()"));
    assert.equal((await check()).code, 1);
    assert.doesNotMatch(readFileSync(output, "utf8"), /keep: z\.int\(\)/, "nothing was written");
  });

  test("overwrites nobody else's file, unless it is told to", async (t) => {
    const { crd, output } = folderWith(t, gadgetCrd);
    writeFileSync(output, "export const mine = 1;\n");
    const refused = await types("--crd", crd, "--output", output);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /was not written by this command: choose another name, or overwrite it with --force/);
    assert.equal(readFileSync(output, "utf8"), "export const mine = 1;\n");
    assert.equal((await types("--crd", crd, "--output", output, "--force")).code, 0);
  });

  test("chooses among several versions and kinds of a file", async (t) => {
    const { crd } = folderWith(t, gadgetCrd, databaseCrd);
    assert.match(
      (await types("--crd", crd)).err,
      /there are several kinds in .*: name one of Gadget\.odd\.example\.com, Database\.demo\.example\.com/,
    );
    assert.match((await types("gadgts", "--crd", crd)).err, /no kind "gadgts" in .*did you mean "Gadget"/);
    assert.match((await types("databases", "--crd", crd)).out, /kind: "Database"/);
    const beta = await types("gadgets.odd.example.com", "--crd", crd, "--api-version", "v1beta1");
    assert.match(
      beta.out,
      /apiVersion: "odd\.example\.com\/v1beta1",\n {2}kind: "Gadget",\n {2}schema: z\.looseObject\(\{\}\)/,
    );
    assert.match(
      (await types("Gadget", "--crd", crd, "--api-version", "v3")).err,
      /has the versions v1beta1, v1 in .*: v3 is none of them/,
    );
  });

  test("--check without --output is a mistake in the command", async () =>
    assert.equal((await types("--check")).code, 2));

  test("writes the same from a cluster and from NATS", async (t) => {
    const { client, kubeconfigPath } = await openEmbedded(t);
    await client.applyCrd(gadgetCrd as unknown as typeof databaseCrd);
    const withoutHeader = (text: string) => text.slice(text.indexOf("import"));
    const expected = withoutHeader(readFileSync(GENERATED, "utf8").replace(DOOR, '"cr-reactor"'));
    const cluster = await types("gadgets", "--kubeconfig", kubeconfigPath);
    assert.equal(withoutHeader(cluster.out), expected, cluster.err);
    const scene = await openBridgeScene(t, kubeconfigPath);
    if (scene === undefined) return;
    assert.match(
      (await types("Gadget", "--server", scene.nats.url)).err,
      /no bridge has published a schema on this NATS/,
    );
    const bridge = scene.startBridge({ resources: [{ apiVersion: "odd.example.com/v1", kind: "Gadget" }] });
    await until(() => bridge.lines.some(({ msg }) => /the schema of Gadget .* is published/.test(msg)));
    const nats = await types("Gadget", "--server", scene.nats.url);
    assert.equal(withoutHeader(nats.out), expected, nats.err);
    await bridge.stop();
  });
});

describe("a module", () => {
  const rendered = (kind: string, spec: object) =>
    renderTypes({
      apiVersion: "v1",
      kind,
      schema: reduceSchema({ properties: { spec } }),
      command: "cr-reactor types */ x",
    });
  const rows = [
    {
      name: "of a kind with a name of the language",
      text: rendered("default", {}),
      expected: /export const Kinddefault = /,
    },
    { name: "whose command would end the comment", text: rendered("A", {}), expected: / \*\\\/ x\n \*\/\n/ },
    { name: "whose kind would end it", text: rendered("*\u0001/x", {}), expected: /^\/\*\*\n \* \*\\\/x of v1,/ },
    {
      name: "with a place that contains itself",
      text: rendered("A", { type: "array" }),
      expected: /spec: z\.array\(z\.unknown\(\)\)/,
    },
    {
      name: "with values that are no text",
      text: rendered("A", { enum: [null, 1, "a"] }),
      expected: /z\.literal\(\["a", 1, null\]\)/,
    },
    {
      name: "with values that are objects",
      text: rendered("A", { enum: [{}] }),
      expected: /spec: z\.unknown\(\)\.optional\(\)/,
    },
  ];
  for (const { name, text, expected } of rows) test(name, () => assert.match(text, expected));
});
