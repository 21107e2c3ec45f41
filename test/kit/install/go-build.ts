/**
 * Builds a server from its Go module. Versions and hashes of everything that goes into it are pinned by `../servers/go.mod` and
 * `go.sum` (alertmanager has its own), which the build may not change. Go 1.21 is enough to begin with: it fetches the toolchain that go.mod asks for.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { CommandError, runCommand } from "./command.ts";

/** What to build. */
export interface GoPin {
  readonly package: string;
  /** The folder of its go.mod in the kit. @default servers */
  readonly module?: string;
  /** Values set into the package's variables, by their import path. */
  readonly variables?: Readonly<Record<string, string>>;
}

const GO_MINOR_MIN = 21; // the first that switches toolchains by itself

/** Builds the package into the file `out`. Throws CommandError. */
export async function buildWithGo(pin: GoPin, out: string, env: NodeJS.ProcessEnv): Promise<void> {
  const version = await runCommand("go", ["version"], { env });
  const [, major = 0, minor = 0] = /go(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  if (major < 1 || (major === 1 && minor < GO_MINOR_MIN)) {
    throw new CommandError(`${version.trim()} is too old: 1.${GO_MINOR_MIN} or newer is needed`);
  }
  const variables = Object.entries(pin.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`);
  const ldflags = ["-s", "-w", ...variables].join(" ");
  await runCommand(
    "go",
    ["build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", ldflags, "-o", out, pin.package],
    { cwd: moduleFolder(pin.module ?? "servers"), env: { ...env, CGO_ENABLED: "0", GOWORK: "off" } },
  );
}

/** The folder of go.mod, whether this file runs as it is or from the bundle in dist/. */
function moduleFolder(name: string): string {
  const folders = [`../${name}`, `../test/kit/${name}`].map((path) => join(import.meta.dirname, path));
  const folder = folders.find((path) => existsSync(join(path, "go.mod")));
  if (folder === undefined) throw new CommandError(`go.mod of ${name} is not in ${folders.join(" or ")}`);
  return folder;
}
