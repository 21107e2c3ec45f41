/**
 * Four short runs of `npm run chaos`, with a fixed seed, under load: bridge and NATS are killed, the API server comes back without its
 * history, and connections are cut; etcd is put back to an older copy, the log is lost, and the kind with all objects; a cluster of NATS loses
 * its leader; the bridges are upgraded. Then every write is looked for in the log. Longer runs with all faults: `npm run chaos`.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { needKube, needNats, needNatsCluster } from "../kit/shared-kube.ts";
import { CHAOS_KUBE } from "./bridge-access.ts";
import { violationLine } from "./evidence.ts";
import type { FaultName } from "./fault.ts";
import { report } from "./report.ts";
import { runChaos } from "./run.ts";

const SEED = 5;
const RUNS: readonly { readonly what: string; readonly faults: readonly FaultName[]; readonly isCluster?: true }[] = [
  {
    what: "bridge, NATS, API server and connections fail",
    faults: ["bridge-kill", "nats-kill", "kube-restart", "kube-cut", "nats-cut"],
  },
  {
    what: "etcd goes back, and the log and the kind vanish",
    faults: ["etcd-restored", "nats-wiped", "crd-recreated"],
  },
  {
    what: "a cluster of NATS loses its leader, and the leading bridge dies at a point that hurts",
    faults: ["nats-leader-kill", "nats-leader-stepdown", "bridge-kill-published"],
    isCluster: true,
  },
  { what: "the bridges are upgraded, and the upgrade is taken back", faults: ["bridge-upgrade"] },
];

describe("nothing is lost, nothing is there twice, everything is in order and nothing is false", () => {
  for (const { what, faults, isCluster } of RUNS)
    test(`while ${what} under load`, { timeout: 300_000 }, async (t) => {
      const kube = await needKube(t, CHAOS_KUBE);
      const nats = kube && (await (isCluster ? needNatsCluster(t) : needNats(t)));
      if (kube === undefined || nats === undefined) return;
      const result = await runChaos(
        { kube, nats },
        {
          seed: SEED,
          rate: 80,
          objects: 40,
          namespaces: 3,
          faults,
          durationMs: Number.POSITIVE_INFINITY,
          turnsMax: faults.length,
          tell: (line) => t.diagnostic(line),
        },
      );
      t.diagnostic(report(result));
      assert.deepEqual(result.verdict.violations.map(violationLine), []);
      assert.deepEqual(result.problems, []);
      assert.deepEqual(
        result.played.filter(({ recoveryMs }) => recoveryMs === undefined),
        [],
        "the bridge did not catch up",
      );
      assert.deepEqual(result.played.map(({ fault }) => fault).toSorted(), faults.toSorted());
      const { writes, events, forgotten } = result.verdict.counts;
      assert.ok(writes > 200 && events + forgotten > 200, "enough was written to prove something");
    });
});
