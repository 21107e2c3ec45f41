/**
 * A short run of `npm run chaos`, with a fixed seed: bridge and NATS are killed, the API server comes back without its history, and
 * connections are cut, all under load; then every write is looked for in the log. Longer runs with all faults: `npm run chaos`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { needKube, needNats } from "../kit/shared-kube.ts";
import { violationLine } from "./evidence.ts";
import type { FaultName } from "./fault.ts";
import { report } from "./report.ts";
import { runChaos } from "./run.ts";

const SEED = 5;
const FAULTS: readonly FaultName[] = ["bridge-kill", "nats-kill", "kube-restart", "kube-cut", "nats-cut"];

describe("while bridge, NATS, API server and connections fail under load", () => {
  test("nothing is lost, nothing is there twice, everything is in order and nothing is false", {
    timeout: 300_000,
  }, async (t) => {
    const kube = await needKube(t);
    const nats = kube && (await needNats(t));
    if (kube === undefined || nats === undefined) return;
    const result = await runChaos(
      { kube, nats },
      {
        seed: SEED,
        rate: 80,
        objects: 40,
        namespaces: 3,
        faults: FAULTS,
        durationMs: Number.POSITIVE_INFINITY,
        turnsMax: FAULTS.length,
        tell: (line) => t.diagnostic(line),
      },
    );
    t.diagnostic(report(result));
    assert.deepEqual(result.verdict.violations.map(violationLine), []);
    assert.deepEqual(
      result.played.filter(({ recoveryMs }) => recoveryMs === undefined),
      [],
      "the bridge did not catch up",
    );
    assert.deepEqual(result.played.map(({ fault }) => fault).toSorted(), FAULTS.toSorted());
    const { writes, events } = result.verdict.counts;
    assert.ok(writes > 200 && events > 200, "enough was written to prove something");
  });
});
