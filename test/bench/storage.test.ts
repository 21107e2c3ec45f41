import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { needNats } from "../kit/shared-kube.ts";

const BENCH = join(import.meta.dirname, "storage.ts");

describe("the measurement of storage that the README names", () => {
  test("runs, and tells what the README's table has", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const { stdout } = await promisify(execFile)(process.execPath, [BENCH, "--objects", "20", "--changes", "3"]);
    assert.match(stdout, /^80 events of 20 objects of 2 KB\n/);
    assert.match(stdout, /an event +\d+ bytes of JSON\n/);
    assert.match(stdout, /a million events +[\d.]+ GiB as the stream's limit counts, [\d.]+ GiB on disk \(none\)\n/);
    assert.match(stdout, /an object +\d+ bytes on disk with its 4 events\n/);
  });
});
