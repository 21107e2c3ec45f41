/**
 * Takes one program out of a Debian package, which apt has checked; the package is unpacked, never installed. Only on Debian and what is made
 * of it. Its lists are brought up to date where they are missing and this user may do so.
 */
import { chmod, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError, runCommand } from "./command.ts";

/** Which package, and the place of the program in it. */
export interface DebianPin {
  readonly package: string;
  readonly path: string;
}

/** Puts the program into the file `out`. Throws CommandError. */
export async function unpackDebianPackage(pin: DebianPin, out: string, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = await mkdtemp(join(dirname(out), ".deb-"));
  try {
    const download = () => runCommand("apt-get", ["download", "--quiet", pin.package], { cwd: folder, env });
    await download().catch(async () => {
      await runCommand("apt-get", ["update", "--quiet"], { env });
      await download();
    });
    const file = (await readdir(folder)).find((name) => name.endsWith(".deb"));
    if (file === undefined) throw new CommandError(`apt-get download left no package ${pin.package}`);
    await runCommand("dpkg-deb", ["--extract", join(folder, file), join(folder, "tree")], { env });
    await rename(join(folder, "tree", pin.path), out);
    await chmod(out, 0o755);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
