/**
 * Who is measured: a program that captures all databases of a group into a stream. Each is started as a process of its own on the same servers, and
 * is measured from outside alone: by what it stores in the stream, and by what Linux says of its process.
 */
import type { JetStream } from "../../../bridge/nats/jetstream.ts";
import { createDataFolder } from "../../kit/data-folder.ts";
import { createLogTail } from "../../kit/log-tail.ts";
import { spawnOwned } from "../../kit/owned-child.ts";
import type { PeerName } from "../measure.ts";
import { wallClockMs } from "../wall-clock.ts";

/** What a program is to do. */
export interface PeerTask {
  readonly kubeconfigPath: string;
  readonly natsUrl: string;
  /** The API group whose databases are captured. */
  readonly group: string;
}

/** A command, and the line with which it says that it has what was there at the start. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly isSynced: RegExp;
}

/** One peer, ready to be started. */
export interface Peer {
  readonly name: PeerName;
  /** The stream that its events go to. */
  readonly stream: string;
  /** What the stream takes; left out where the program makes its stream by itself. */
  readonly subject?: string;
  /** How to start it; `folder` is empty and the process's own. */
  launch(task: PeerTask, folder: string): Launch;
  /** The object in one of its messages. */
  objectOf(message: unknown): unknown;
}

/** A peer's process, from the moment when it is started. */
export interface PeerProcess extends AsyncDisposable {
  readonly pid: number;
  /** On the wall clock. */
  readonly startedAtMs: number;
  /** Milliseconds from the start until it said that it is in step. Rejects when it ends before. */
  readonly synced: Promise<number>;
  /** What it logged last. */
  log(): string;
  /** Lets it end by itself, so that it keeps what it keeps. */
  stop(): Promise<void>;
}

/** Why a peer is left out: told in the table, and never a failed run. */
export class PeerMissingError extends Error {
  readonly code = "PEER_MISSING";
  override readonly name = "PeerMissingError";
}

/** Longer than the bridge takes to publish what it has read. */
const STOP_MS_MAX = 20_000;
const LOG_LINES = 10;

/** Starts the peer. */
export function startPeer(peer: Peer, task: PeerTask): PeerProcess {
  const folder = createDataFolder(`bench-${peer.name}`);
  const { command, args, isSynced } = peer.launch(task, folder.path);
  const tail = createLogTail();
  const startedAtMs = wallClockMs();
  const child = spawnOwned(command, args, { cwd: folder.path });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()).once("error", () => resolve()));
  const { promise: synced, resolve, reject } = Promise.withResolvers<number>();
  synced.catch(() => undefined); // who does not wait for it sees what is missing in the stream
  tail.onLine((line) => isSynced.test(line) && resolve(wallClockMs() - startedAtMs));
  tail.add(child.stdout);
  tail.add(child.stderr);
  void ended.then(() => reject(new Error(`${peer.name} has ended: ${tail.text(LOG_LINES)}`)));
  const stop = async () => {
    child.kill("SIGTERM");
    const escalation = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await ended.finally(() => clearTimeout(escalation));
    folder.remove();
  };
  const log = () => tail.text(LOG_LINES);
  return { pid: child.pid ?? 0, startedAtMs, synced, log, stop, [Symbol.asyncDispose]: stop };
}

/** Removes every stream, and with them whatever a peer remembers; then each has its own again. */
export async function resetStreams(jetStream: JetStream, peers: readonly Peer[]): Promise<void> {
  const { streams } = await jetStream.api<{ streams: string[] | null }>("STREAM.NAMES");
  for (const name of streams ?? []) await jetStream.api(`STREAM.DELETE.${name}`);
  for (const { stream, subject } of peers) {
    if (subject === undefined) continue;
    const config = { name: stream, subjects: [`${subject}.>`], storage: "file", retention: "limits" };
    await jetStream.api(`STREAM.CREATE.${stream}`, config);
  }
}
