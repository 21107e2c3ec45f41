/**
 * A child process that does not outlive this one: it is killed when this process exits in any way that `onExit` sees, and on
 * Linux also when it is SIGKILLed, by util-linux's `setpriv --pdeathsig` where that is installed.
 */
import { type ChildProcessByStdio, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import { onExit } from "./exit-cleanup.ts";

/** A running child with its output as streams and no standard input. */
export type OwnedChild = ChildProcessByStdio<null, Readable, Readable>;

/** Where a child runs and whom it listens to. */
export interface OwnedChildOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /**
   * Out of reach of the terminal's Ctrl-C, which goes to the whole process group: a server must outlive the drain of its clients.
   * @default false
   */
  readonly detached?: boolean;
}

/** Starts `command`, the path of an executable, as a child that is killed with this process. */
export function spawnOwned(command: string, args: readonly string[], options: OwnedChildOptions = {}): OwnedChild {
  const [program, ...rest] = [...deathSignal(), command, ...args] as [string, ...string[]];
  const spawnOptions: SpawnOptions = { ...options, stdio: ["ignore", "pipe", "pipe"] };
  const child = spawn(program, rest, spawnOptions) as OwnedChild;
  const forget = onExit(() => child.kill("SIGKILL"));
  child.once("exit", forget);
  child.once("error", forget);
  return child;
}

/** Where util-linux puts it; not looked up on PATH, because a child may be given another PATH. */
const SETPRIV = "/usr/bin/setpriv";

let deathSignalPrefix: readonly string[] | undefined; // asked for once: it costs a process

function deathSignal(): readonly string[] {
  if (deathSignalPrefix === undefined) {
    const help = process.platform === "linux" ? spawnSync(SETPRIV, ["--help"], { encoding: "utf8" }).stdout : "";
    deathSignalPrefix = help?.includes("--pdeathsig") ? [SETPRIV, "--pdeathsig", "KILL", "--"] : [];
  }
  return deathSignalPrefix;
}
