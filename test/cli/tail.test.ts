/** What `cr-reactor tail` shows of a log, by the filter language and by subscriptions, on a real nats-server. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { startRig } from "../functions/kit/delivery/rig.ts";
import { created, existing, updated } from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { until } from "../kit/until.ts";
import { runCli } from "./run-cli.ts";

const failed = (name: string, namespace = "prod") =>
  updated({ name, namespace, phase: "Running" }, { name, namespace, phase: "Failed" });

describe("tail", () => {
  test("takes a filter, or what a subscription asks for, and narrows either", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const folder = createDataFolder("tail");
    t.after(() => folder.remove());
    const file = join(folder.path, "subscriptions.yaml");
    const entry = "name: never-ran, function: relay, apiVersion: demo.example.com/v1, kind: Database";
    writeFileSync(file, `subscriptions: [{ ${entry}, when: { created: true } }]\n`);
    const running = rig.start(async () => undefined, { name: "failures", when: { phase: { to: "Failed" } } });
    await rig.publish(
      existing({ name: "there", phase: "Failed" }),
      created({ name: "new", phase: "Pending" }),
      failed("orders"),
      failed("users", "dev"),
      updated({ name: "new", spec: { replicas: 3 } }, { name: "new", spec: { replicas: 5 } }),
    );
    await until(() => running.status().done === 2);
    const rows: { args: string[]; names: string[] }[] = [
      { args: ["--filter", "{ phase: { to: Failed } }"], names: ["there", "orders", "users"] },
      { args: ["Database", "--filter", "phase: { to: Failed }", "-n", "dev"], names: ["users"] },
      { args: ["--filter", "{ cel: 'object.spec.replicas > 4' }"], names: ["new"] },
      { args: ["--subscription", "failures"], names: ["orders", "users"] },
      { args: ["--subscription", "failures", "--name", "orders"], names: ["orders"] },
      { args: ["--subscription", "never-ran", "-s", file], names: ["new"] },
    ];
    for (const { args, names } of rows) {
      const options = ["tail", ...args, "--since", "1h", "--count", String(names.length), "--json"];
      const { code, out } = await runCli(options, { url: rig.nats.url });
      const shown = out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).name);
      assert.deepEqual([code, shown], [0, names], args.join(" "));
    }
  });

  const mistakes: { name: string; args: string[]; problem: RegExp }[] = [
    {
      name: "a filter that is none",
      args: ["--filter", "{ phse: Failed }"],
      problem: /--filter:1:3 phse: unknown key/,
    },
    { name: "an empty filter", args: ["--filter", "{}"], problem: /is empty: name a condition/ },
    { name: "text that is no YAML", args: ["--filter", "{ phase: "], problem: /--filter:1:\d+/ },
    {
      name: "a filter of a cluster",
      args: ["x", "--direct", "--filter", "{}"],
      problem: /cannot be used with option '--direct'/,
    },
    {
      name: "a subscription that never ran",
      args: ["--subscription", "none"],
      problem: /no functions have run here yet/,
    },
  ];
  for (const { name, args, problem } of mistakes) {
    test(`${name} ends with exit code 2 and says what to do`, async (t) => {
      const rig = await startRig(t);
      if (rig === undefined) return;
      const { code, err } = await runCli(["tail", ...args], { url: rig.nats.url });
      assert.equal(code, 2, err);
      assert.match(err, problem);
    });
  }
});
