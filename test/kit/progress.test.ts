/** Progress lines: a sign of life every ten seconds while something takes long, on one line where a person watches a terminal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stderrReport, withHeartbeat } from "./install/progress.ts";

const streams: { name: string; isTTY: boolean; expected: string }[] = [
  {
    name: "a file gets one line after the other",
    isTTY: false,
    expected: "first\nbuild … 10 s\nbuild … 20 s\nready\n",
  },
  {
    name: "a terminal gets its heartbeats on one line",
    isTTY: true,
    expected: "\r\u001b[2Kfirst\n\r\u001b[2Kbuild … 10 s\r\u001b[2Kbuild … 20 s\r\u001b[2Kready\n",
  },
];

for (const { name, isTTY, expected } of streams) {
  test(name, async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    let now = 0;
    t.mock.method(performance, "now", () => now);
    let written = "";
    const stream = { isTTY, write: (chunk: string) => (written += chunk) } as unknown as NodeJS.WriteStream;
    const report = stderrReport(stream);
    report("first");
    await withHeartbeat(report, "build", async () => {
      for (const seconds of [10, 20, 25]) {
        const passed = seconds * 1000 - now;
        now += passed;
        t.mock.timers.tick(passed);
      }
    });
    report("ready");
    assert.equal(written, expected);
  });
}
