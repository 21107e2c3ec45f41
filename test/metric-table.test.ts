/**
 * The tables of metrics in the READMEs, against what a bridge and functions at work really have: each name with its type and labels, and none
 * that is not there. What promtool thinks of them is asked, too.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { openMonitoredScene } from "./journey/monitored-scene.ts";
import { needPromtool } from "./kit/shared-kube.ts";
import { until } from "./kit/until.ts";

/** A metric as `name{labels} type`, with its labels in the order of their names. */
type Line = string;

/** Of Node and of every process. */
const NOT_OURS = /^(process|nodejs)_/;
function tableOf(room: string): readonly Line[] {
  const readme = readFileSync(join(import.meta.dirname, "..", room, "README.md"), "utf8");
  const section = readme.split("\n## Metrics and status\n")[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| (`.*?`) \| (\w+) \|/gm)].flatMap(([, names = "", type]) =>
    [...names.matchAll(/`(\w+)(?:\{([\w,]*)\})?`/g)].map(([, name, labels = ""]) =>
      lineOf(`${name}`, labels.split(",").filter(Boolean), `${type}`),
    ),
  );
}

/** What a scrape in Prometheus' own text has. */
function metricsIn(text: string): readonly Line[] {
  const families = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].filter(([, name = ""]) => !NOT_OURS.test(name));
  return families.map(([, name = "", type = ""]) => {
    const samples = [...text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?(?:\\{(.*)\\})? `, "gm"))];
    const labels = samples.flatMap(([, pairs = ""]) => [...pairs.matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)]);
    return lineOf(
      name,
      [...new Set(labels.map(([, label]) => `${label}`))].filter((label) => label !== "le"),
      type,
    );
  });
}

function lineOf(name: string, labels: readonly string[], type: string): Line {
  return `${name}{${labels.toSorted().join(",")}} ${type}`;
}

const scrape = async (address: string, accept = "") =>
  await (await fetch(`http://${address}/metrics`, { headers: { accept } })).text();

/** What promtool finds wrong with ours. */
function lint(promtool: string, input: string): readonly string[] {
  const { stdout, stderr } = spawnSync(promtool, ["check", "metrics"], { input, encoding: "utf8" });
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "" && !NOT_OURS.test(line));
}

describe("the READMEs' tables of metrics", () => {
  test("have what a bridge and functions have, and nothing else", async (t) => {
    const addresses = await openMonitoredScene(t);
    if (addresses === undefined) return;
    const [bridge, functions] = addresses;
    // What is only there after a second, and after a comparison with the log.
    const isComplete = async () =>
      /^cr_reactor_known_objects.*^cr_reactor_last_verification_/ms.test(await scrape(bridge));
    await until(isComplete, { what: "all metrics of the bridge to be there" });
    const isCounted = async () => /^cr_reactor_subscription_due_events/m.test(await scrape(functions));
    await until(isCounted, { what: "NATS to say what waits" });
    const ours = (lines: readonly Line[]) =>
      lines.filter((line) => !line.startsWith("cr_reactor_resource_database_")).toSorted();
    assert.deepEqual(ours(metricsIn(await scrape(bridge))), tableOf("bridge").toSorted());
    assert.deepEqual(metricsIn(await scrape(functions)).toSorted(), tableOf("functions").toSorted());

    for (const address of addresses) {
      const open = await scrape(address, "application/openmetrics-text");
      for (const [, name = ""] of open.matchAll(/^# TYPE (\w+) /gm)) {
        if (NOT_OURS.test(name)) continue;
        const [, unit] = new RegExp(`^# UNIT ${name} (\\w+)$`, "m").exec(open) ?? [];
        const [, expected] = /_(seconds|bytes)$/.exec(name) ?? [];
        assert.equal(unit, expected, name);
      }
    }

    const promtool = await needPromtool(t);
    if (promtool === undefined) return;
    for (const address of addresses) assert.deepEqual(lint(promtool, await scrape(address)), []);
  });

  test("have each metric once", () => {
    const names = ["bridge", "functions"].flatMap(tableOf).map((line) => line.replace(/\{.*/, ""));
    assert.ok(names.length > 50);
    assert.deepEqual(names, [...new Set(names)]);
  });
});
