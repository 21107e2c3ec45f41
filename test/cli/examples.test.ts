/** Every `$ cr-reactor …` in the help of every command runs, and ends as it should. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Command } from "commander";
import { createProgram } from "../../cli/program/program.ts";
import { startExampleScene } from "./example-scene.ts";

/** How an example ends that does not just end with exit code 0. */
type Ending =
  | { readonly code: number; readonly because: string }
  /** It runs until Ctrl-C, which it gets when it has written this. */
  | { readonly readyWhen: RegExp; readonly code?: number; readonly before?: string }
  | { readonly unattended: string };

const ENDINGS: Readonly<Record<string, Ending>> = {
  "cr-reactor demo --keep": { readyWhen: /Everything is still running/ },
  "cr-reactor demo --context kind-dev": {
    unattended: "it needs a cluster that has no Database of somebody else's, as this one's is",
  },
  "cr-reactor bridge --config bridge.yaml": { readyWhen: /the bridge is connected/ },
  "cr-reactor run --subscriptions subscriptions.yaml": { readyWhen: /"consumer \w+"/ },
  "cr-reactor run notify-slack --subscriptions subscriptions.yaml": { readyWhen: /"consumer \w+"/ },
  "cr-reactor run ./my-function.ts": { readyWhen: /"consumer \w+"/ },
  "cr-reactor serve --subscriptions subscriptions.yaml": { readyWhen: /"port":\d+|listening/ },
  "cr-reactor serve page-oncall --subscriptions subscriptions.yaml --host 0.0.0.0 --port 8080": {
    readyWhen: /"port":\d+|listening/,
  },
  "cr-reactor dev": { readyWhen: /Ctrl-C|my-function/ },
  "cr-reactor dev page-oncall.ts --manifests crd.yaml": {
    readyWhen: /Ctrl-C|my-function/,
    before: "cp my-function.ts page-oncall.ts; ",
  },
  "cr-reactor api-server crd.yaml database.yaml": { readyWhen: /kubeconfig/i },
  "cr-reactor api-server --port 8001 --kubeconfig embedded.kubeconfig": { readyWhen: /kubeconfig/i },
  "cr-reactor tail": { readyWhen: /Waiting for changes/ },
  "cr-reactor tail Database -n prod": { readyWhen: /Waiting for changes/ },
  "cr-reactor tail Database -n prod --since 10m": { readyWhen: /Running → Failed/ },
  "cr-reactor tail --filter '{ phase: { to: Failed } }'": { readyWhen: /Waiting for changes/ },
  "cr-reactor tail --subscription database-failed --since 1d": { readyWhen: /Running → Failed/ },
  "cr-reactor tail --json | jq .data.patch": { readyWhen: /./ },
  "cr-reactor tail databases --direct --context kind-dev": { readyWhen: /there now/ },
  "cr-reactor status": { code: 1, because: "there are dead letters" },
  "cr-reactor status --url http://127.0.0.1:8080": { code: 1, because: "there are dead letters" },
  "cr-reactor history Database/prod/orders --at 10m -o yaml": { code: 1, because: "the scene is younger" },
  "cr-reactor dead-letters drop 12": { code: 2, because: "nobody can be asked" },
};

/** With the help of each, as it is shown. */
function examplesOf(command: Command): readonly string[] {
  let help = "";
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  const own = [...help.matchAll(/^ {2}\$ (cr-reactor .*)$/gm)].map(([, line = ""]) => line);
  const visible = command.createHelp().visibleCommands(command);
  const below = command.commands.filter((each) => visible.includes(each));
  if (below.length === 0) assert.ok(own.length > 0, `${command.name()} --help has an example`);
  return [...own, ...below.flatMap((each) => examplesOf(each as Command))];
}

describe("the examples of the help", () => {
  const examples = [...new Set(examplesOf(createProgram()))];

  test("are all known to this test, which knows no others", () => {
    assert.ok(examples.length > 50, String(examples.length));
    assert.deepEqual(
      Object.keys(ENDINGS).filter((line) => !examples.includes(line)),
      [],
    );
  });

  test("run, and end as they should", { timeout: 600_000 }, async (t) => {
    const scene = await startExampleScene(t);
    if (scene === undefined) return;
    // What runs functions changes what the others look at.
    const isLong = (line: string) => "readyWhen" in (ENDINGS[line] ?? {});
    const only = process.env["EXAMPLES"]; // a pattern, to try some by themselves
    for (const line of [...examples.filter((each) => !isLong(each)), ...examples.filter(isLong)]) {
      if (only && !new RegExp(only).test(line)) continue;
      const ending = ENDINGS[line] ?? { code: 0, because: "" };
      if ("unattended" in ending) {
        t.diagnostic(`not run: ${line} (${ending.unattended})`);
        continue;
      }
      const { readyWhen, before = "" } = "readyWhen" in ending ? ending : {};
      const { code, written } = await scene.run(before + line, readyWhen);
      assert.equal(code, ending.code ?? 0, `${line}\n${written}`);
      assert.doesNotMatch(written, /\n\s+at .*\.ts:/, line);
    }
  });
});
