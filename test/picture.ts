/**
 * `npm run picture`: runs the demo and draws what it wrote as cli/demo.svg, the picture in the README. Nothing in it is made up:
 * picture.test.ts runs the demo again and compares the words.
 */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { drawTerminal } from "./kit/terminal-picture.ts";

const ROOT = join(import.meta.dirname, "..");
const COLUMNS = 80;

/** Runs the demo as somebody at a terminal does, and answers what it wrote, with its colours. */
export async function runDemo(): Promise<string> {
  const { NO_COLOR: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, "cli/main.ts"), "demo"], {
    env: { ...env, FORCE_COLOR: "1" },
  });
  return stdout;
}

if (import.meta.main) {
  const output = await runDemo();
  await writeFile(join(ROOT, "cli/demo.svg"), drawTerminal(output, "npm run demo", COLUMNS));
  process.stdout.write(output);
}
