/**
 * Another build of this program, as an upgrade brings it: bundled, with a version of its own. What it does is the same, since there is no release
 * yet whose sources would differ; what an upgrade does to processes, leases and files is all there.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "../../build.ts";
import { createDataFolder } from "./data-folder.ts";

const ROOT = join(import.meta.dirname, "../..");

/** A build on disk, until this process ends. */
export interface OtherBuild {
  /** What `node` is given. */
  readonly cli: string;
  readonly version: string;
}

/** Takes about ten seconds. Throws what the build throws. */
export async function otherBuild(): Promise<OtherBuild> {
  const folder = createDataFolder("other-build").path;
  const dist = join(folder, "dist");
  await build(dist);
  const manifest = readFileSync(join(ROOT, "package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { version: string };
  const other = `${version}-next`;
  const renamed = (text: string) => text.replaceAll(`version: "${version}"`, `version: "${other}"`);
  writeFileSync(join(folder, "package.json"), manifest);
  for (const file of globSync("*.js", { cwd: dist }))
    writeFileSync(join(dist, file), renamed(readFileSync(join(dist, file), "utf8")));
  return { cli: join(dist, "cr-reactor.js"), version: other };
}
