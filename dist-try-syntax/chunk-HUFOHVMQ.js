import { createRequire as createBundleRequire } from "node:module";
const require = createBundleRequire(import.meta.url);

// cli/terminal.ts
import { styleText } from "node:util";
function print(line) {
  process.stdout.write(`${line}
`);
}
function report(line) {
  process.stderr.write(`${line}
`);
}
function paint(style, text, stream = process.stdout) {
  return styleText(style, text, { stream });
}
function failure(error) {
  let text = error instanceof Error && "code" in error && typeof error.code == "string" ? error.message : error instanceof Error ? error.stack ?? error.message : String(error);
  report(`${paint("red", "error:", process.stderr)} ${text}`);
}
function stopSignal() {
  let controller = new AbortController(), stop = () => controller.signal.aborted ? process.exit(130) : controller.abort();
  return process.on("SIGINT", stop), process.on("SIGTERM", stop), controller.signal;
}

export {
  print,
  report,
  paint,
  failure,
  stopSignal
};
