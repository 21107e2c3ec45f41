/** Against a real Alertmanager; its refusals and outages against a server of ours. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RECEIPTS_BYTES_MAX } from "../../functions/kit/incident/incident-limits.ts";
import notifyAlertmanager from "../../functions/notify-alertmanager.ts";
import { needAlertmanager } from "../kit/shared-kube.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";
import { incidentRun, ownClock } from "./incident-run.ts";

const failed = sampleEvent({ before: { status: { phase: "Running" } }, after: { status: { phase: "Failed" } } });
const run = (config: object) => notifyAlertmanager.run(sampleContext(failed, notifyAlertmanager.config.parse(config)));

describe("an incident in Alertmanager", () => {
  test("is one alert with stable labels from opening to recovery", async (t) => {
    const alertmanager = await needAlertmanager(t);
    if (!alertmanager) return;
    ownClock(t, Date.now() - 3_600_000);
    const config = {
      url: alertmanager.url,
      severity: "{% if object.status.phase == 'Failed' %}critical{% else %}none{% endif %}",
      labels: { team: "{{ object.metadata.labels.team }}" },
      annotations: { runbook_url: "https://runbooks.example/{{ event.kind }}" },
      generatorUrl: "https://grafana.example/d?ns={{ object.metadata.namespace }}",
    };
    const incident = incidentRun(t, notifyAlertmanager, config);
    await incident.event("opened", { after: { metadata: { labels: { team: "dba" } } } });
    await incident.event("updated");
    const [alert, ...others] = await alertmanager.alerts();
    assert.deepEqual(others, []);
    assert.deepEqual(alert?.labels, {
      alertname: "DatabaseIncident",
      cluster: "eu-1",
      group: "demo.example.com",
      kind: "Database",
      name: "orders",
      namespace: "prod",
      severity: "critical",
      subscription: "databases",
      team: "dba",
    });
    assert.equal(alert?.annotations["runbook_url"], "https://runbooks.example/Database");
    assert.match(alert?.annotations["summary"] ?? "", /^Database prod\/orders: /);
    assert.equal(alert?.generatorURL, "https://grafana.example/d?ns=prod");
    assert.ok(Date.parse(alert?.endsAt ?? "") > Date.now() + 160 * 3_600_000, "it stays open while nothing happens");

    await incident.event("resolved");
    assert.deepEqual(await alertmanager.alerts(), []);
    await incident.event("opened", { laterMs: 600_000 });
    assert.equal((await alertmanager.alerts()).length, 1);
  });

  test("has labels short enough to be remembered, whatever an object says", async (t) => {
    await using receiver = await startReceiver(() => ({ status: 200 }));
    ownClock(t);
    const names = Array.from({ length: 20 }, (_, index) => [`label${index}`, "{{ object.spec.text }}"]);
    const incident = incidentRun(t, notifyAlertmanager, { url: receiver.origin, labels: Object.fromEntries(names) });
    await incident.event("opened", { after: { spec: { text: "€".repeat(5_000) } } });
    assert.ok(Buffer.byteLength(JSON.stringify(incident.receipts())) < RECEIPTS_BYTES_MAX);
  });

  test("is the same alert when a call is repeated, and the memory of its labels is lost", async (t) => {
    const alertmanager = await needAlertmanager(t);
    if (!alertmanager) return;
    ownClock(t, Date.now() - 3_600_000);
    const incident = incidentRun(t, notifyAlertmanager, { url: alertmanager.url });
    await incident.event("opened");
    incident.forget();
    await incident.event("updated");
    assert.equal((await alertmanager.alerts()).length, 1);
    incident.forget();
    await incident.event("resolved");
    assert.deepEqual(await alertmanager.alerts(), []);
  });

  test("without a resolve filter ends by itself", async (t) => {
    const alertmanager = await needAlertmanager(t);
    if (!alertmanager) return;
    const event = { ...failed, time: new Date().toISOString() };
    await notifyAlertmanager.run(sampleContext(event, notifyAlertmanager.config.parse({ url: alertmanager.url })));
    const [alert] = await alertmanager.alerts();
    const minutes = (Date.parse(alert?.endsAt ?? "") - Date.now()) / 60_000;
    assert.ok(minutes > 3 && minutes <= 5, `resolve_timeout, not ${minutes} minutes`);
  });
});

describe("Alertmanager", () => {
  test("is told at every instance, and one that is down is not waited for", async () => {
    await using one = await startReceiver(() => ({ status: 200 }));
    await using other = await startReceiver(() => ({ status: 200 }));
    other.next({ status: 503 });
    assert.equal(await run({ url: [one.origin, `${other.origin}/prefix/`] }), "posted, 1 of 2 instances");
    assert.deepEqual([one.requests[0]?.path, other.requests[0]?.path], ["/api/v2/alerts", "/prefix/api/v2/alerts"]);
  });

  test("that takes nothing anywhere is tried again where that can help", async () => {
    await using one = await startReceiver(() => ({ status: 400, body: '"start time must be before end time"' }));
    await using other = await startReceiver(() => ({ status: 503 }));
    assert.equal((await failureOf(async () => run({ url: [one.origin, other.origin] }))).treated, "retry");
    const failure = await failureOf(async () => run({ url: one.origin }));
    assert.equal(failure.treated, "dead-letter");
    assert.match(failure.message, /start time must be before end time.*check labels/);
  });

  test("gets the credentials, and they are not told", async () => {
    await using receiver = await startReceiver(() => ({ status: 401 }));
    process.env["CR_REACTOR_TEST_AM"] = "am-secret";
    const config = { url: receiver.origin, username: "cr", password: { env: "CR_REACTOR_TEST_AM" } };
    const failure = await failureOf(async () => run(config));
    delete process.env["CR_REACTOR_TEST_AM"];
    assert.equal(
      receiver.requests[0]?.headers.authorization,
      `Basic ${Buffer.from("cr:am-secret").toString("base64")}`,
    );
    assert.doesNotMatch(failure.words, /am-secret|Y3I6/);
  });
});
