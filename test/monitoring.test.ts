/**
 * The dashboard and the alerts of manifests/components/monitoring: a real Prometheus reads every expression, each metric in them is one that
 * a bridge and functions really have, and promtool lets every alert fire, and not fire.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse, parseAllDocuments, stringify } from "yaml";
import { openMonitoredScene } from "./journey/monitored-scene.ts";
import { createDataFolder } from "./kit/data-folder.ts";
import { runCommand } from "./kit/install/command.ts";
import { needPrometheus, needPromtool } from "./kit/shared-kube.ts";
import { until } from "./kit/until.ts";

const FOLDER = join(import.meta.dirname, "../manifests/components/monitoring");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string; readonly refId: string }[];
}

const { spec } = parse(readFileSync(join(FOLDER, "prometheus-rule.yaml"), "utf8")) as {
  spec: { groups: { rules: Rule[] }[] };
};
const rules = spec.groups.flatMap((group) => group.rules);
const dashboard = JSON.parse(readFileSync(join(FOLDER, "dashboard.json"), "utf8")) as {
  panels: Panel[];
};

const manifestsReadme = readFileSync(join(import.meta.dirname, "../manifests/README.md"), "utf8");
const readmes = ["bridge", "functions"]
  .map(
    (room) =>
      readFileSync(join(import.meta.dirname, "..", room, "README.md"), "utf8")
        .split("## Metrics and status")[1]
        ?.split("\n## ")[0],
  )
  .join("\n");

/** Every expression, with Grafana's variables as Grafana would fill them in. */
const expressions = [
  ...rules.map(({ alert, expr }) => ({ place: alert, expr })),
  ...dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ place: title, expr }))),
].map(({ place, expr }) => ({ place, expr: expr.replaceAll("$__rate_interval", "1m").replaceAll("$resource", ".*") }));

/** What stands where only a metric can: before a selector, a range, or nothing that makes it a function or a label. */
function metricsIn(expr: string): readonly string[] {
  return [...expr.replace(/"[^"]*"/g, '""').matchAll(/\b(?:cr_reactor|reflector|rest_client|process|nodejs)_\w+/g)].map(
    ([name]) => name,
  );
}

