/**
 * A chain of lines: each carries the hash of the one before and its own, so that a line that was changed, taken out, put in or moved is
 * found. It does not show that the end was cut off, unless the last hash is kept elsewhere, nor a chain that was written anew as a whole.
 *
 *     {…,"event.sequence":7,"cr_reactor.audit.chain":"…","cr_reactor.audit.previous":"<hash>","event.hash":"<hash>"}
 *
 * The hash is SHA-256, in hexadecimal, of the line as it stands, without its last key: nothing has to be put in an order again.
 */
import { hash } from "node:crypto";

/** Where a chain stands: which one, its last line's number and hash. */
export interface ChainEnd {
  readonly chain: string;
  readonly sequence: number;
  readonly hash: string;
}

/** A line, without a line break, and where the chain stands behind it. */
export interface SealedLine {
  readonly text: string;
  readonly end: ChainEnd;
}

/** What a line says of its place, whether its hash is right or not. */
interface Link {
  readonly chain: string;
  readonly sequence: number;
  readonly previous: string | null;
  readonly hash: string;
  readonly hashIsRight: boolean;
  /** The event's id. */
  readonly id: string | undefined;
}

/** What is wrong with a line, as a sentence without its content. */
export interface ChainProblem {
  readonly line: number;
  /** `torn`: the writer was killed while it wrote, and what it wrote was written again; everything else is a breach. */
  readonly type: "breach" | "torn";
  readonly message: string;
}

/** Checks lines one after the other. */
export interface ChainCheck {
  /** Returns what is wrong with the next line. */
  next(line: string): ChainProblem | undefined;
  readonly lineCount: number;
  /** The chains so far, in the order in which they began, as far as they go. */
  readonly ends: readonly ChainEnd[];
}

const HASH_KEY = ',"event.hash":"';
const TAIL = /,"event\.hash":"([0-9a-f]{64})"\}$/;

/** Adds a record to a chain. `record` has none of the chain's own keys. */
export function sealLine(record: object, before: ChainEnd | { readonly chain: string }): SealedLine {
  const sequence = "sequence" in before ? before.sequence + 1 : 1;
  const place = {
    "event.sequence": sequence,
    "cr_reactor.audit.chain": before.chain,
    "cr_reactor.audit.previous": "hash" in before ? before.hash : null,
  };
  const body = JSON.stringify({ ...record, ...place });
  const digest = hash("sha256", body, "hex");
  return { text: `${body.slice(0, -1)}${HASH_KEY}${digest}"}`, end: { chain: before.chain, sequence, hash: digest } };
}

/** Where the chain stands behind this line, and its event; `undefined` for what is no line of a chain, or a changed one. */
export function readLine(line: string): { readonly end: ChainEnd; readonly id: string | undefined } | undefined {
  const link = linkIn(line);
  if (link === undefined || !link.hashIsRight) return undefined;
  const { chain, sequence, hash: digest, id } = link;
  return { end: { chain, sequence, hash: digest }, id };
}

/** Starts checking. A file may begin in the middle of a chain (the ones before it are older) and hold several. */
export function createChainCheck(): ChainCheck {
  const ends = new Map<string, ChainEnd>();
  let lineCount = 0;
  const problemOf = (link: Link): string | undefined => {
    if (!link.hashIsRight) return "its hash is not that of its content: it was changed";
    const before = ends.get(link.chain);
    if (before === undefined) return undefined;
    if (link.sequence === before.sequence + 1 && link.previous === before.hash) return undefined;
    if (link.sequence > before.sequence + 1)
      return `${missing(before.sequence + 1, link.sequence - 1)} missing before it`;
    if (link.sequence <= before.sequence)
      return `it is number ${link.sequence} of its chain, behind number ${before.sequence}`;
    return "the line before it is not the one that it was written behind";
  };
  return {
    next(line) {
      lineCount++;
      const link = linkIn(line);
      if (link === undefined) {
        const isTorn = line.startsWith("{") && parsed(line) === undefined;
        if (isTorn) return { line: lineCount, type: "torn", message: "it is incomplete: its writer was killed" };
        return { line: lineCount, type: "breach", message: "it is no line of an audit log" };
      }
      const message = problemOf(link);
      ends.set(link.chain, link);
      return message === undefined ? undefined : { line: lineCount, type: "breach", message };
    },
    get lineCount() {
      return lineCount;
    },
    get ends() {
      return [...ends.values()].map(({ chain, sequence, hash: digest }) => ({ chain, sequence, hash: digest }));
    },
  };
}

function linkIn(line: string): Link | undefined {
  const digest = TAIL.exec(line)?.[1];
  const content = parsed(line);
  if (digest === undefined || content === undefined) return undefined;
  const {
    "event.sequence": sequence,
    "cr_reactor.audit.chain": chain,
    "cr_reactor.audit.previous": previous,
  } = content;
  if (typeof chain !== "string" || !Number.isSafeInteger(sequence)) return undefined;
  if (previous !== null && typeof previous !== "string") return undefined;
  const id = content["event.id"];
  return {
    chain,
    sequence: sequence as number,
    previous,
    hash: digest,
    hashIsRight: hash("sha256", `${line.slice(0, -(HASH_KEY.length + digest.length + 2))}}`, "hex") === digest,
    id: typeof id === "string" ? id : undefined,
  };
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function missing(first: number, last: number): string {
  return first === last ? `number ${first} of its chain is` : `numbers ${first} to ${last} of its chain are`;
}
