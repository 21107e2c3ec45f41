import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);

// cli/file.ts
import { readFile } from "node:fs/promises";
var FileError = class extends Error {
  code = "FILE_UNREADABLE";
  name = "FileError";
};
async function readTextFile(path) {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error && "code" in cause && cause.code === "ENOENT" ? "does not exist" : `cannot be read (${cause.message})`;
    throw new FileError(`${path} ${reason}: check the path`, { cause });
  }
}

export {
  readTextFile
};
