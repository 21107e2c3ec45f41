/** Files that the user named on the command line. */
import { readFile } from "node:fs/promises";

/** The file cannot be read. */
export class FileError extends Error {
  readonly code = "FILE_UNREADABLE";
  override readonly name = "FileError";
}

/** Reads a text file. Throws FileError, which names it. */
export async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const reason =
      cause instanceof Error && "code" in cause && cause.code === "ENOENT"
        ? "does not exist"
        : `cannot be read (${(cause as Error).message})`;
    throw new FileError(`${path} ${reason}: check the path`, { cause });
  }
}
