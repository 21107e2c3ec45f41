/** The command line as people run it: a process of its own, to its end. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { spawnOwned } from "../kit/owned-child.ts";

/** The file that is the command line. */
export const CLI = join(import.meta.dirname, "../../cli/main.ts");

/** How one ended, and what it wrote. */
export interface CliRun {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs it without colours; a stack in what it wrote is a defect. */
export async function runCli(
  args: readonly string[],
  {
    url = "nats://127.0.0.1:1",
    cwd = process.cwd(),
    env = {},
  }: {
    readonly url?: string;
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string>>;
  } = {},
): Promise<CliRun> {
  const all = { ...process.env, NO_COLOR: "1", NATS_URL: url, ...env };
  const child = spawnOwned(process.execPath, [CLI, ...args], { cwd, env: all });
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code: await closed, out, err };
}
