/**
 * `cr-reactor types`: writes the TypeScript module of a kind, with which filters and functions are checked by the compiler. It is made
 * to be committed: with `--check` a build says when it is no longer what the definition says.
 */
import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { print, report, stopSignal } from "./terminal.ts";
import { GENERATED_MARK, renderTypes } from "./types-module.ts";
import { findKindTypes, TypesError, type TypesQuery } from "./types-source.ts";

/** The options of the command. */
export interface TypesOptions extends Omit<TypesQuery, "kind"> {
  /** The module's file; left out: standard output. */
  readonly output?: string;
  /** Compares, and writes nothing. */
  readonly check?: true;
  /** Overwrites a file that is none of its own. */
  readonly force?: true;
}

const EXIT_DIFFERENT = 1;
const HEADER_LENGTH = 1_000;

/** Writes the module. Throws TypesError, FileError, or what keeps the source from being read. */
export async function typesCommand(kind: string | undefined, options: TypesOptions): Promise<void> {
  const found = await findKindTypes({ ...options, kind }, stopSignal());
  const text = renderTypes({ ...found, command: commandOf(found, options) });
  const { output } = options;
  if (output === undefined) return print(text.trimEnd());
  const before = await readFile(output, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new TypesError(`${output} cannot be read: ${error.message}`, { cause: error });
  });
  if (options.check) {
    if (before === text) return;
    report(
      `${output} ${before === undefined ? "does not exist" : "is not what the definition says"}: make it with ${commandOf(found, options)}`,
    );
    process.exitCode = EXIT_DIFFERENT;
    return;
  }
  if (before !== undefined && !before.slice(0, HEADER_LENGTH).includes(GENERATED_MARK) && !options.force)
    throw new TypesError(
      `${output} was not written by this command: choose another name, or overwrite it with --force`,
    );
  if (before !== text) await writeFile(output, text);
  report(`${output}: ${found.kind} ${found.apiVersion}${before === text ? ", as before" : ""}`);
}

/** Without what differs from one machine to the next. */
function commandOf(
  { kind, apiVersion }: { readonly kind: string; readonly apiVersion: string },
  options: TypesOptions,
): string {
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const words = ["cr-reactor types", kind, `--api-version ${version}`];
  if (options.crd !== undefined) words.push(`--crd ${basename(options.crd)}`);
  if (options.output !== undefined) words.push(`--output ${basename(options.output)}`);
  return words.join(" ");
}
