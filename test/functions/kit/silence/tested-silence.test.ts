/** Silences in the test of a function: by the test's clock, without NATS. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { defineFunction, phase } from "../../../../functions/kit/kit.ts";
import { testFunction } from "../../../../functions/kit/testing/test-function.ts";

const page = defineFunction({
  name: "page",
  description: "A test's.",
  config: z.object({}),
  subscription: { apiVersion: "demo.example.com/v1", kind: "Database", when: phase({ to: "Failed" }) },
  run: async () => "paged",
});
const failed = { metadata: { name: "orders", namespace: "prod" }, status: { phase: "Failed" } };

test("a window that is on holds back what fails in it, and nothing after it", async () => {
  const window = { cron: "0 2 * * *", zone: "Europe/Berlin", for: "1h" };
  const silences = [{ name: "nightly", window }];
  const told = testFunction(page, { silences, now: new Date("2026-03-29T01:00:00Z") });
  const result = await told.created(failed);
  assert.deepEqual([result.outcome, result.attempts], ["silenced", 0]);
  assert.equal(result.reason, "the silence nightly@2026-03-29T01:00:00Z holds it back");
  told.advance(3_600_000);
  assert.equal((await told.created({ ...failed, metadata: { name: "users" } })).outcome, "done");
});

test("a silence is about what its filter says, and about no function that is not silenceable", async () => {
  const silences = [{ name: "muted", annotation: "cr-reactor.dev/silence", when: { namespaces: "prod" } }];
  const annotations = { "cr-reactor.dev/silence": "true" };
  const muted = (namespace: string) => ({ ...failed, metadata: { name: "orders", namespace, annotations } });
  assert.equal((await testFunction(page, { silences }).created(muted("prod"))).outcome, "silenced");
  assert.equal((await testFunction(page, { silences }).created(muted("dev"))).outcome, "done");
  const always = { ...page, silenceable: false };
  assert.equal((await testFunction(always, { silences }).created(muted("prod"))).outcome, "done");
});
