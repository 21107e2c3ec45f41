/**
 * A real server as a child process: started until it is ready (seen in its log or by asking it, never by waiting a fixed time),
 * killed, paused and restarted at will on the same data folder, and gone with its folder after `stop()` or when this process ends.
 * Errors carry the last lines that the server logged.
 */
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { DataFolder } from "./data-folder.ts";
import { createLogTail, type LogTail } from "./log-tail.ts";
import { type OwnedChild, spawnOwned } from "./owned-child.ts";

/** How to start a server and how to see that it is ready. */
export interface ServerSpec {
  readonly name: string;
  readonly command: string;
  /** Asked at each start: a restarted server may have to take the port that it was given the first time. */
  readonly args: () => readonly string[];
  /** Removed by `stop()`, and when the first start fails. */
  readonly folder: DataFolder;
  /** Ready when a log line matches the expression, or when the function, asked every 25 ms, says so. */
  readonly isReady: RegExp | (() => Promise<boolean>);
  /** @default 60_000 (a loaded CI machine needs ten times what an idle one does) */
  readonly readyMsMax?: number;
  /** How long SIGTERM is given before SIGKILL, where the data is thrown away. @default 2_000 */
  readonly stopMsMax?: number;
  /**
   * The same before it starts again on its data: one that is killed in the middle of its end may forget what it had confirmed, which is for a
   * test to ask for, with `kill()`. @default 60_000
   */
  readonly restartMsMax?: number;
}

/** How a process ended: one of the two is null. */
export interface ServerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A started server. Its methods must not overlap, except `kill`, which is there to interrupt. */
export interface ServerProcess extends AsyncDisposable {
  readonly name: string;
  /** Of the running child; undefined when it is down. */
  readonly pid: number | undefined;
  /** How it ended last, by itself or killed; undefined when it never did. */
  readonly lastExit: ServerExit | undefined;
  /** How long the last start took until the server was ready. */
  readonly startMs: number;
  /** The last log lines, over restarts. */
  logTail(lines?: number): string;
  /**
   * Sends a signal. With SIGKILL (the default), SIGTERM, SIGINT and SIGQUIT it resolves when the process is gone; with others,
   * such as SIGSTOP and SIGCONT, at once. The data stays.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data, after SIGTERM and its own end where it still runs. Resolves when it is ready. */
  restart(): Promise<void>;
  /** SIGTERM, SIGKILL after a grace time, then the data folder is removed. May be called twice. */
  stop(): Promise<void>;
  /** Lets this process end while the server runs; it is killed then. */
  unref(): void;
}

/** A server that ended, or was not ready in time. */
export class ServerStartError extends Error {
  readonly code = "SERVER_START";
  override readonly name = "ServerStartError";
}

/** Log lines in an error: the last ones say why. */
const ERROR_LINES = 25;

const POLL_MS = 25;

const ENDING: ReadonlySet<NodeJS.Signals> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGQUIT"]);

/** A child and the moment when it is gone and its output is read to the end. */
interface Running {
  readonly child: OwnedChild;
  readonly closed: Promise<void>;
}

/** Starts a server and resolves when it is ready. Throws ServerStartError. */
export async function startServer(spec: ServerSpec): Promise<ServerProcess> {
  const log = createLogTail();
  let running: Running | undefined;
  let lastExit: ServerExit | undefined;
  let startMs = 0;

  async function start(): Promise<void> {
    const startedAt = performance.now();
    const child = spawnOwned(spec.command, spec.args(), { cwd: spec.folder.path, detached: true });
    const closed = new Promise<void>((resolve) => {
      child.once("close", (code, signal) => {
        running = undefined;
        lastExit = { code, signal };
        resolve();
      });
    });
    running = { child, closed };
    log.add(child.stdout);
    log.add(child.stderr);
    try {
      await untilReady(spec, child, log);
    } catch (error) {
      await kill();
      throw error;
    }
    startMs = performance.now() - startedAt;
  }

  async function kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const closed = running?.closed;
    if (ENDING.has(signal)) keepAlive(true); // else this process would be over before, and nothing would tell it
    running?.child.kill(signal);
    if (ENDING.has(signal)) await closed;
  }

  /** Whether the server keeps this process alive. */
  function keepAlive(isKept: boolean): void {
    const hold = isKept ? "ref" : "unref";
    running?.child[hold]();
    (running?.child.stdout as Socket | undefined)?.[hold]();
    (running?.child.stderr as Socket | undefined)?.[hold]();
  }

  async function terminate(stopMsMax: number): Promise<void> {
    const escalation = setTimeout(() => running?.child.kill("SIGKILL"), stopMsMax);
    const terminated = kill("SIGTERM");
    running?.child.kill("SIGCONT"); // a paused process does not see its SIGTERM
    await terminated.finally(() => clearTimeout(escalation));
  }

  async function stop(): Promise<void> {
    await terminate(spec.stopMsMax ?? 2_000);
    spec.folder.remove();
  }

  try {
    await start();
  } catch (error) {
    spec.folder.remove();
    throw error;
  }
  return {
    name: spec.name,
    get pid() {
      return running?.child.pid;
    },
    get lastExit() {
      return lastExit;
    },
    get startMs() {
      return startMs;
    },
    logTail: (lines) => log.text(lines),
    kill,
    async restart() {
      await terminate(spec.restartMsMax ?? 60_000);
      await start();
    },
    stop,
    unref: () => keepAlive(false),
    [Symbol.asyncDispose]: stop,
  };
}

async function untilReady(spec: ServerSpec, child: OwnedChild, log: LogTail): Promise<void> {
  const readyMsMax = spec.readyMsMax ?? 60_000;
  const settled = new AbortController();
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const fail = (what: string): void =>
    reject(new ServerStartError(`${spec.name} ${what}. Its last log lines:\n${log.text(ERROR_LINES)}`));
  const deadline = setTimeout(() => fail(`was not ready within ${readyMsMax / 1000} s`), readyMsMax);
  child.once("error", (error) => fail(`could not be started: ${error.message}`));
  child.once("close", (code, signal) => fail(`ended before it was ready (${signal ?? `exit code ${code}`})`));
  try {
    const isReady = spec.isReady;
    const ready = isReady instanceof RegExp ? lineSeen(log, isReady) : untilTrue(isReady, settled.signal);
    await Promise.race([ready, failed]);
  } finally {
    clearTimeout(deadline);
    settled.abort();
  }
}

function lineSeen(log: LogTail, expression: RegExp): Promise<void> {
  return new Promise((resolve) => {
    const forget = log.onLine((line) => {
      if (!expression.test(line)) return;
      forget();
      resolve();
    });
  });
}

async function untilTrue(isReady: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await isReady())) await delay(POLL_MS);
}
