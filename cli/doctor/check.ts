/**
 * One check of `cr-reactor doctor`: what was found, in a sentence, and the next step where something is to be done. Nothing that is
 * checked may wait for ever, and no text of a check shows a password, wherever it came from.
 */

/** `warning`: it works, but not for everything; `skipped`: it could not be found out, or is not needed. */
export type CheckStatus = "ok" | "warning" | "failed" | "skipped";

/** What a check found. `next` is a command or a setting. */
export interface Finding {
  /** Names the check; stable, for programs. */
  readonly name: string;
  readonly status: CheckStatus;
  readonly detail: string;
  readonly next?: string;
}

/** A finding and the part it belongs to, as `--json` prints it. */
export interface Check extends Finding {
  readonly part: string;
}

/** Nobody answered in time. */
export class DeadlineError extends Error {
  readonly code = "DEADLINE";
  override readonly name = "DeadlineError";
}

/** One question to a server, in milliseconds: people wait for the answer, and a server that is well takes a few of them. */
export const CHECK_MS_MAX = 4_000;

/** What the network's error codes mean. */
const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "its name cannot be looked up now",
  ETIMEDOUT: "no answer",
  UND_ERR_CONNECT_TIMEOUT: "no answer",
  UND_ERR_SOCKET: "it hung up",
};

/** It is as it should be. */
export function passed(name: string, detail: string): Finding {
  return { name, status: "ok", detail: shown(detail) };
}

/** It works, but somebody should know. */
export function warning(name: string, detail: string, next: string): Finding {
  return { name, status: "warning", detail: shown(detail), next: shown(next) };
}

/** It does not work. */
export function failed(name: string, detail: string, next: string): Finding {
  return { name, status: "failed", detail: shown(detail), next: shown(next) };
}

/** It was not checked; `why` names what and why. */
export function skipped(name: string, why: string): Finding {
  return { name, status: "skipped", detail: shown(why) };
}

/** Rejects with DeadlineError when the answer takes longer than `ms`; what is asked goes on by itself. */
export async function inTime<T>(answer: Promise<T>, what: string, ms: number = CHECK_MS_MAX): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlineError(`${what} kept silent for ${ms / 1_000} s`)), ms);
  try {
    return await Promise.race([answer, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The same for each item, at most `inFlightMax` at a time; answers in the order of the items. */
export async function mapBounded<Item, Result>(
  items: readonly Item[],
  inFlightMax: number,
  ask: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const rest = items.entries();
  const work = async () => {
    for (const [index, item] of rest) results[index] = await ask(item);
  };
  await Promise.all(Array.from({ length: inFlightMax }, work));
  return results;
}

/** A number and its noun. */
export function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** An error as a sentence and, behind its first colon, what it says to do. */
export function sentences(error: unknown): { readonly problem: string; readonly advice: string } {
  const message = reasonOf(error);
  const colon = message.indexOf(": ");
  if (colon < 0) return { problem: message, advice: "" };
  return { problem: message.slice(0, colon), advice: message.slice(colon + 2) };
}

/** Why something failed, for people; of several reasons the first. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${CHECK_MS_MAX / 1_000} s`;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return NETWORK_REASONS[code] ?? (error.message || error.name);
}

/** One line without user and password of a URL: parsers' messages quote the text they could not read, and may cut it anywhere. */
function shown(text: string): string {
  const [line = ""] = text.split("\n");
  return line.replace(/\/\/[^\s"',/]*(?:@|…)/g, "//");
}