describe("the dashboard and the alerts", () => {
  test("use only metrics that a bridge and functions have, in expressions that Prometheus takes", async (t) => {
    const addresses = await openMonitoredScene(t);
    if (addresses === undefined) return;
    const prometheus = await needPrometheus(t, addresses);
    if (prometheus === undefined) return;
    await until(async () => (await prometheus.query("count(up == 1) == 2")).length === 1, {
      what: "both to be scraped",
    });
    await until(async () => (await prometheus.query("cr_reactor_known_objects > 0")).length === 1);
    const names = new Set(await prometheus.names());
    for (const { place, expr } of expressions) {
      const used = metricsIn(expr);
      assert.ok(used.length > 0, `${place}: no metric of ours in ${expr}`);
      for (const name of used) assert.ok(names.has(name), `${place}: there is no metric ${name}`);
      await assert.doesNotReject(prometheus.query(expr), `${place}: ${expr}`);
    }
    const value = async (query: string) => await prometheus.query(`${query} == 1`);
    const resource = 'resource="databases.demo.example.com"';
    assert.equal((await value(`cr_reactor_objects{${resource},namespace="prod",phase="Failed"}`)).length, 1);
    assert.equal((await value(`cr_reactor_phase_duration_seconds_count{${resource},phase="Running"}`)).length, 1);
    assert.equal((await value(`cr_reactor_objects_diverged{${resource},spec="spec.replicas"}`)).length, 1);
    assert.equal((await value('cr_reactor_resource_database_replicas{name="orders"} - 1')).length, 1);
    assert.equal((await value('cr_reactor_subscription_matched_total{subscription="failed"}')).length, 1);
  });

  test("show series by labels that these have, in a unit, with nothing on top of another panel", () => {
    const { panels } = dashboard;
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { id, title, type, gridPos: own, fieldConfig, targets = [] } of panels) {
      assert.ok(own.x >= 0 && own.x + own.w <= 24, `${title} is wider than the page`);
      const covers = ({ id: other, gridPos: { x, y, w, h } }: Panel) =>
        other !== id && x < own.x + own.w && own.x < x + w && y < own.y + own.h && own.y < y + h;
      assert.deepEqual(
        panels.filter(covers).map((other) => other.title),
        [],
        title,
      );
      if (type === "row") continue;
      assert.ok(fieldConfig?.defaults.unit, `${title} has a unit`);
      assert.ok(targets.length > 0, `${title} shows something`);
      assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title);
      for (const { expr, legendFormat } of targets) {
        const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, labels = ""]) => labels.split(/, */));
        for (const [, label = ""] of legendFormat.matchAll(/{{(\w+)}}/g))
          assert.ok(grouped.includes(label), `${title}: ${label} is not a label of ${expr}`);
      }
    }
  });

  test("fire when they should and do not when they should not", async (t) => {
    const promtool = await needPromtool(t);
    if (promtool === undefined) return;
    const folder = createDataFolder("rules");
    t.after(() => folder.remove());
    writeFileSync(join(folder.path, "rules.yaml"), stringify(spec));
    writeFileSync(join(folder.path, "tests.yaml"), stringify({ rule_files: ["rules.yaml"], tests: ruleTests() }));
    assert.match(await runCommand(promtool, ["check", "rules", "rules.yaml"], { cwd: folder.path }), /SUCCESS/);
    assert.match(await runCommand(promtool, ["test", "rules", "tests.yaml"], { cwd: folder.path }), /SUCCESS/);
  });

  test("are asked for where the Services are, on the port that has a name", () => {
    const [monitor] = documentsIn("service-monitor.yaml");
    for (const { metadata, spec: service } of documentsIn("service.yaml")) {
      for (const [label, value] of Object.entries(monitor?.spec.selector?.matchLabels ?? {}))
        assert.equal(metadata.labels?.[label], value, metadata.name);
      const ports = (service.ports ?? []).map(({ name }) => name);
      assert.deepEqual(
        monitor?.spec.endpoints?.map(({ port }) => port),
        ports,
      );
    }
    const { resources, configMapGenerator } = parse(readFileSync(join(FOLDER, "kustomization.yaml"), "utf8")) as {
      resources: string[];
      configMapGenerator: { files: string[] }[];
    };
    const named = [...resources, ...configMapGenerator.flatMap(({ files }) => files), "kustomization.yaml"];
    assert.deepEqual(named.sort(), readdirSync(FOLDER).sort());
  });

  test("each have a runbook, in their order, and no other has one", () => {
    const named = rules.map(({ annotations: { runbook = "" } }) => runbook);
    const section = manifestsReadme.split("\n## Alerts\n")[1]?.split("\n## ")[0] ?? "";
    const [, ...runbooks] = section.split("\n### ");
    // As GitHub makes them of headings.
    const anchors = runbooks.map((text) => `manifests/README.md#${text.split("\n")[0]?.toLowerCase()}`);
    assert.deepEqual(named, anchors);
    assert.deepEqual(
      named,
      rules.map(({ alert }) => `manifests/README.md#${alert.toLowerCase()}`),
    );
  });

  test("have runbooks that name only metrics that the READMEs list", () => {
    const known = new Set([...readmes.matchAll(/\bcr_reactor_\w+/g)].map(([name]) => name));
    for (const [name] of manifestsReadme.matchAll(/\bcr_reactor_\w+/g)) assert.ok(known.has(name), name);
  });

  test("are all tried, each both ways", () => {
    assert.deepEqual(rules.map(({ alert }) => alert).sort(), Object.keys(CASES).sort());
  });
});

interface Manifest {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly endpoints?: readonly { readonly port: string }[];
    readonly ports?: readonly { readonly name: string }[];
  };
}

function documentsIn(file: string): readonly Manifest[] {
  return parseAllDocuments(readFileSync(join(FOLDER, file), "utf8")).map((each) => each.toJS() as Manifest);
}

