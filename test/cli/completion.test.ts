/** `cr-reactor completion`, tried in the shells themselves; where zsh or fish is not installed, that part is skipped and only the text is looked at. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { describe, test } from "node:test";
import { createDataFolder } from "../kit/data-folder.ts";
import { runCli } from "./run-cli.ts";

const hasShell = (shell: string) => spawnSync(shell, ["-c", "exit 0"]).status === 0;

describe("completion", () => {
  const rows: { typed: string[]; expected: RegExp; not?: RegExp }[] = [
    { typed: ["t"], expected: /^tail types$/ },
    { typed: ["dead-letters", ""], expected: /^list show retry drop$/ },
    { typed: ["dead-letters", "retry", "--s"], expected: /^--subscription --since --server$/ },
    { typed: ["replay", "database-failed", "--"], expected: /--from .*--dry-run/, not: /--namespace/ },
    { typed: ["history", "--output", ""], expected: /^yaml json$/ },
    { typed: ["history", "x", "-o", "j"], expected: /^json$/ },
    { typed: ["schema", "b"], expected: /^bridge$/ },
    { typed: ["completion", ""], expected: /^bash zsh fish$/ },
    { typed: ["run", "notify-s"], expected: /^notify-slack$/ },
    { typed: ["bridge", "--config", "bri"], expected: /^bridge\.yaml$/ },
    { typed: ["bridge", "-c", "bri"], expected: /^bridge\.yaml$/ },
    { typed: ["audit", "verify", "bri"], expected: /^bridge\.yaml$/ },
    { typed: ["tail", "--name", ""], expected: /^$/ },
    { typed: ["tail", "bridge", "--p"], expected: /^--phase$/ },
  ];
  test("in bash offers commands, options, and what is known of their values", async (t) => {
    const { code, out: script } = await runCli(["completion", "bash"]);
    assert.equal(code, 0);
    const folder = createDataFolder("completion");
    t.after(() => folder.remove());
    for (const { typed, expected, not = /\n/ } of rows) {
      const words = ["cr-reactor", ...typed].map((word) => `'${word}'`).join(" ");
      const program = `touch bridge.yaml\n${script}\nCOMP_WORDS=(${words}); COMP_CWORD=${typed.length}; _cr_reactor; echo "\${COMPREPLY[*]}"`;
      const { stdout, stderr, status } = spawnSync("bash", ["--norc", "-c", program], {
        cwd: folder.path,
        encoding: "utf8",
      });
      assert.deepEqual([status, stderr], [0, ""], typed.join(" "));
      assert.match(stdout.trim(), expected, typed.join(" "));
      assert.doesNotMatch(stdout.trim(), not, typed.join(" "));
    }
  });

  for (const shell of ["zsh", "fish"]) {
    test(`for ${shell} is a script that it reads`, async (t) => {
      const { code, out } = await runCli(["completion", shell]);
      assert.equal(code, 0);
      for (const expected of ["dead-letters", "dry-run", "notify-slack", "kubectl config get-contexts"])
        assert.ok(out.includes(expected), expected);
      if (!hasShell(shell)) return t.skip(`${shell} is not installed: only its text was looked at`);
      const { status, stderr } = spawnSync(shell, ["-n"], { input: out, encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
    });
  }

  test("for another shell names those that there are", async () => {
    const { code, err } = await runCli(["completion", "tcsh"]);
    assert.equal(code, 2);
    assert.match(err, /Allowed choices are bash, zsh, fish/);
  });
});
