/**
 * The audit log as a file: lines are added at its end and on disk before the event is acknowledged, and the chain goes on after a restart
 * behind the last whole line. An event that is delivered again is not written again. One writer a file: another one is noticed and refused.
 * A file that was moved away (rotated) begins anew, its first line naming the last of the one before.
 */
import { randomUUID } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { type ChainEnd, readLine, sealLine } from "./audit-chain.ts";

/** Adds lines to a file. */
export interface AuditFile {
  /** Resolves when the line is on disk: to its place in the chain, or to `undefined` when the event had been written before. */
  write(id: string, record: object): Promise<ChainEnd | undefined>;
}

/** Read at the start, to find the chain's end and the events that may come again: more than can be in hand, at 2 KB a line. */
const TAIL_BYTES = 4 * 1024 * 1024;
/** Ids that are remembered, for events that come again. */
const IDS_MAX = 16_384;

interface Waiting {
  readonly id: string;
  readonly record: object;
  readonly settle: PromiseWithResolvers<ChainEnd | undefined>;
}

/** Starts writing to `path`, which is made when it is missing. Nothing is opened before the first line. */
export function createAuditFile(path: string): AuditFile {
  const written = new Map<string, true>();
  let end: ChainEnd | { readonly chain: string } | undefined;
  /** How long the file was when we last wrote to it, and which one it was. */
  let known: { readonly inode: number; readonly bytes: number } | undefined;
  let waiting: Waiting[] = [];
  let busy = false;

  const remember = (id: string) => {
    written.set(id, true);
    const [oldest] = written.keys();
    if (written.size > IDS_MAX && oldest !== undefined) written.delete(oldest);
  };
  /** Makes sure that the file is as we left it. Returns what has to stand before the next line. */
  const goOn = async (file: FileHandle): Promise<string> => {
    const { ino, size } = await file.stat();
    if (known?.inode === ino && known.bytes === size) return "";
    // Moved away and made anew, or copied and emptied.
    if (known !== undefined && size === 0) return "";
    if (known?.inode === ino)
      throw new Error(
        `${path} has ${size} bytes instead of ${known.bytes}: somebody else writes to the audit log, or cut it. Give each writer a file of its own, and start again`,
      );
    const tail = await readTail(file, size);
    for (const id of tail.ids) remember(id);
    end = tail.end ?? end ?? { chain: randomUUID() };
    return tail.isTorn ? "\n" : "";
  };
  const writeAll = async (batch: readonly Waiting[]) => {
    const file = await open(path, "a+");
    try {
      let text = await goOn(file);
      let next = end ?? { chain: randomUUID() };
      const results = batch.map(({ id, record }) => {
        if (written.has(id)) return undefined;
        const sealed = sealLine(record, next);
        text += `${sealed.text}\n`;
        next = sealed.end;
        return sealed.end;
      });
      // Where this fails a part may be on disk: what stands there is read again.
      known = undefined;
      await file.appendFile(text);
      await file.datasync();
      const { ino, size } = await file.stat();
      known = { inode: ino, bytes: size };
      end = next;
      for (const { id } of batch) remember(id);
      return results;
    } finally {
      await file.close();
    }
  };
  /** Everything that waits is written at once: one flush for all of it. */
  const work = async () => {
    busy = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      const unique = [...new Map(batch.map((each) => [each.id, each])).values()];
      try {
        const results = await writeAll(unique);
        const byId = new Map(unique.map(({ id }, index) => [id, results[index]]));
        for (const { id, settle } of batch) settle.resolve(byId.get(id));
      } catch (error) {
        for (const { settle } of batch) settle.reject(error);
      }
    }
    busy = false;
  };
  return {
    write(id, record) {
      const settle = Promise.withResolvers<ChainEnd | undefined>();
      waiting.push({ id, record, settle });
      if (!busy) void work();
      return settle.promise;
    },
  };
}

interface Tail {
  readonly end: ChainEnd | undefined;
  readonly ids: readonly string[];
  readonly isTorn: boolean;
}

async function readTail(file: FileHandle, size: number): Promise<Tail> {
  const length = Math.min(size, TAIL_BYTES);
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
  const text = buffer.toString("utf8");
  const found = text.split("\n").flatMap((line) => readLine(line) ?? []);
  const ids = found.flatMap(({ id }) => id ?? []);
  return { end: found.at(-1)?.end, ids, isTorn: text !== "" && !text.endsWith("\n") };
}
