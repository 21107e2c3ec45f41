/**
 * `cr-reactor history`: the timeline of one object from the log, and what functions did about it; with `--at` its state at a time, with `--diff`
 * what is different between two points. It reads, and leaves nothing behind.
 */
import type { JetStream } from "#contract";
import { type ServerOptions, withLog } from "../event-log.ts";
import type { Point } from "../point.ts";
import { print, report } from "../terminal.ts";
import { renderDifference, renderTimeline } from "./history-text.ts";
import { hunksOf } from "./line-diff.ts";
import { phasesOf } from "./phase.ts";
import { differenceOf, lasting, type State, stateAt, yamlOf } from "./state.ts";
import type { Target } from "./target.ts";
import { type Deed, type Entry, readTimeline, type Timeline } from "./timeline.ts";

/** The options of the command. */
export interface HistoryOptions extends ServerOptions {
  readonly cluster?: string;
  /** Milliseconds. */
  readonly since?: number;
  readonly at?: Point;
  readonly diff?: readonly [Point, Point];
  readonly output?: "yaml" | "json";
}

const EXIT_ABSENT = 1;

/** Prints what was asked for; the exit code is 1 when the object was not there at that time. Throws ObjectError. */
export async function historyCommand(target: Target, options: HistoryOptions): Promise<void> {
  await withLog(options, "history", async (jetStream: JetStream, signal) => {
    const { cluster } = options;
    const timeline = await readTimeline(jetStream, { ...target, ...(cluster !== undefined && { cluster }) }, signal);
    if (options.diff !== undefined) showDifference(timeline, options.diff, options);
    else if (options.at !== undefined) showState(stateAt(timeline.entries, options.at), options);
    else show(timeline, options);
  });
}

function show(timeline: Timeline, { since, output }: HistoryOptions): void {
  const nowMs = Date.now();
  const sinceMs = since === undefined ? Number.NEGATIVE_INFINITY : nowMs - since;
  const shown = timeline.entries.filter(({ storedAtMs }) => storedAtMs >= sinceMs);
  const phases = phasesOf(timeline.entries, nowMs);
  if (output === undefined) print(renderTimeline(timeline, shown, phases));
  else print(formatted({ phases, events: shown.map(asJson), older: timeline.entries.length - shown.length }, output));
}

function showState(state: State, { output = "yaml" }: HistoryOptions): void {
  if (state.type === "absent") {
    report(`not there: ${state.reason}`);
    process.exitCode = EXIT_ABSENT;
    return;
  }
  report(`as of ${state.title}`);
  if (state.doubt !== undefined) report(state.doubt);
  print(formatted(state.object, output));
}

function showDifference(
  { entries }: Timeline,
  [one, other]: readonly [Point, Point],
  { output }: HistoryOptions,
): void {
  const [from, to] = [stateAt(entries, one), stateAt(entries, other)];
  for (const state of [from, to]) {
    if (state.type === "absent") report(`not there: ${state.reason}`);
    else if (state.doubt !== undefined) report(state.doubt);
  }
  const [before, after] = [from, to].map((state) => (state.type === "there" ? state.object : undefined));
  const patch = differenceOf(before, after);
  const title = (state: State) => (state.type === "there" ? state.title : "not there");
  const titles = [title(from), title(to)] as const;
  if (output !== undefined) {
    print(formatted({ from: titles[0], to: titles[1], patch }, output));
    return;
  }
  const lines = (object: typeof before) => (object === undefined ? [] : yamlOf(lasting(object)).split("\n"));
  const hunks = hunksOf(lines(before), lines(after));
  if (hunks.length === 0) report("nothing is different");
  else print(renderDifference(patch, hunks, titles));
}

function formatted(value: unknown, output: "yaml" | "json"): string {
  return output === "json" ? JSON.stringify(value, null, 2) : yamlOf(JSON.parse(JSON.stringify(value)));
}

/** The fields that a script wants, with times as text. */
function asJson({ sequence, storedAtMs, envelope, isAfterHole, isReplacement, deeds }: Entry) {
  return {
    ...{ sequence, storedAt: timeText(storedAtMs), isAfterHole, isReplacement, event: envelope },
    deeds: deeds.map(deedJson),
  };
}

function deedJson(deed: Deed): object {
  switch (deed.type) {
    case "step": {
      const { storedAtMs, eventId: _, ...step } = deed.step;
      return { ...step, type: deed.type, storedAt: timeText(storedAtMs) };
    }
    case "dead-letter": {
      const { number, storedAtMs, letter } = deed.letter;
      const { subscription, reason, attempts } = letter;
      return { type: deed.type, subscription, number, storedAt: timeText(storedAtMs), reason, attempts };
    }
    case "incident":
    case "matched":
    case "coming":
      return deed;
    default:
      return deed satisfies never;
  }
}

function timeText(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
