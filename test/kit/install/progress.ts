/**
 * Tells a person what is being waited for: a first line that says how long it usually takes, then a sign of life every ten seconds.
 * On a terminal the signs of life share one line; elsewhere each is a line of its own.
 */
const HEARTBEAT_MS = 10_000;

/** Where progress is told. A heartbeat replaces the one before, where lines can be replaced. */
export type Report = (line: string, kind?: "heartbeat") => void;

/** Reports on standard error, so that standard output stays the program's own. */
export function stderrReport(stream: NodeJS.WriteStream = process.stderr): Report {
  const startOfLine = stream.isTTY ? "\r\u001b[2K" : "";
  return (line, kind) => stream.write(`${startOfLine}${line}${stream.isTTY && kind === "heartbeat" ? "" : "\n"}`);
}

/** Runs `work` and reports `label` with the elapsed seconds every ten seconds until it ends. */
export async function withHeartbeat<T>(report: Report, label: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  const elapsed = (): number => Math.round((performance.now() - startedAt) / 1000);
  const timer = setInterval(() => report(`${label} … ${elapsed()} s`, "heartbeat"), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
