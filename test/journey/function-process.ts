/**
 * A real process of `cr-reactor run` in a folder of its own, with the kill points of `kill-point-preload.ts` around it.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { createDataFolder } from "../kit/data-folder.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";

const ROOT = join(import.meta.dirname, "../..");
const PRELOAD = join(import.meta.dirname, "kill-point-preload.ts");

/** What is in the folder when it starts. */
export interface FunctionProcessOptions {
  /** The subscriptions file, as data. */
  readonly config: object;
  /** By name: modules of functions. */
  readonly files?: Readonly<Record<string, string>>;
  /** Called with the folder before the process starts. */
  readonly prepare?: (folder: string) => void;
}

/** Starts it, and stops it when the test ends. `folder` is where kill points are armed. */
export async function startFunctionProcess(
  t: TestContext,
  { config, files = {}, prepare }: FunctionProcessOptions,
): Promise<ServerProcess & { readonly folder: string }> {
  const folder = createDataFolder("functions");
  for (const [name, text] of Object.entries({ ...files, "subscriptions.yaml": stringify(config) }))
    writeFileSync(join(folder.path, name), text);
  prepare?.(folder.path);
  const args = ["--import", PRELOAD, join(ROOT, "cli/main.ts"), "run", "--subscriptions", "subscriptions.yaml"];
  const functions = await startServer({
    ...{ name: "cr-reactor run", command: process.execPath, args: () => args, folder },
    ...{ isReady: /"consumer (created|kept|updated)"/, stopMsMax: 10_000 },
  });
  t.after(async () => {
    await functions.kill("SIGCONT");
    await functions.stop();
  });
  return Object.assign(Object.create(functions) as ServerProcess, { folder: folder.path });
}
