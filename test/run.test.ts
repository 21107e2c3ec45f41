/** The runner's promises: its exit code and its last line, for folders of small test files. No server is installed here. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { createDataFolder } from "./kit/data-folder.ts";

const node = `import { test } from "node:test";`;
const kit = `import { needKubectl, sharedKube } from ${JSON.stringify(import.meta.resolve("./kit/shared-kube.ts"))};`;
const passing = `${node} test("passes", () => {});`;
const failing = `${node} test("fails", () => { throw new Error("as it should"); });`;
const kubeTest = `${node} ${kit} test("asks", async (t) => { if (await sharedKube(t)) throw new Error("there is none"); });`;
const kubectlTest = `${node} ${kit} test("asks", async (t) => { if (await needKubectl(t)) throw new Error("there is none"); });`;

interface Row {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly ci?: boolean;
  /** The last line of standard output, or what standard error says where nothing was run. */
  readonly expected: RegExp;
  readonly exitCode: number;
}

const rows: Row[] = [
  {
    name: "all files are run and counted",
    files: { "a.test.ts": passing, "b.test.ts": passing, "b.ts": failing },
    expected: /^2 passed, 0 failed, 0 skipped$/,
    exitCode: 0,
  },
  {
    name: "a failed test fails the run",
    files: { "a.test.ts": passing, "b.test.ts": failing },
    expected: /^1 passed, 1 failed, 0 skipped$/,
    exitCode: 1,
  },
  {
    name: "a file that cannot be loaded fails the run",
    files: { "a.test.ts": passing, "b.test.ts": `import "./no-such-file.ts";` },
    expected: /^1 passed, 1 failed, 0 skipped$/,
    exitCode: 1,
  },
  {
    name: "a skipped test is counted with its reason",
    files: { "a.test.ts": `${passing} test("is skipped", { skip: "no moon" }, () => {});` },
    expected: /^1 passed, 0 failed, 1 skipped \(no moon\)$/,
    exitCode: 0,
  },
  {
    name: "a pattern selects files by a part of their path",
    files: { "good.test.ts": passing, "bad.test.ts": failing },
    args: ["good"],
    expected: /^1 passed, 0 failed, 0 skipped$/,
    exitCode: 0,
  },
  {
    name: "a pattern that selects nothing is an error",
    files: { "a.test.ts": passing },
    args: ["nothing-like-it"],
    expected: /no test file in .* has nothing-like-it in its path/,
    exitCode: 1,
  },
  {
    name: "a missing server is a skip on a developer's machine",
    files: { "a.test.ts": passing, "b.test.ts": kubeTest },
    expected:
      /^1 passed, 0 failed, 1 skipped \(kube-apiserver is missing: install Go 1\.26 or newer, or set KUBEBUILDER_ASSETS.*\)$/,
    exitCode: 0,
  },
  {
    name: "a missing server that only an imported file needs is a skip too",
    files: { "a.test.ts": `import "./world.ts"; ${passing}`, "world.ts": kubeTest },
    expected: /^1 passed, 0 failed, 1 skipped \(kube-apiserver is missing/,
    exitCode: 0,
  },
  {
    name: "a missing kubectl is a skip on a developer's machine",
    files: { "a.test.ts": passing, "b.test.ts": kubectlTest },
    expected:
      /^1 passed, 0 failed, 1 skipped \(kubectl is missing: install Python 3 with pip, or Go 1\.26 or newer.*\)$/,
    exitCode: 0,
  },
  {
    name: "a missing kubectl fails the run in CI",
    files: { "a.test.ts": passing, "b.test.ts": kubectlTest },
    ci: true,
    expected: /kubectl is missing: .*Tried:.*PATH: no kubectl.*go is not on PATH/s,
    exitCode: 1,
  },
  {
    name: "a missing server fails the run in CI",
    files: { "a.test.ts": passing, "b.test.ts": kubeTest },
    ci: true,
    expected: /kube-apiserver is missing: .*Tried:.*go is not on PATH/s,
    exitCode: 1,
  },
];

for (const { name, files, args = [], ci = false, expected, exitCode } of rows) {
  test(name, async (t) => {
    const result = await runRunner(t, files, args, ci);
    const lastLine = result.stdout.trimEnd().split("\n").at(-1) ?? "";
    assert.match(lastLine === "" ? result.stderr : lastLine, expected);
    assert.equal(result.exitCode, exitCode, result.stdout + result.stderr);
  });
}

async function runRunner(t: TestContext, files: Row["files"], args: readonly string[], ci: boolean) {
  const folder = createDataFolder("runner");
  t.after(() => folder.remove());
  for (const [name, source] of Object.entries(files)) writeFileSync(join(folder.path, name), source);
  // Nothing on PATH and an empty cache: neither found nor installed. Without node:test's variable, which forbids a run in a run.
  const env = { PATH: "/no-such-folder", CR_REACTOR_CACHE: join(folder.path, "cache"), CI: String(ci) };
  const child = spawn(process.execPath, [join(import.meta.dirname, "run.ts"), "--folder", folder.path, ...args], {
    env,
  });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [exitCode, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  return { exitCode, stdout, stderr };
}
