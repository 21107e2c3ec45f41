import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { z } from "zod";
import { notifySlack, perform, triggerWorkflow } from "../../../functions/acting.ts";
import { defineFunction, type FunctionContext } from "../../../functions/kit/define.ts";
import { phase } from "../../../functions/kit/filter/builder.ts";
import { type TestFunctionOptions, testFunction } from "../../../functions/kit/testing/test-function.ts";
import { startSlack } from "../../kit/slack-server.ts";
import { startWorkflowEndpoint } from "../../kit/webhook-server.ts";

const SLACK = "CR_REACTOR_TEST_PERFORM_SLACK";
const TOKEN = "CR_REACTOR_TEST_PERFORM_TOKEN";
const Nothing = z.strictObject({});
const orders = (status: string) => ({ metadata: { name: "orders", namespace: "prod" }, status: { phase: status } });

/** A function of one's own, in its test. */
function tested(
  run: (context: FunctionContext<object>) => Promise<string | undefined>,
  options: TestFunctionOptions<typeof Nothing> = {},
) {
  const when = phase({ to: "Failed" });
  const subscription = { apiVersion: "demo.example.com/v1", kind: "Database", when };
  const definition = { name: "own", description: "A test's.", config: Nothing, subscription, run };
  return testFunction(defineFunction(definition), options);
}

afterEach(() => {
  delete process.env[SLACK];
  delete process.env[TOKEN];
});

describe("a function that performs others", () => {
  test("does what they do with their settings, each once, though it is tried again", async () => {
    await using slack = await startSlack();
    await using workflows = await startWorkflowEndpoint();
    process.env[SLACK] = slack.webhookUrl;
    process.env[TOKEN] = workflows.token;
    workflows.next({ status: 503 });
    const own = tested(
      async (context) => {
        const webhookUrl = { env: SLACK };
        await perform("tell", notifySlack, { webhookUrl, title: "One" }, context);
        await perform("tell-again", notifySlack, { webhookUrl, title: "Two" }, context);
        const target = { type: "http", url: workflows.url, token: { env: TOKEN } } as const;
        return await perform("heal", triggerWorkflow, { target, parameters: { was: "before.status.phase" } }, context);
      },
      { retries: true },
    );
    const { outcome, attempts, note, steps } = await own.updated(orders("Running"), orders("Failed"));
    assert.deepEqual([outcome, attempts], ["done", 2]);
    assert.match(note ?? "", /^workflow cr-[0-9a-f]{20} started$/);
    assert.deepEqual(
      slack.messages.map((message) => /One|Two/.exec(JSON.stringify(message))?.[0]),
      ["One", "Two"],
    );
    assert.deepEqual(
      [...workflows.workflows.values()].map(({ parameters }) => parameters),
      [{ was: "Running" }],
    );
    assert.deepEqual(
      [...new Set(steps.map(({ name }) => name.replace(/-(post|start|order)$/, "")))],
      ["tell", "tell-again", "heal"],
    );
  });

  test("keeps the receipts of an incident apart, also of the same action twice", async () => {
    const own = tested(
      async ({ incident, ...context }) => {
        const remembering = defineFunction({
          name: "remembering",
          description: "A test's.",
          config: z.strictObject({ word: z.string() }),
          async run({ incident: mine, config }) {
            const before = JSON.stringify(mine?.receipts);
            await mine?.remember("thread", config.word);
            return `${before} ${JSON.stringify(mine?.receipts)}`;
          },
        });
        const one = await perform("one", remembering, { word: "a" }, { incident, ...context });
        const two = await perform("two", remembering, { word: "b" }, { incident, ...context });
        return `${one} ${two}`;
      },
      { subscription: { resolve: phase({ to: "Running" }) } } as TestFunctionOptions<typeof Nothing>,
    );
    const { note, incident } = await own.updated(orders("Running"), orders("Failed"));
    assert.equal(note, '{} {"thread":"a"} {} {"thread":"b"}');
    assert.deepEqual(incident?.receipts, { "one-thread": "a", "two-thread": "b" });
  });

  const mistakes = [
    {
      name: "settings that do not fit",
      run: (context: FunctionContext<object>) => perform("tell", notifySlack, {}, context),
      expected: /^action "tell" \(notify-slack\): settings: set webhookUrl, or botToken and channel/,
    },
    {
      name: "a name that is none",
      run: (context: FunctionContext<object>) => perform("Tell us", notifySlack, {}, context),
      expected: /^action "Tell us": a name is made of 1 to 32 of a-z, 0-9 and -$/,
    },
    {
      name: "a name twice",
      async run(context: FunctionContext<object>) {
        const echo = defineFunction({
          name: "echo",
          description: "A test's.",
          config: Nothing,
          run: ({ step }) => step("say", () => "said"),
        });
        await perform("same", echo, {}, context);
        return await perform("same", echo, {}, context);
      },
      expected: /step "same-say"/,
    },
  ];
  for (const { name, run, expected } of mistakes) {
    test(`ends with ${name} as a dead letter that says so`, async () => {
      const { outcome, error } = await tested(run).updated(orders("Running"), orders("Failed"));
      assert.equal(outcome, "dead-letter");
      assert.match(error?.message ?? "", expected);
    });
  }
});
