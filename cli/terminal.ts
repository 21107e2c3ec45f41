/**
 * What every command does with a terminal: errors as one sentence that says what to do, and stopping at Ctrl-C. Colour only on a
 * terminal, and not with NO_COLOR (no-color.org; node:util styleText keeps to it).
 */
import { styleText } from "node:util";

/** A style of node:util's styleText. */
export type Style = Parameters<typeof styleText>[0];

/** Writes one line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Writes one line to standard error. */
export function report(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Colours text for a stream that is a terminal; other streams get the text alone. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

/** Reports an error: our own by their sentence, any other with its stack, because it is a defect. Being stopped is no error. */
export function failure(error: unknown): void {
  if (error instanceof Error && error.name === "AbortError") {
    report("stopped");
    return;
  }
  const ours = error instanceof Error && "code" in error && typeof error.code === "string";
  const text = ours ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  report(`${paint("red", "error:", process.stderr)} ${text}`);
}

/** Writes over the line of standard error that says how far it is; only on a terminal. An empty text takes the line away. */
export function progress(text: string): void {
  const { stderr } = process;
  if (stderr.isTTY) stderr.write(`\r\u001b[K${text && paint("dim", `… ${text}`, stderr)}`);
}

/** Asks on the terminal; only `y` or `yes` is one. */
export async function confirm(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `, { signal })).trim());
  } finally {
    terminal.close();
  }
}

/** Aborts at SIGINT or SIGTERM; at a second signal the process ends at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  const stop = () => (controller.signal.aborted ? process.exit(130) : controller.abort());
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
  return controller.signal;
}
