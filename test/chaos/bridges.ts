/**
 * Two bridges with one Lease, as a Deployment runs them: one leads, the other one stands by, and one that ends by itself is started
 * again at once. What a fault has in its hands is left alone until the fault restarts it. To end by itself is right only for one that
 * leads no longer, with exit code 1; every other end is told as a problem.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { createDataFolder } from "../kit/data-folder.ts";
import { withFreePorts } from "../kit/free-port.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";

/** One of the two. */
export interface Bridge extends Pick<ServerProcess, "pid" | "lastExit" | "logTail"> {
  readonly name: string;
  /** Where it runs, for fault points. */
  readonly folder: string;
  /** From here on it is the caller's: it is not started again when it ends, until `restart`. */
  hold(): void;
  /** Holds it, and sends the signal; resolves as `ServerProcess.kill` does. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again; resolves when it captures or stands by. */
  restart(): Promise<void>;
  /** What /readyz says; `undefined` when nobody answers. */
  readiness(): Promise<Readiness | undefined>;
}

/** Both together. */
export interface Bridges extends AsyncDisposable {
  readonly each: readonly Bridge[];
  /** When the first one had compared its first list, in epoch milliseconds. */
  readonly capturingMs: number;
  /** Kills both, so that nobody captures; they stay away until `restart`. */
  kill(signal: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
  /**
   * Replaces one after the other, as a Deployment's rolling update does: the new one is ready before the old one is told to stop. Without a
   * release it is the first one again.
   */
  roll(release?: Release): Promise<void>;
  /** The last lines of both. */
  logTail(lines?: number): string;
  /** Resolves when one leads and the other one stands by. */
  roles(): Promise<{ readonly leader: Bridge; readonly standby: Bridge }>;
}

/** What a new version brings. */
export interface Release {
  /** The command line's file. */
  readonly cli: string;
  /** Over the configuration that was there. */
  readonly settings: object;
}

const Readiness = z.object({
  leaderElection: z.union([z.string(), z.looseObject({ type: z.string() })]),
  watches: z.record(z.string(), z.looseObject({ type: z.string(), problem: z.string().optional() })),
});
/** The part of /readyz that is of interest here. */
export type Readiness = z.infer<typeof Readiness>;

/** Short, so that a run sees many handovers; long enough for a loaded machine to renew in time. */
export const LEASE_TIMES = { leaseSeconds: 5, renewDeadlineSeconds: 4, retrySeconds: 0.5 } as const;

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const PRELOAD = join(import.meta.dirname, "fault-point-preload.ts");
const READY = /resuming behind the checkpoint|compared with the log|standby of/;
/** A paused bridge does not answer. */
const ANSWER_MS_MAX = 1_000;
const POLL_MS = 100;
/** A Lease has to expire, and a loaded machine takes its time to start. */
const ROLES_MS_MAX = 60_000;
const LOST_LEASE = /this bridge leads no longer/;

/** Starts the first, which leads, then the second. `complain` hears of each end that nobody wanted. Throws ServerStartError. */
export async function startBridges(config: object, complain: (problem: string) => void): Promise<Bridges> {
  await using cleanup = new AsyncDisposableStack();
  const first = cleanup.use(await startBridge("bridge-a", config, complain));
  const capturingMs = Date.now();
  const second = cleanup.use(await startBridge("bridge-b", config, complain));
  const each = [first, second];
  cleanup.move(); // from here on they are those of `each`
  return {
    each,
    capturingMs,
    async kill(signal) {
      await Promise.all(each.map((bridge) => bridge.kill(signal)));
    },
    async restart() {
      await Promise.all(each.map((bridge) => bridge.restart()));
    },
    async roll(release = { cli: CLI, settings: {} }) {
      for (const [index, old] of [...each].entries()) {
        each[index] = await startBridge(old.name, { ...config, ...release.settings }, complain, release.cli);
        await old[Symbol.asyncDispose]();
        const { code, signal } = old.lastExit ?? {};
        if (code !== 0)
          complain(`${old.name} was replaced, and ended with ${signal ?? `exit code ${code}`}: ${old.logTail(5)}`);
      }
    },
    logTail: (lines) => each.map(({ name, logTail }) => `${name}:\n${logTail(lines)}`).join("\n"),
    async roles() {
      let found: { leader: Bridge; standby: Bridge } | undefined;
      const look = async () => {
        found = await rolesOf(each);
        return found !== undefined;
      };
      await until(look, {
        waitMsMax: ROLES_MS_MAX,
        pollMs: POLL_MS,
        what: "one bridge leads, the other one stands by",
      });
      if (found === undefined) throw new Error("no bridge leads"); // `until` would have thrown
      return found;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(each.map((bridge) => bridge[Symbol.asyncDispose]()));
    },
  };
}

/** Whether the bridge says that it leads. */
export async function isLeading(bridge: Bridge): Promise<boolean> {
  return roleOf(await bridge.readiness()) === "leader";
}

async function rolesOf(bridges: readonly Bridge[]) {
  const roles = await Promise.all(bridges.map(async (bridge) => roleOf(await bridge.readiness())));
  const leader = bridges[roles.indexOf("leader")];
  const standby = bridges[roles.indexOf("standby")];
  return leader && standby && { leader, standby };
}

/** What /readyz says: `standby of …`, or an object for every other state. */
function roleOf(readiness: Readiness | undefined): string | undefined {
  const election = readiness?.leaderElection;
  return typeof election === "string" ? "standby" : election?.type;
}

/** Starts one by itself, with its health endpoints on a port of its own. Throws ServerStartError. */
export function startBridge(
  name: string,
  config: object,
  complain: (problem: string) => void,
  cli = CLI,
): Promise<Bridge & AsyncDisposable> {
  return withFreePorts(1, async ([port = 0]) => {
    const folder = createDataFolder(name);
    const file = join(folder.path, "bridge.yaml");
    writeFileSync(file, stringify({ ...config, health: { host: "127.0.0.1", port } }));
    const server = await startServer({
      name,
      command: process.execPath,
      args: () => ["--import", PRELOAD, cli, "bridge", "--config", file],
      folder,
      isReady: READY,
      stopMsMax: 30_000,
    });
    return supervised(server, folder.path, `http://127.0.0.1:${port}/readyz`, complain);
  });
}

function supervised(
  server: ServerProcess,
  folder: string,
  readyUrl: string,
  complain: (problem: string) => void,
): Bridge & AsyncDisposable {
  const { name, logTail } = server;
  const stop = new AbortController();
  let isHeld = false;
  let starting = Promise.resolve();
  const startAgain = async () => {
    const { code } = server.lastExit ?? {};
    if (code !== 1 || !LOST_LEASE.test(logTail(10)))
      complain(`${name} ended by itself with exit code ${code}; its last words: ${logTail(5)}`);
    await server.restart().catch((error: Error) => {
      if (!isHeld && !stop.signal.aborted) complain(error.message);
    });
  };
  const watch = async () => {
    for (; !stop.signal.aborted; await delay(POLL_MS)) {
      if (isHeld || server.pid !== undefined) continue;
      starting = startAgain();
      await starting;
    }
  };
  const watching = watch();
  return {
    name,
    folder,
    get pid() {
      return server.pid;
    },
    get lastExit() {
      return server.lastExit;
    },
    logTail,
    hold() {
      isHeld = true;
    },
    async kill(signal) {
      isHeld = true;
      await server.kill(signal);
      if (signal !== "SIGKILL" && signal !== "SIGTERM") return;
      await starting;
      await server.kill(signal); // it may have been between its end and its next start
    },
    async restart() {
      await starting;
      await server.restart();
      isHeld = false;
    },
    async readiness() {
      try {
        const answer = await fetch(readyUrl, { signal: AbortSignal.timeout(ANSWER_MS_MAX) });
        return Readiness.parse(await answer.json());
      } catch {
        return undefined;
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      isHeld = true;
      if (server.pid !== undefined) await server.kill("SIGCONT");
      await watching;
      await server.stop();
    },
  };
}
