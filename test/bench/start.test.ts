import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { needNats } from "../kit/shared-kube.ts";

describe("the measurement of the start that functions/README.md names", () => {
  test("runs", async (t) => {
    if ((await needNats(t)) === undefined) return;
    const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "start.ts"), "1"]);
    assert.match(stdout, /^((run|serve), (no )?compile cache: median \d+ ms, fastest \d+ ms\n){4}$/);
  });
});
