import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import notifyPagerDuty from "../../functions/notify-pagerduty.ts";
import type { Fault } from "../kit/misbehaviour.ts";
import { startPagerDuty } from "../kit/pagerduty-server.ts";
import { manyFields, sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const KEY = "CR_REACTOR_TEST_PAGERDUTY";
const settings = ({ url, routingKey }: { readonly url: string; readonly routingKey: string }, more: object = {}) => {
  process.env[KEY] = routingKey;
  return { routingKey: { env: KEY }, url, ...more };
};

afterEach(() => {
  delete process.env[KEY];
});

describe("an incident in PagerDuty", () => {
  test("is one alert: triggered, changed and resolved, whatever is lost in between", async (t) => {
    await using pagerDuty = await startPagerDuty();
    ownClock(t);
    const links = [{ text: "Runbook", url: "https://runbooks.example/{{ event.kind }}" }];
    const config = settings(pagerDuty, {
      severity: "{{ object.metadata.labels.severity }}",
      severities: { page: "critical" },
      links,
    });
    const run = incidentRun(t, notifyPagerDuty, config);
    const after = { metadata: { labels: { severity: "page" } } };
    pagerDuty.next("lose-answer");
    await run.event("opened", { after });
    run.forget();
    await run.event("updated", { after });
    assert.deepEqual([...pagerDuty.alerts.keys()], [run.key]);
    const alert = pagerDuty.alerts.get(run.key);
    assert.equal(alert?.payload.severity, "critical");
    assert.equal(alert.payload.source, "eu-1/apis/demo.example.com/v1/namespaces/prod/databases/orders");
    assert.deepEqual(alert.links, [{ href: "https://runbooks.example/Database", text: "Runbook" }]);
    run.forget();
    await run.event("resolved");
    assert.equal(pagerDuty.alerts.get(run.key)?.isOpen, false);
    await run.event("opened");
    assert.deepEqual(
      [...pagerDuty.alerts.values()].map(({ isOpen }) => isOpen),
      [false, true],
    );
  });

  test("keeps the limits, however much changed", async () => {
    await using pagerDuty = await startPagerDuty();
    const config = notifyPagerDuty.config.parse(settings(pagerDuty, { summary: "x".repeat(3_000) }));
    const context = sampleContext(sampleEvent(manyFields(400, "y".repeat(2_000))), config);
    await notifyPagerDuty.run({ ...context, idempotencyKey: "k".repeat(600) });
    const [[key = "", alert] = []] = [...pagerDuty.alerts];
    assert.deepEqual([key.length, alert?.payload.summary.length], [255, 1_024]);
  });
});

describe("a refusal of PagerDuty", () => {
  const rows: { name: string; fault?: Fault; key?: string; treated: "retry" | "dead-letter"; message: RegExp }[] = [
    {
      name: "of the key says which one it wants",
      key: "x".repeat(32),
      treated: "dead-letter",
      message: /Invalid routing key.*integration key/,
    },
    { name: "429 is tried again", fault: { status: 429 }, treated: "retry", message: /HTTP 429/ },
    { name: "500 is tried again", fault: { status: 500 }, treated: "retry", message: /HTTP 500/ },
    { name: "a timeout is tried again", fault: "reset", treated: "retry", message: /cannot be reached/ },
  ];
  for (const { name, fault, key, treated, message } of rows) {
    test(name, async () => {
      await using pagerDuty = await startPagerDuty();
      if (fault) pagerDuty.next(fault);
      const config = notifyPagerDuty.config.parse(
        settings({ url: pagerDuty.url, routingKey: key ?? pagerDuty.routingKey }),
      );
      const event = sampleEvent({ before: { spec: { a: 1 } }, after: { spec: { a: 2 } } });
      const failure = await failureOf(async () => notifyPagerDuty.run(sampleContext(event, config)));
      assert.equal(failure.treated, treated);
      assert.match(failure.message, message);
      assert.doesNotMatch(failure.words, /R0123|xxxxxx/);
    });
  }
});
