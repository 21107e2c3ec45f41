/**
 * Runs one command of an installation — `go build`, `pip download` — without a shell, with a deadline, and killed with this process.
 * A failure's message is what the command itself said last.
 */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { text } from "node:stream/consumers";
import { spawnOwned } from "../owned-child.ts";

/** Where and how long a command runs. */
export interface CommandOptions {
  readonly cwd?: string;
  /** @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** @default 30 minutes: four times what the slowest build takes on two cores */
  readonly runMsMax?: number;
}

/** A command that could not be run, failed, or took too long. */
export class CommandError extends Error {
  readonly code = "COMMAND_FAILED";
  override readonly name = "CommandError";
}

const RUN_MS_MAX = 30 * 60 * 1000;

/** What a failed command is quoted with: the reason is near the end. */
const QUOTED_LINES = 8;

/** Runs `command` and resolves with its standard output. Throws CommandError. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const env = options.env ?? process.env;
  const path = findOnPath(command, env);
  if (path === undefined) throw new CommandError(`${command} is not on PATH`);
  const child = spawnOwned(path, args, { env, ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
  const ended = new Promise<string | undefined>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  const runMsMax = options.runMsMax ?? RUN_MS_MAX;
  const deadline = setTimeout(() => child.kill("SIGKILL"), runMsMax);
  const [failure, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  clearTimeout(deadline);
  if (failure === undefined) return stdout;
  const said = `${stdout}\n${stderr}`.trim().split("\n").slice(-QUOTED_LINES).join("\n");
  throw new CommandError(`${command} ${args[0] ?? ""} failed (${failure}): ${said}`);
}

/** The first executable file of that name in PATH's folders. */
export function findOnPath(command: string, env: NodeJS.ProcessEnv): string | undefined {
  if (isAbsolute(command)) return command;
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, command)).find(isExecutable);
}

/** Whether `path` is a file that this user may run. */
export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
