/**
 * One chaos run: starts the system, plays faults until the time is up, each after the bridge has caught up with the one before, then
 * stops the writer, waits until nothing comes any more, and has everything checked.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { KubeObject } from "#contract";
import { createRandom } from "../kit/random.ts";
import { FORBIDDEN_PROBLEM, FORBIDDEN_WATCH } from "./bridge-access.ts";
import { check } from "./checker.ts";
import type { Blindness, Evidence, Verdict } from "./evidence.ts";
import { FAULT_WIDTH, FAULTS, type FaultName } from "./fault.ts";
import { objectsBehind } from "./recorder.ts";
import { schedule } from "./schedule.ts";
import { type Load, type Servers, type System, startSystem } from "./system.ts";
import { widgetPath } from "./widget.ts";

/** What is run. */
export interface RunOptions extends Load {
  readonly faults: readonly FaultName[];
  /** No new fault after this time, or after so many. */
  readonly durationMs: number;
  readonly turnsMax?: number;
  /** Hears a line for whoever watches. */
  readonly tell: (line: string) => void;
}

/** What came of it. */
export interface RunResult {
  readonly verdict: Verdict;
  readonly evidence: Evidence;
  /** In the order in which they were played; `recoveryMs` is `undefined` when the bridge did not catch up in time. */
  readonly played: readonly { readonly fault: FaultName; readonly recoveryMs: number | undefined }[];
  /** What is wrong other than in the log: a bridge that ended by itself, a leader that published too late, a fault that failed. */
  readonly problems: readonly string[];
  /** The last log lines of both bridges. */
  readonly bridgeLog: string;
}

/** A bridge that has not caught up by then is stuck. */
const CATCH_UP_MS_MAX = 120_000;
const POLL_MS = 25;
/** A recovery that took longer is told with the bridge's last log lines, which say what it was waiting for. */
const SLOW_MS = 10_000;
const SLOW_LINES = 12;
/** So many writes that some of them changed something. */
const NEWS_WRITES = 20;
/** What comes late, if anything, comes within this time after the last event. */
const QUIET_MS = 1_500;

/** Runs it. Throws ServerStartError. */
export async function runChaos(servers: Servers, options: RunOptions): Promise<RunResult> {
  const { tell } = options;
  await using system = await startSystem(servers, options);
  await system.ledger.read();
  tell(`started: the bridge found ${system.ledger.heads.size} objects`);
  const { played, blind } = await playFaults(system, options);
  await system.writer.kill("SIGTERM");
  await system.ledger.read();
  tell(`the writer has ended: ${system.ledger.lines.length} writes`);
  await catchUp(system);
  await untilQuiet(system);
  await checkForbiddenWatch(system);
  const final = await system.kube.client.list<KubeObject>(widgetPath());
  const { ledger, log, start, losses } = system;
  const evidence = {
    ...{ ledger: ledger.lines, events: log.events, final: final.map(withKind), start, blind },
    ...{ ...losses, earlier: log.earlier },
  };
  return { verdict: check(evidence), evidence, played, problems: system.problems, bridgeLog: system.bridge.logTail() };
}

async function playFaults(system: System, options: RunOptions) {
  const { seed, faults, durationMs, turnsMax = Number.POSITIVE_INFINITY, tell } = options;
  const random = createRandom(seed);
  const played: { fault: FaultName; recoveryMs: number | undefined }[] = [];
  const blind: Blindness[] = [];
  const startedMs = Date.now();
  await catchUp(system);
  for (const { fault, waitMs } of schedule(faults, random)) {
    const knownMs = Date.now();
    if (!(await catchUp(system))) break;
    await delay(waitMs);
    if (Date.now() - startedMs > durationMs) break;
    const mendedMs = await FAULTS[fault].play(system, random).catch((error: Error) => {
      system.complain(`${fault}: ${error.message}`);
    });
    if (mendedMs === undefined) break; // what it broke is still broken
    const isRecovered = await catchUpWithNews(system);
    const recoveryMs = isRecovered ? Date.now() - mendedMs : undefined;
    played.push({ fault, recoveryMs });
    const atSecond = ((Date.now() - startedMs) / 1_000).toFixed(0).padStart(4);
    const how = recoveryMs === undefined ? "NOT CAUGHT UP" : `caught up in ${recoveryMs} ms`;
    tell(`${atSecond} s  ${fault.padEnd(FAULT_WIDTH)} ${how}, ${system.ledger.lines.length} writes`);
    if (recoveryMs === undefined || recoveryMs > SLOW_MS)
      tell(`the bridge meanwhile:\n${system.bridge.logTail(SLOW_LINES)}`);
    // Once more: what is written now comes behind the list that told the net changes.
    if (FAULTS[fault].cutsHistory) {
      await catchUpWithNews(system);
      blind.push({ fromMs: knownMs, toMs: Date.now() });
    }
    if (!isRecovered || played.length >= turnsMax) break;
  }
  return { played, blind };
}

/** Waits until everything that is in the ledger now is in the log; false when that takes too long. */
async function catchUp({ ledger, log }: System): Promise<boolean> {
  await ledger.read();
  const heads = new Map(ledger.heads);
  const deadline = Date.now() + CATCH_UP_MS_MAX;
  while (objectsBehind(heads, log.newest).length > 0) {
    if (Date.now() > deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}

/** As `catchUp`, with something that was written from now on: without it nothing would tell whether the bridge is alive. */
async function catchUpWithNews(system: System): Promise<boolean> {
  const { lines, read } = system.ledger;
  const known = lines.length;
  for (const deadline = Date.now() + CATCH_UP_MS_MAX; lines.length < known + NEWS_WRITES; await delay(POLL_MS)) {
    if (Date.now() > deadline)
      throw new Error(`the writer has stopped writing; its last words: ${system.writer.logTail()}`);
    await read();
  }
  return await catchUp(system);
}

/** Waits until everything in the log is read, and nothing is added for a while. */
async function untilQuiet(system: System): Promise<void> {
  const deadline = Date.now() + CATCH_UP_MS_MAX;
  for (let sequence = -1; Date.now() < deadline; ) {
    const last = await system.lastSequence();
    if (last === sequence && (system.log.events.at(-1)?.sequence ?? 0) >= last) return;
    sequence = last;
    await delay(QUIET_MS);
  }
}

/** The kind that the bridges may not list: the one that leads must say which right is missing. */
async function checkForbiddenWatch({ bridge, complain }: System): Promise<void> {
  const roles = await bridge.roles().catch((error: Error) => complain(error.message));
  const watch = (await roles?.leader.readiness())?.watches[FORBIDDEN_WATCH];
  if (roles === undefined || FORBIDDEN_PROBLEM.test(watch?.problem ?? "")) return;
  complain(`a bridge does not say which right it lacks for ${FORBIDDEN_WATCH}, but ${JSON.stringify(watch)}`);
}

/** The items of a list do not always say what they are. */
function withKind(item: KubeObject): KubeObject {
  return { ...item, apiVersion: item.apiVersion ?? "chaos.example.com/v1", kind: item.kind ?? "Widget" };
}
