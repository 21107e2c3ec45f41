/**
 * The ledger: what the API server acknowledged, one line of JSON a write, kept by the writer and by nobody else. It holds no
 * object, only a digest of its state, so that an event can be compared with what was really written. Independent of the bridge:
 * what counts as a state is said here once more.
 */
import { hash } from "node:crypto";
import { z } from "zod";

/** What the writer puts down; the last two are no writes of their own but what a look at the object found. */
const Operation = z.enum([
  ...(["create", "spec", "status", "metadata", "apply", "deleting", "deleted"] as const),
  /** The answer to a write never came. */
  "unknown-outcome",
  /** etcd was restored: the object as it is again. */
  "found",
]);

/** One acknowledged write, or what was found. */
export const LedgerLine = z.object({
  operation: Operation,
  /** How often etcd was restored before, and one: the writer's own count. */
  epoch: z.int().min(1),
  /** `<namespace>/<name>` */
  object: z.string(),
  /** The API path. */
  path: z.string(),
  uid: z.string(),
  /** `null`: the object is gone. */
  resourceVersion: z.string().nullable(),
  /** Of the state that the write left; `null`: the object is gone. */
  digest: z.string().nullable(),
  /** Epoch milliseconds before the request and after its answer. */
  fromMs: z.number(),
  timeMs: z.number(),
});
export type LedgerLine = z.infer<typeof LedgerLine>;

/** Versions of one epoch are below this (2^63 has 19 digits). */
const VERSIONS = 10n ** 20n;

/** A resourceVersion and its epoch as one number that orders across restores, as the attribute `sequence` says it. */
export function versionOf(epoch: number, resourceVersion: string): bigint {
  return (epoch === 1 ? 0n : BigInt(epoch) * VERSIONS) + BigInt(resourceVersion);
}

/** The epoch and the resourceVersion in such a number. */
export function partsOf(version: bigint): { readonly epoch: number; readonly resourceVersion: string } {
  return { epoch: Math.max(1, Number(version / VERSIONS)), resourceVersion: String(version % VERSIONS) };
}

/** Reads lines of JSON; the last one may still be on its way and is left out. Answers how many characters were used. */
export function parseLedger(text: string): { readonly lines: readonly LedgerLine[]; readonly used: number } {
  const used = text.lastIndexOf("\n") + 1;
  const lines = text.slice(0, used).split("\n").slice(0, -1);
  return { lines: lines.map((line) => LedgerLine.parse(JSON.parse(line))), used };
}

/** An object as far as a state is compared. */
export interface Stateful {
  readonly metadata: object;
}

/** Bookkeeping of the API server, which is never a change on its own. */
const NOT_STATE: ReadonlySet<string> = new Set(["managedFields", "resourceVersion", "generation"]);

/** The state as text: the same for the same state, whatever the order of its keys. */
export function stateText(object: Stateful): string {
  const metadata = Object.fromEntries(Object.entries(object.metadata).filter(([key]) => !NOT_STATE.has(key)));
  return JSON.stringify(sorted({ ...object, metadata }));
}

/** A digest of the state. */
export function stateDigest(object: Stateful): string {
  return hash("sha256", stateText(object), "hex").slice(0, 20);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
