/** The README is true: its configuration parses, its commands exist with these options, its links lead somewhere. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { BridgeConfig } from "../bridge/config.ts";
import { parseYamlConfig } from "../bridge/yaml-config.ts";
import { Filter, type FunctionDefinition, parseSubscriptions } from "../functions/kit/kit.ts";
import { BUILT_IN_FUNCTIONS } from "../functions/main.ts";

const ROOT = join(import.meta.dirname, "..");
const README = readFileSync(join(ROOT, "README.md"), "utf8");
const blocks = [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = "", text = ""]) => ({
  language,
  text,
}));
const run = promisify(execFile);

const yaml = (name: string) =>
  blocks.find(({ language, text }) => language === "yaml" && text.startsWith(`# ${name}\n`))?.text ?? "";
const commandLines = blocks.filter(({ language }) => language === "sh").flatMap(({ text }) => text.trim().split("\n"));

describe("the README", () => {
  test("has a bridge.yaml that the bridge accepts", () => {
    assert.equal(parseYamlConfig(BridgeConfig, yaml("bridge.yaml"), "README.md").resources.length, 1);
  });

  test("has a subscriptions.yaml that its functions accept", async () => {
    const { subscriptions } = parseSubscriptions(yaml("subscriptions.yaml"), "README.md");
    assert.equal(subscriptions.length, 3);
    for (const subscription of subscriptions) {
      const load = BUILT_IN_FUNCTIONS[subscription.function];
      if (load === undefined) continue;
      const { config } = (await load()).default as FunctionDefinition;
      assert.equal(config.safeParse(subscription.config).error, undefined, subscription.name);
    }
  });

  test("shows filters that subscriptions accept", () => {
    const filters = blocks.filter(({ language, text }) => language === "yaml" && text.startsWith("when:"));
    assert.ok(filters.length > 0);
    for (const { text } of filters) parseYamlConfig(z.strictObject({ when: Filter }), text, "README.md");
  });

  test("shows times and silences that a subscriptions file accepts", () => {
    const timed = blocks.filter(({ language, text }) => language === "yaml" && /^silences:/m.test(text));
    assert.equal(timed.length, 1);
    for (const { text } of timed) assert.equal(parseSubscriptions(text, "README.md").subscriptions.length, 2);
  });

  test("of functions has a serve part that is accepted", () => {
    const functions = readFileSync(join(ROOT, "functions/README.md"), "utf8");
    const serve = /^```yaml\n(serve:\n.*?)^```$/ms.exec(functions)?.[1] ?? "";
    assert.equal(parseSubscriptions(yaml("subscriptions.yaml") + serve, "README.md").serve?.auth?.type, "token");
    const other = serve.replace(/^ {2}auth:.*\n {2}# /m, "  ");
    assert.equal(parseSubscriptions(yaml("subscriptions.yaml") + other, "README.md").serve?.auth?.type, "oidc");
  });

  test("names scripts that package.json has", () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const named = [...README.matchAll(/npm (?:run ([\w-]+)|(test))/g)].map(
      ([, script, plain]) => script ?? plain ?? "",
    );
    assert.ok(named.length >= 3);
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(scripts, name)),
      [],
    );
  });

  test("shows commands that exist, with the options they have", async () => {
    const commands = commandLines.filter((line) => line.startsWith("cr-reactor "));
    assert.ok(commands.length >= 5);
    for (const line of commands) {
      const [, name = "", ...rest] = line.split(" ");
      const below = name === "silence" ? rest.slice(0, 1) : [];
      const { stdout } = await run(process.execPath, [join(ROOT, "cli/main.ts"), name, ...below, "--help"]);
      for (const option of rest.filter((word) => word.startsWith("--")))
        assert.ok(stdout.includes(option), `${line}: ${option}`);
    }
  });

  test("names the versions that the tests really run on", () => {
    const row = (name: string) => new RegExp(`^\\| ${name} \\| (\\d[\\d.]*)`, "m").exec(README)?.[1];
    const pins = readFileSync(join(ROOT, "test/kit/binary.ts"), "utf8");
    const pinned = (after: string) => pins.slice(pins.indexOf(after)).match(/version: "(\d+\.\d+)\./)?.[1];
    assert.equal(row("Kubernetes"), pinned('"kube-apiserver": {'));
    assert.equal(row("nats-server"), pinned('"nats-server": {'));
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      devDependencies: Record<string, string>;
    };
    assert.equal(row("Node"), devDependencies["node"]?.match(/\d+/)?.[0]);
  });

  test("links to files that are there", () => {
    const links = [...README.matchAll(/\]\(([^)#]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !target.includes("://"));
    assert.deepEqual(
      links.filter((target) => !existsSync(join(ROOT, target))),
      [],
    );
  });
});