/** Series that let an alert fire, and such that do not, in promtool's notation; one value a minute for 90 minutes. */
const CASES: Readonly<Record<string, { readonly fires: readonly Series[]; readonly quiet: readonly Series[] }>> = {
  CrReactorStuckInPhase: {
    fires: [['cr_reactor_phase_longest_seconds{resource="r",phase="Provisioning"}', "7200x90"]],
    quiet: [
      ['cr_reactor_phase_longest_seconds{resource="r",phase="Provisioning"}', "600x90"],
      ['cr_reactor_phase_longest_seconds{resource="r",phase="Ready"}', "999999x90"],
    ],
  },
  CrReactorStuckTerminating: {
    fires: [['cr_reactor_terminating_longest_seconds{resource="r"}', "3600x90"]],
    quiet: [['cr_reactor_terminating_longest_seconds{resource="r"}', "60x90"]],
  },
  CrReactorSpecUnobserved: {
    fires: [['cr_reactor_unobserved_longest_seconds{resource="r"}', "3600x90"]],
    quiet: [['cr_reactor_unobserved_longest_seconds{resource="r"}', "0x90"]],
  },
  CrReactorNoLeader: {
    fires: [['cr_reactor_is_leader{job="j",pod="a"}', "0x90"]],
    quiet: [
      ['cr_reactor_is_leader{job="j",pod="a"}', "0x90"],
      ['cr_reactor_is_leader{job="j",pod="b"}', "1x90"],
    ],
  },
  CrReactorWatchStale: {
    fires: [['cr_reactor_watch_last_event_timestamp_seconds{resource="r"}', "0x90"]],
    quiet: [
      ['cr_reactor_watch_last_event_timestamp_seconds{resource="r"}', "0+60x90"],
      ['cr_reactor_watch_live{resource="r"}', "1x90"],
    ],
  },
  CrReactorCaptureHeldUp: {
    fires: [['cr_reactor_waiting_for_room{job="j"}', "3x90"]],
    quiet: [['cr_reactor_waiting_for_room{job="j"}', "0x90"]],
  },
  CrReactorLogNearlyFull: {
    fires: [
      ['cr_reactor_log_bytes{job="j"}', "95x90"],
      ['cr_reactor_log_bytes_max{job="j"}', "100x90"],
    ],
    quiet: [
      ['cr_reactor_log_bytes{job="j"}', "95x90"],
      ['cr_reactor_log_bytes_max{job="j"}', "1000x90"],
    ],
  },
  CrReactorCheckpointLag: {
    fires: [['cr_reactor_checkpoint_lag_seconds{resource="r"}', "400x90"]],
    quiet: [['cr_reactor_checkpoint_lag_seconds{resource="r"}', "1x90"]],
  },
  CrReactorGap: {
    fires: [['cr_reactor_gaps_total{resource="r"}', "0x80 1x10"]],
    quiet: [['cr_reactor_gaps_total{resource="r"}', "5x90"]],
  },
  CrReactorLogRepaired: {
    fires: [
      ['cr_reactor_differences_total{resource="r",kind="stale"}', "0x80 2x10"],
      ['cr_reactor_recoveries_total{resource="r",cause="rewound"}', "0x90"],
    ],
    quiet: [
      ['cr_reactor_differences_total{resource="r",kind="stale"}', "2x90"],
      ['cr_reactor_recoveries_total{resource="r",cause="rewound"}', "1x90"],
    ],
  },
  CrReactorDeadLetters: {
    fires: [['cr_reactor_subscription_events_total{subscription="s",outcome="dead_letter"}', "0x80 1x10"]],
    quiet: [['cr_reactor_subscription_events_total{subscription="s",outcome="done"}', "0+9x90"]],
  },
  CrReactorConsumerLag: {
    fires: [['cr_reactor_subscription_oldest_waiting_seconds{subscription="s"}', "900x90"]],
    quiet: [['cr_reactor_subscription_oldest_waiting_seconds{subscription="s"}', "0x84 900x6"]],
  },
  CrReactorEventsExpireUnread: {
    fires: [['cr_reactor_subscription_events_at_risk{subscription="s"}', "24x90"]],
    quiet: [['cr_reactor_subscription_events_at_risk{subscription="s"}', "0x90"]],
  },
  CrReactorSubscriptionFailing: {
    fires: [['cr_reactor_subscription_failing{subscription="s"}', "1x90"]],
    quiet: [['cr_reactor_subscription_failing{subscription="s"}', "0x90"]],
  },
  CrReactorNobodyWorks: {
    fires: [
      ['cr_reactor_subscription_partitions_held{subscription="s",pod="a"}', "3x90"],
      ['cr_reactor_subscription_partitions{subscription="s",pod="a"}', "4x90"],
    ],
    quiet: [
      ['cr_reactor_subscription_partitions_held{subscription="s",pod="a"}', "3x90"],
      ['cr_reactor_subscription_partitions_held{subscription="s",pod="b"}', "1x90"],
      ['cr_reactor_subscription_partitions{subscription="s",pod="a"}', "4x90"],
      ['cr_reactor_subscription_partitions{subscription="s",pod="b"}', "4x90"],
    ],
  },
};

type Series = readonly [series: string, values: string];

/** One test each way: at the end the alert fires, or does not. */
function ruleTests(): readonly object[] {
  return Object.entries(CASES).flatMap(([alert, { fires, quiet }]) =>
    [
      { series: fires, firing: 1 },
      { series: quiet, firing: 0 },
    ].map(({ series, firing }) => ({
      interval: "1m",
      input_series: series.map(([name, values]) => ({ series: name, values })),
      promql_expr_test: [
        {
          expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
          eval_time: "88m",
          exp_samples: [{ labels: "{}", value: firing }],
        },
      ],
    })),
  );
}
