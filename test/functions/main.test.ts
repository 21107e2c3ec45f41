import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { pino } from "pino";
import { z } from "zod";
import { defineFunction } from "../../functions/kit/define.ts";
import { bindAll, type FunctionRegistry, runFunctions } from "../../functions/main.ts";
import { startRig, until } from "./kit/delivery/rig.ts";
import { created } from "./kit/event-factory.ts";

const loaded: string[] = [];
const functions: FunctionRegistry = {
  tell: async () => {
    loaded.push("tell");
    const config = z.strictObject({ channel: z.string() });
    const subscription = { apiVersion: "demo.example.com/v1", kind: "Database" };
    return { default: defineFunction({ name: "tell", description: "", config, subscription, run: async () => {} }) };
  },
  fail: async () => {
    loaded.push("fail");
    const run = async () => {
      throw new Error("always");
    };
    return { default: defineFunction({ name: "fail", description: "", config: z.strictObject({}), run }) };
  },
  broken: () => Promise.reject(new Error("Cannot find package 'left-pad'")),
  empty: async () => ({ default: {} }),
};
const entry = (name: string, functionName: string, more = "") =>
  `  - name: ${name}\n    function: ${functionName}\n    apiVersion: demo.example.com/v1\n    kind: Database\n${more}`;
const yaml = (...entries: string[]) => ({ text: `subscriptions:\n${entries.join("")}`, fileName: "s.yaml" });
const told = "    config: { channel: '#ops' }\n";

describe("starting functions", () => {
  test("loads only those that a selected subscription names", async () => {
    loaded.length = 0;
    const subscriptions = yaml(entry("a", "tell", told), entry("b", "broken"), entry("c", "tell", told));
    const byFunction = await bindAll({ functions, subscriptions, select: ["tell"] });
    assert.deepEqual(
      byFunction.map(({ subscription }) => subscription.name),
      ["a", "c"],
    );
    const byName = await bindAll({ functions, subscriptions, select: ["c"] });
    assert.deepEqual(
      byName.map(({ subscription }) => subscription.name),
      ["c"],
    );
    assert.ok(!loaded.includes("fail"));
  });

  for (const { name, subscriptions, select, expected } of [
    {
      name: "settings that do not fit, with the line",
      subscriptions: yaml(entry("a", "tell", "    config: { chanel: '#ops' }\n")),
      expected:
        's.yaml:6:13 subscriptions[0].config.channel: is missing: add it (expected a string)\ns.yaml:6:15 subscriptions[0].config.chanel: unknown key (did you mean "channel"?)',
    },
    {
      name: "settings that are missing, with the line of their subscription",
      subscriptions: yaml(entry("a", "fail"), entry("b", "tell")),
      expected: "s.yaml:6:5 subscriptions[1].config.channel: is missing: add it (expected a string)",
    },
    {
      name: "a function that nobody knows, with the nearest one",
      subscriptions: yaml(entry("a", "tel")),
      expected:
        's.yaml:3:15 subscriptions[0].function: there is no function "tel" (did you mean "tell"?): known are tell,',
    },
    {
      name: "a function that cannot be loaded, with the reason",
      subscriptions: yaml(entry("a", "broken")),
      expected:
        "s.yaml:3:15 subscriptions[0].function: the function \"broken\" cannot be loaded: Cannot find package 'left-pad'",
    },
    {
      name: "a module that is no function",
      subscriptions: yaml(entry("a", "empty")),
      expected: 's.yaml:3:15 subscriptions[0].function: the default export of "empty" is no function definition',
    },
    {
      name: "a path where there is nothing",
      subscriptions: yaml(entry("a", "./no-such-file.ts")),
      expected: `s.yaml:3:15 subscriptions[0].function: the function "./no-such-file.ts" cannot be loaded: ${resolve("no-such-file.ts")} does not exist`,
    },
    {
      name: "a selection that finds nothing",
      subscriptions: yaml(entry("a", "tell", told)),
      select: ["tel"],
      expected: 'no subscription is called "tel" or uses a function of that name (did you mean "tell"?)',
    },
    { name: "nothing to run", expected: "nothing to run: name functions, or give a subscriptions file" },
    { name: "a function without an own subscription", select: ["fail"], expected: 'function "fail" does not say what' },
    { name: "a name of JavaScript's own", select: ["constructor"], expected: 'there is no function "constructor"' },
  ]) {
    test(`tells ${name}`, async () => {
      const given = { functions, ...(subscriptions && { subscriptions }), ...(select && { select }) };
      const error = await bindAll(given).then(
        () => assert.fail("it was accepted"),
        (error: Error) => error,
      );
      assert.ok(error.message.startsWith(expected), error.message);
    });
  }

  test("a subscription file that was read before gives the same errors without a line", async () => {
    const [binding] = await bindAll({ functions, subscriptions: yaml(entry("a", "tell", told)) });
    const subscription = { ...binding?.subscription, config: {} } as NonNullable<typeof binding>["subscription"];
    await assert.rejects(bindAll({ functions, subscriptions: { nats: {}, subscriptions: [subscription] } }), {
      code: "SUBSCRIPTION_INVALID",
      message: /subscription "a": the settings do not fit the function tell: config\.channel/,
    });
  });
});

