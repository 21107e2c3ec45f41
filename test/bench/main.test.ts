/** `npm run bench` as somebody types it. What it measures is not judged here: CI runs all of it, small. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { needNats } from "../kit/shared-kube.ts";
import { BEGIN, END } from "./readme.ts";

const README = readFileSync(join(import.meta.dirname, "README.md"), "utf8");

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(import.meta.dirname, "main.ts"), ...args], (error, stdout, stderr) => {
      resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

describe("npm run bench", () => {
  test("tells its options and scenarios, which are those of the README", async () => {
    const { code, stdout } = await bench("--help");
    assert.equal(code, 0);
    const named = [...README.matchAll(/ (--[a-z][a-z-]+)/g)].map(([, option = ""]) => option);
    assert.deepEqual(
      named.filter((option) => !stdout.includes(option)),
      [],
    );
    const scenarios = [...(stdout.split("Scenarios:\n")[1]?.matchAll(/^ {2}(\w+)/gm) ?? [])].map(([, name]) => name);
    assert.ok(scenarios.length > 4);
    for (const name of scenarios) assert.match(README, new RegExp(`^\\| ${name} \\|`, "m"));
  });

  test("has a place for its figures in the README", () => {
    assert.ok(README.indexOf(BEGIN) > 0 && README.indexOf(END) > README.indexOf(BEGIN));
  });

  const refused = [
    { args: ["--only", "speed"], says: /no scenario "speed"; there are capture, drain/ },
    { args: ["--rounds", "none"], says: /--rounds none: expected a whole number/ },
    { args: ["--rounds", "1.5"], says: /--rounds 1.5: expected a whole number/ },
    { args: ["--fast"], says: /--fast/ },
    { args: ["diff"], says: /diff/ },
  ];
  for (const { args, says } of refused)
    test(`refuses ${args.join(" ")} at once, and says why`, async () => {
      const { code, stdout, stderr } = await bench(...args);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, says);
    });

  test("prints every measurement as JSON, and what came of the targets", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const { code, stdout, stderr } = await bench("--quick", "--only", "diff", "--json");
    assert.equal(code, 0, stderr);
    const { measurements, targets, facts } = JSON.parse(stdout);
    assert.deepEqual(new Set(measurements.map(({ peer }: { peer: string }) => peer)).size, 4);
    assert.ok(measurements.every(({ value }: { value: number }) => value > 0));
    assert.ok(targets.some(({ result }: { result: string }) => result !== "not measured"));
    assert.match(facts.versions.Node, /^\d+\./);
  });
});
