/**
 * The table "What matches" in functions/README.md is the test: each filter in it is parsed as YAML, and each of its cells is compared
 * with what the filter says of the event that its column names.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { Filter } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import * as event from "../event-factory.ts";

/** An object when it is not yet (or no longer) what the filter speaks of, and when it is. */
interface States {
  readonly out: event.DatabaseFields;
  readonly so: event.DatabaseFields;
}

const README = readFileSync(join(import.meta.dirname, "../../../../functions/README.md"), "utf8");
const section = README.split("## What matches")[1]?.split("\n## ")[0] ?? "";
const [heading = [], , ...rows] = section
  .split("\n")
  .filter((line) => line.startsWith("|"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
const columns = heading.slice(1);
const schema = z.toJSONSchema(Filter, { io: "input", unrepresentable: "any" });
const KEYS = Object.keys(schema.$defs?.[schema.$ref?.split("/").at(-1) ?? ""]?.properties ?? {});

const replicas = (count: number) => ({ spec: { replicas: count } });
const by = (manager: string) => {
  const fieldsV1 = { "f:spec": { "f:replicas": {} }, "f:metadata": { "f:annotations": { "f:v": {} } } };
  return { managedFields: [{ manager, operation: "Update", time: "2026-01-02T00:00:00Z", fieldsV1 }] };
};
const owner = { apiVersion: "demo.example.com/v1", kind: "Shop", name: "eu", uid: "u" };
const ready = (status: string, reason = "Because") => ({ status: { conditions: [{ type: "Ready", status, reason }] } });

const REPLICAS: States = {
  out: { ...replicas(3), metadata: by("controller") },
  so: { ...replicas(5), metadata: by("kubectl-edit") },
};
/** By the filter as the table writes it; the others are about replicas, 3 and then 5. */
const STATES: Readonly<Record<string, States>> = {
  "{ terminating: true }": {
    out: {},
    so: { metadata: { deletionTimestamp: "2026-01-02T00:00:00Z", finalizers: ["a"] } },
  },
  "{ phase: {} }": { out: { phase: "Running" }, so: { phase: "Failed" } },
  "{ phase: { to: Failed } }": { out: { phase: "Running" }, so: { phase: "Failed" } },
  "{ phase: { from: Failed } }": { out: { phase: "Running" }, so: { phase: "Failed" } },
  "{ condition: { type: Ready, to: False } }": { out: ready("True"), so: ready("False") },
  "{ condition: { type: Ready, from: False } }": { out: ready("True"), so: ready("False") },
  "{ condition: { type: Ready, to: False, reason: Stuck } }": {
    out: ready("False", "Busy"),
    so: ready("False", "Stuck"),
  },
  "{ field: { path: spec.restoreFrom, present: true } }": {
    out: replicas(5),
    so: { spec: { replicas: 5, restoreFrom: "b" } },
  },
  "{ field: { path: spec.paused, absent: true } }": { out: { spec: { replicas: 5, paused: true } }, so: replicas(5) },
  "{ diverged: { spec: spec.replicas, status: status.replicas } }": {
    out: { spec: { replicas: 3 }, status: { replicas: 3 } },
    so: { spec: { replicas: 5 }, status: { replicas: 3 } },
  },
  "{ ownedBy: { kind: Shop } }": { out: {}, so: { metadata: { ownerReferences: [owner] } } },
  "{ labels: { tier: gold } }": { out: {}, so: { labels: { tier: "gold" } } },
  "{ not: { labels: { tier: gold } } }": { out: { labels: { tier: "gold" } }, so: {} },
  "{ exact: { phase: Failed } }": { out: { phase: "Running" }, so: { phase: "Failed" } },
  "{ sql: \"phase = 'Failed'\" }": { out: { phase: "Running" }, so: { phase: "Failed" } },
};

/** What happens, by the words of the table's head. */
const HAPPENS: Readonly<Record<string, (states: States) => event.TestEvent>> = {
  "created so": ({ so }) => event.created(so),
  "there before": ({ so }) => event.existing(so),
  "becomes so": ({ out, so }) => event.updated(out, so),
  "so after a gap": ({ out, so }) => event.updated(out, { ...so, gap: true }),
  "so no more": ({ out, so }) => event.updated(so, out),
  "so as before": ({ so }) => event.updated({ ...so, annotations: { v: "1" } }, { ...so, annotations: { v: "2" } }),
  deleted: ({ so }) => event.deleted(so),
  unselected: ({ so }) => event.unselected(so),
};

describe("the table of what matches", () => {
  test("has a column for all that can happen, and a row for every key of a filter", () => {
    assert.deepEqual(columns, Object.keys(HAPPENS));
    assert.ok(KEYS.includes("phase"));
    const keys = new Set(rows.flatMap(([cell = ""]) => Object.keys(parse(yamlOf(cell)) ?? {})));
    // The rest differ from a row of the table in the place they look at, not in when.
    const alike = ["annotations", "cesql", "prefix", "suffix"];
    const missing = KEYS.filter((key) => !keys.has(key) && !alike.includes(key));
    assert.deepEqual(missing, []);
  });

  for (const [cell = "", ...expected] of rows) {
    const yaml = yamlOf(cell);
    const when = yaml === "" ? undefined : Filter.parse(parse(yaml));
    const states = STATES[yaml] ?? REPLICAS;
    for (const [position, column] of columns.entries()) {
      const { envelope } = HAPPENS[column]?.(states) ?? assert.fail(column);
      const selection = { apiVersion: "demo.example.com/v1", kind: "Database", ...(when && { when }) };
      test(`${yaml || "no filter"}: ${column}: ${expected[position]}`, () => {
        const plain = compileFilter(selection).match(envelope).type;
        const asked = compileFilter({ ...selection, includeExisting: true }).match(envelope).type;
        const found = asked === "matched" ? (plain === "matched" ? "yes" : "if asked") : "–";
        assert.equal(found, expected[position]);
      });
    }
  }
});

function yamlOf(cell: string): string {
  return /`(.*)`/.exec(cell)?.[1] ?? "";
}