describe("running functions", () => {
  test("a user's own function runs from its path beside a built-in one that only fails, until it is stopped", async (t) => {
    const rig = await startRig(t);
    if (rig === undefined) return;
    const folder = await ownFunction(t);
    const stopping = new AbortController();
    const subscriptions = {
      text: `subscriptions:\n${entry("own", "./own.ts", "    config: { word: hello }\n    start: all\n")}${entry("other", "fail", "    start: all\n")}`,
      fileName: join(folder, "subscriptions.yaml"),
    };
    await rig.publish(created({}));
    const lines: { msg: string; note?: string }[] = [];
    const running = await runFunctions({
      ...{ subscriptions, functions, signal: stopping.signal, nats: { servers: [rig.nats.url] } },
      log: pino({}, { write: (line: string) => lines.push(JSON.parse(line)) }),
    });
    const statusOf = (name: string) => running.status().subscriptions.find((each) => each.name === name);
    await until(() => statusOf("own")?.done === 1 && (statusOf("other")?.retried ?? 0) > 0);
    assert.ok(lines.some(({ note }) => note === "hello orders"));
    assert.equal(running.status().connected, true);
    assert.equal(statusOf("other")?.lastError, "always");
    await rig.nats.restart();
    const said = (start: string) => lines.some(({ msg }) => msg.startsWith(start));
    await until(() => said("NATS is away") && said("NATS is back"));
    stopping.abort();
    await running.done;
    assert.deepEqual(
      running.status().subscriptions.map(({ state }) => state),
      ["stopped", "stopped"],
    );
  });

  test("a function selected by name runs with the subscription it brings along", async (t) => {
    const [binding] = await bindAll({
      functions: { own: async () => import(pathToFileURL(join(await ownFunction(t), "own.ts")).href) },
      select: ["own"],
    });
    assert.equal(binding?.subscription.kind, "Database");
  });

  test("a process that runs the built-in functions loads neither client-node nor cloudevents nor undici", async () => {
    const program = `
      import { registerHooks } from "node:module";
      const urls = [];
      registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
      const { BUILT_IN_FUNCTIONS } = await import("./functions/main.ts");
      for (const load of Object.values(BUILT_IN_FUNCTIONS)) await load();
      console.log(urls.join("\\n"));`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], {
      cwd: new URL("../..", import.meta.url),
    });
    assert.match(stdout, /functions\/notify-slack\.ts/);
    assert.doesNotMatch(stdout, /node_modules\/(@kubernetes\/client-node|cloudevents|undici)\//);
  });
});

async function ownFunction(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cr-reactor-functions-"));
  t.after(() => rm(folder, { recursive: true }));
  const zod = JSON.stringify(import.meta.resolve("zod"));
  const kit = JSON.stringify(import.meta.resolve("../../functions/kit/kit.ts"));
  await writeFile(
    join(folder, "own.ts"),
    `import { z } from ${zod};
     import { defineFunction, phase } from ${kit};
     export default defineFunction({
       name: "own",
       description: "A user's.",
       config: z.strictObject({ word: z.string().default("hi") }),
       subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: phase() },
       run: async ({ object, config }) => \`\${config.word} \${object.metadata.name}\`,
     });`,
  );
  return folder;
}
