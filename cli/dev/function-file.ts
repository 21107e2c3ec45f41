/** Finds the functions of a folder: files that call `defineFunction`. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { FileError } from "../file.ts";

const IS_SOURCE = /\.[cm]?[jt]s$/;
const IS_NO_FUNCTION = /\.(test|spec|d)\.[cm]?[jt]s$/;
/** A folder with more is no folder of functions: `dev` was started in the wrong place. */
const FILES_MAX = 2_000;

/** The files of these paths, each as `./path` from the working directory. A file is taken as it is. Throws FileError. */
export function functionFiles(paths: readonly string[]): readonly string[] {
  const files = paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) throw new FileError(`${path} does not exist: name a function, or a folder of them`);
    return stat.isFile()
      ? [path]
      : sourcesIn(path).filter((file) => readFileSync(file, "utf8").includes("defineFunction"));
  });
  return [...new Set(files.map((file) => `./${relative(process.cwd(), resolve(file))}`))].toSorted();
}

function sourcesIn(folder: string): readonly string[] {
  const found = foldersOf(folder).flatMap((path) =>
    readdirSync(path)
      .filter((name) => !name.startsWith(".") && IS_SOURCE.test(name) && !IS_NO_FUNCTION.test(name))
      .map((name) => join(path, name)),
  );
  if (found.length > FILES_MAX)
    throw new FileError(`${folder} has more than ${FILES_MAX} source files: name the folder of the functions`);
  return found;
}

/** The folder, and those below it in which functions may be. Throws FileError. */
export function foldersOf(folder: string): readonly string[] {
  const found = [folder];
  for (const path of found) {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !entry.name.startsWith(".") && entry.name !== "node_modules")
        found.push(join(path, entry.name));
    }
    if (found.length > FILES_MAX)
      throw new FileError(`${folder} has more than ${FILES_MAX} folders below it: name the folder of the functions`);
  }
  return found;
}
