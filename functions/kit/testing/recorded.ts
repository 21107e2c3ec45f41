/**
 * Reads recorded events: what `cr-reactor tail --json > failed.ndjson` has written, or JSON.
 */
import { readFile } from "node:fs/promises";
import { MalformedEventError, parseEnvelope } from "#contract";

/** The JSON of each event of the file, which is there and an event. Throws MalformedEventError with file and line. */
export async function readRecorded(file: string | URL): Promise<readonly string[]> {
  const text = (await readFile(file, "utf8")).trim();
  const events = wholeJson(text);
  if (events !== undefined)
    return events.map((event, index) => checked(JSON.stringify(event), `${file}, event ${index + 1}`));
  return text.split("\n").flatMap((line, index) => (line.trim() === "" ? [] : [checked(line, `${file}:${index + 1}`)]));
}

/** `undefined` for lines of JSON. */
function wholeJson(text: string): readonly unknown[] | undefined {
  try {
    return [JSON.parse(text)].flat() as unknown[];
  } catch {
    return undefined;
  }
}

function checked(text: string, where: string): string {
  try {
    parseEnvelope(text);
    return text;
  } catch (cause) {
    throw new MalformedEventError(`${where}: ${(cause as Error).message}`, { cause });
  }
}
