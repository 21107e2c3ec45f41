/**
 * The audit log as a stream that cannot be read back: standard output, or a collector over HTTP. Lines go out one after the other. A chain
 * begins with the process, and anew when nobody knows whether a line arrived: it is then sent again, as the first of another chain.
 */
import { randomUUID } from "node:crypto";
import { type ChainEnd, sealLine } from "./audit-chain.ts";

/** Sends lines. */
export interface AuditCollector {
  /** Resolves when the line was taken. Throws what `send` throws. */
  write(record: object, send: (line: string) => Promise<void>): Promise<ChainEnd>;
}

/** Begins with a chain of its own. */
export function createAuditCollector(): AuditCollector {
  let end: ChainEnd | { readonly chain: string } = { chain: randomUUID() };
  let last: Promise<unknown> = Promise.resolve();
  const write = async (record: object, send: (line: string) => Promise<void>) => {
    const sealed = sealLine(record, end);
    try {
      await send(`${sealed.text}\n`);
    } catch (error) {
      end = { chain: randomUUID() };
      throw error;
    }
    end = sealed.end;
    return sealed.end;
  };
  return {
    write(record, send) {
      const result = last.then(() => write(record, send));
      last = result.catch(() => undefined);
      return result;
    },
  };
}
