/**
 * The files of a Go module, for test data that others publish in one. Go checks what it downloads; the hash is pinned here as well.
 */
import { join } from "node:path";
import { z } from "zod";
import { CommandError, runCommand } from "./command.ts";

/** Which module, and what its files hash to (`h1:` as in go.sum). */
export interface ModulePin {
  readonly path: string;
  readonly version: string;
  readonly sum: string;
}

const Download = z.object({ Dir: z.string(), Sum: z.string() });

/** Downloads the module, once a machine. Returns the folder it is in, read-only. Throws CommandError. */
export async function downloadGoModule({ path, version, sum }: ModulePin, below = "."): Promise<string> {
  const answer = await runCommand("go", ["mod", "download", "-json", `${path}@${version}`], {
    env: { ...process.env, GOWORK: "off" },
  });
  const { Dir, Sum } = Download.parse(JSON.parse(answer));
  if (Sum !== sum) throw new CommandError(`${path}@${version} hashes to ${Sum} instead of ${sum}`);
  return join(Dir, below);
}
