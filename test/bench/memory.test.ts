import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { needNats } from "../kit/shared-kube.ts";

const BENCH = join(import.meta.dirname, "memory.ts");

describe("the measurement of memory that the README names", () => {
  test("runs the bundle through all phases, and tells time, memory and peak of each", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const small = ["--objects", "30", "--changes", "10", "--away", "1", "--idle", "1"];
    const { stdout } = await promisify(execFile)(process.execPath, [BENCH, ...small]);
    const [, ...rows] = stdout.trimEnd().split("\n");
    const phases = rows.map((row) => {
      const [, what = "", seconds, rss, peak] = /^(.+?) +([\d.]+) +(\d+) +(\d+)$/.exec(row) ?? assert.fail(row);
      assert.ok(Number(seconds) > 0 && Number(rss) > 30 && Number(peak) >= Number(rss), row);
      return what.trim();
    });
    assert.deepEqual(phases, [
      "started, nothing to capture",
      "idle",
      "first list: 30 objects published",
      "idle",
      "started again: the log's index is read",
      "idle",
      "10 objects change",
      "idle",
      "10 objects change without NATS",
      "NATS is back, all is published",
    ]);
  });
});
