/** What happened before: looked at, run once more, written down. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Point } from "../point.ts";
import { pointIn } from "../point.ts";
import {
  FILTER,
  NATS_SERVER,
  parseCount,
  parseDuration,
  parsePlace,
  parseRate,
  SUBSCRIPTION,
  SUBSCRIPTIONS,
} from "./argument.ts";

const POINT =
  "Expected a sequence (1042), an id, a time (2026-11-20T08:00:00Z), how long ago (2h), or -1 for the last event.";

/** Adds history, replay and record. */
export function addPast(program: Command): void {
  program
    .command("history")
    .description("Show what happened to one object, phase by phase, and what each function did about it.")
    .argument("<object>", "kind/namespace/name, or kind/name; or a kind, and its name behind it")
    .argument("[name]", "the object's name, where <object> is a kind")
    .option("-n, --namespace <name>", "in this namespace")
    .option("--cluster <name>", "in this cluster, where several have it")
    .addOption(
      new Option("--since <duration>", "only the events of this time, such as 2h or 7d").argParser(parseDuration),
    )
    .addOption(
      new Option("--at <point>", "the object as it was at a time, or after an event (sequence, id, -1)")
        .argParser(parsePoint)
        .conflicts(["diff", "since"]),
    )
    .addOption(
      new Option("--diff <points...>", "what is different between two points: sequences, ids, times, or -2 -1")
        .argParser(parsePoints)
        .conflicts(["at", "since"]),
    )
    .addOption(new Option("-o, --output <format>", "yaml or json").choices(["yaml", "json"]))
    .option("--json", "the same as --output json")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExit code: 1 when the log knows no such object, or it was not there at that time.\n\nExamples:\n  $ cr-reactor history Database/prod/orders\n  $ cr-reactor history Database orders -n prod --since 7d\n  $ cr-reactor history Database/prod/orders --at 10m -o yaml\n  $ cr-reactor history Database/prod/orders --diff -2 -1",
    )
    .action(history);

  program
    .command("replay")
    .description("Run past events once more, for one subscription only: steps that are done are not run again.")
    .argument("<subscription>", "its name")
    .addOption(
      new Option("--from <place>", "begin here: a time, how long ago (2h), or a sequence of the log").argParser(
        parsePlace,
      ),
    )
    .addOption(new Option("--to <place>", "end here, included (default: now)").argParser(parsePlace))
    .option("--dry-run", "only say which events would run")
    .option("--rate <n>", "at most so many events a second", parseRate)
    .option("--again [run]", "run the steps that are done once more; with the name of a run, that one goes on")
    .addOption(
      new Option("--cancel", "call off what waits of its replays").conflicts(["from", "to", "dryRun", "again"]),
    )
    .option("-s, --subscriptions <file>", "its filter as this file has it (default: as its processes have recorded it)")
    .option("--json", "one JSON object of what became of it; with --dry-run one a line, an event each")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExit code: 0 all ran, or wait for a process; 1 one failed, and is a dead letter now.\n\nExamples:\n  $ cr-reactor replay database-failed --from 2h --dry-run\n  $ cr-reactor replay database-failed --from 2026-11-20T08:00:00Z --to 2026-11-20T09:00:00Z --rate 10\n  $ cr-reactor replay database-failed --from 1042 --to 1042 --again",
    )
    .action(async (subscription: string, options: { from?: Point; cancel?: true }, command: Command) => {
      if (options.from === undefined && !options.cancel)
        command.error("error: say where to begin: --from 2h, --from 2026-11-20T08:00:00Z, or --from 1042");
      await (await import("../replay/replay.ts")).replayCommand(subscription, options);
    });

  program
    .command("record")
    .description(
      "Write real events as fixtures for testFunction, a file for each object; what looks secret is redacted.",
    )
    .argument("[kind]", "a kind or plural, with its group if it is ambiguous")
    .requiredOption("-o, --output <folder>", "write them here")
    .option("-n, --namespace <name>", "only this namespace")
    .option("--name <name>", "only the object of this name")
    .addOption(new Option(...FILTER))
    .addOption(new Option(...SUBSCRIPTION))
    .addOption(new Option(...SUBSCRIPTIONS))
    .option("--count <n>", "end after so many events", parseCount)
    .addOption(
      new Option(
        "--since <duration>",
        "what the log has of this time, such as 2h or 7d (default: what comes)",
      ).argParser(parseDuration),
    )
    .option("--redact <path...>", "redact these fields too, such as spec.owner.*")
    .option("--anonymous", "give objects, namespaces and uids other names, the same ones everywhere")
    .option("--force", "overwrite files that are there")
    .option("--json", "one JSON object: the files, and the fields that were redacted")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor record Database -n prod --name orders --since 1d -o fixtures\n  $ cr-reactor record --filter '{ phase: { to: Failed } }' --since 7d --count 10 --anonymous -o fixtures/failed\n  $ cr-reactor record Database --since 1h --redact spec.owner -o fixtures --force",
    )
    .action(async (kind: string | undefined, options: { output: string }, command: Command) => {
      const usage = (problem: string) => command.error(`error: ${problem}`);
      await (await import("../record/record.ts")).recordCommand(kind, options, usage);
    });
}

interface HistoryChoice {
  readonly namespace?: string;
  readonly diff?: readonly Point[];
  readonly json?: true;
  readonly output?: "yaml" | "json";
}

async function history(
  object: string,
  name: string | undefined,
  { diff, json, namespace, ...options }: HistoryChoice,
  command: Command,
): Promise<void> {
  const { targetIn } = await import("../history/target.ts");
  const target = targetIn(object, name, namespace);
  if (typeof target === "string") command.error(`error: ${target}`);
  const [one, other, ...more] = diff ?? [];
  if (diff !== undefined && (one === undefined || other === undefined || more.length > 0))
    command.error(
      "error: option '--diff' needs two points, such as: cr-reactor history Database/prod/orders --diff -2 -1",
    );
  await (await import("../history/history.ts")).historyCommand(target, {
    ...options,
    ...(json && { output: "json" as const }),
    ...(one !== undefined && other !== undefined && { diff: [one, other] as const }),
  });
}

function parsePoint(text: string): Point {
  const point = pointIn(text);
  if (point === undefined) throw new InvalidArgumentError(POINT);
  return point;
}

function parsePoints(text: string, before: readonly Point[] = []): readonly Point[] {
  return [...before, parsePoint(text)];
}
