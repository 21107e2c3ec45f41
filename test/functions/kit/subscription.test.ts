import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { defineFunction } from "../../../functions/kit/define.ts";
import { all, created, deleted, phase } from "../../../functions/kit/filter/builder.ts";
import {
  bind,
  ownSubscription,
  parseSubscriptions,
  Subscription,
  SubscriptionError,
} from "../../../functions/kit/subscription.ts";

const entry =
  "  - name: db-failed\n    function: notify-slack\n    apiVersion: demo.example.com/v1\n    kind: Database\n";

describe("subscriptions.yaml", () => {
  test("is read, with defaults", () => {
    assert.deepEqual(parseSubscriptions(`subscriptions:\n${entry}    when: { phase: { to: Failed } }\n`, "s.yaml"), {
      nats: {},
      subscriptions: [
        {
          name: "db-failed",
          function: "notify-slack",
          apiVersion: "demo.example.com/v1",
          kind: "Database",
          when: { phase: { to: "Failed" } },
          includeExisting: false,
          start: "now",
          config: {},
          concurrency: 16,
          attempts: 8,
          partitions: 1,
        },
      ],
    });
  });

  for (const { name, text, expected } of [
    {
      name: "an unknown key",
      text: `subscriptions:\n${entry}    atempts: 3\n`,
      expected: 's.yaml:6:5 subscriptions[0].atempts: unknown key (did you mean "attempts"?)',
    },
    {
      name: "an unknown condition in a filter",
      text: `subscriptions:\n${entry}    when: { any: [{ phas: {} }] }\n`,
      expected: 's.yaml:6:21 subscriptions[0].when.any[0].phas: unknown key (did you mean "phase"?)',
    },
    {
      name: "an empty filter",
      text: `subscriptions:\n${entry}    when: {}\n`,
      expected: "s.yaml:6:11 subscriptions[0].when: is empty: name a condition",
    },
    {
      name: "a path that cannot be read",
      text: `subscriptions:\n${entry}    when: { field: { path: "spec.[" } }\n`,
      expected: 's.yaml:6:28 subscriptions[0].when.field.path: path "spec.[" cannot be read',
    },
    {
      name: "a name with capitals",
      text: `subscriptions:\n${entry.replace("db-failed", "DbFailed")}`,
      expected: "s.yaml:2:11 subscriptions[0].name: expected lower-case words with - between them",
    },
    {
      name: "two entries of one name",
      text: `subscriptions:\n${entry}${entry}`,
      expected: 's.yaml:6:11 subscriptions[1].name: "db-failed" is the name of another one too',
    },
    {
      name: "no entry",
      text: "subscriptions: []\n",
      expected: "s.yaml:1:16 subscriptions: name at least one subscription",
    },
    {
      name: "a secret in the open",
      text: `nats: { user: me, password: hunter2 }\nsubscriptions:\n${entry}`,
      expected: "s.yaml:1:29 nats.password: expected { env: NAME } or { file: /path }",
    },
  ]) {
    test(`${name} is told with its place`, () => {
      assert.throws(
        () => parseSubscriptions(text, "s.yaml"),
        (error: Error) => error.message.startsWith(expected) || assert.fail(error.message),
      );
    });
  }
});

describe("binding", () => {
  const definition = defineFunction({
    name: "notify",
    description: "Tells.",
    config: z.strictObject({ channel: z.string(), limit: z.int().default(3) }),
    subscription: { apiVersion: "v1", kind: "Pod", when: phase({ to: "Failed" }) },
    timeoutMs: 5_000,
    run: async ({ config }) => `${config.channel} ${config.limit}`,
  });
  const subscription = Subscription.parse({ name: "s", function: "notify", apiVersion: "v1", kind: "Pod" });

  test("takes the time for one try from the subscription, else the function, else 30 seconds", () => {
    const config = { channel: "#ops" };
    assert.equal(bind({ ...subscription, config, timeoutSeconds: 1.5 }, definition).timeoutMs, 1_500);
    assert.equal(bind({ ...subscription, config }, definition).timeoutMs, 5_000);
    const { timeoutMs: _, ...untimed } = definition;
    assert.equal(bind({ ...subscription, config }, untimed).timeoutMs, 30_000);
  });

  for (const { name, given, expected } of [
    {
      name: "settings that do not fit, naming subscription and field",
      given: { ...subscription, config: { channel: 5 } },
      expected: /subscription "s": the settings do not fit the function notify: config\.channel: /,
    },
    {
      name: "a filter that can never match",
      given: { ...subscription, config: { channel: "#ops" }, when: all(created(), deleted()) },
      expected: /subscription "s": when: no event can ever match/,
    },
  ]) {
    test(`refuses ${name}`, () => {
      assert.throws(() => bind(given, definition), { code: "SUBSCRIPTION_INVALID", message: expected });
    });
  }

  test("a function that says what it reacts to needs no entry", () => {
    const { name, kind, when } = ownSubscription(definition);
    assert.deepEqual({ name, kind, when }, { name: "notify", kind: "Pod", when: { phase: { to: "Failed" } } });
    const { subscription: _, ...silent } = definition;
    assert.throws(() => ownSubscription(silent), SubscriptionError);
  });
});
