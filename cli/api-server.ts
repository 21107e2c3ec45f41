/**
 * `cr-reactor api-server`: the embedded API server by itself, for writing functions without a cluster: kubectl, the bridge and
 * everything else that takes a kubeconfig works on it. Nothing is kept when it ends, and no file that it did not write is touched.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startEmbeddedKube } from "./embedded/embedded.ts";
import { readTextFile } from "./file.ts";
import { print, stopSignal } from "./terminal.ts";

/** The options of the command. */
export interface ApiServerOptions {
  /** Default: any that is free. */
  readonly port?: number;
  /** Where to write the kubeconfig. Default: a temporary file. */
  readonly kubeconfig?: string;
}

/** The kubeconfig cannot be written where it is wanted. */
class KubeconfigFileError extends Error {
  readonly code = "KUBECONFIG_FILE";
  override readonly name = "KubeconfigFileError";
}

/** The first line of every kubeconfig that is written here. */
const MARK = "# Written by `cr-reactor api-server`, which removes it when it ends.\n";

/** Runs until it is told to stop. Throws FileError, ManifestError, ListenError, or an error that names the kubeconfig. */
export async function apiServerCommand(paths: readonly string[], options: ApiServerOptions): Promise<void> {
  const { port, kubeconfig } = options;
  const signal = stopSignal();
  if (kubeconfig !== undefined) requireOurs(kubeconfig);
  const files = await Promise.all(paths.map(async (path) => ({ name: path, text: await readTextFile(path) })));
  await using server = await startEmbeddedKube(port === undefined ? {} : { port });
  const loaded = await server.load(files);
  using file = writeKubeconfig(kubeconfig, MARK + server.kubeconfig());
  print(`the embedded API server (${server.version}) listens at ${server.url}${holding(loaded)}`);
  print(`  export KUBECONFIG=${quoted(file.path)}`);
  print("Ctrl-C ends it; nothing is kept.");
  if (!signal.aborted) await new Promise((done) => signal.addEventListener("abort", done, { once: true }));
}

/** Without a path the file gets a folder of its own. It is removed at the end, unless somebody else has written it meanwhile. */
function writeKubeconfig(wanted: string | undefined, text: string): Disposable & { readonly path: string } {
  const folder = wanted === undefined ? mkdtempSync(join(tmpdir(), "cr-reactor-")) : undefined;
  const path = resolve(wanted ?? join(folder ?? "", "kubeconfig"));
  try {
    writeFileSync(path, text, { mode: 0o600 });
  } catch (cause) {
    throw new KubeconfigFileError(`the kubeconfig cannot be written: ${(cause as Error).message}`, { cause });
  }
  return {
    path,
    [Symbol.dispose]() {
      if (textOf(path) === text) rmSync(path);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Throws KubeconfigFileError when there is a file that was not written here. */
function requireOurs(path: string): void {
  const text = textOf(path);
  if (text === undefined || text.startsWith(MARK)) return;
  throw new KubeconfigFileError(
    `${path} is there already, and not from \`cr-reactor api-server\`: name another file with --kubeconfig, or leave it out`,
  );
}

/** `undefined` when there is no such file. Throws KubeconfigFileError when it cannot be read. */
function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new KubeconfigFileError(`${path} cannot be used for the kubeconfig: ${(cause as Error).message}`, { cause });
  }
}

function holding(objects: number): string {
  if (objects === 0) return "";
  return `, with ${objects === 1 ? "one object" : `${objects} objects`} of yours`;
}

/** For a POSIX shell. */
function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
