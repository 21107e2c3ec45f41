/** Silences: made, looked at, ended. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { SilenceOptions } from "../silence-wish.ts";
import { NATS_SERVER, parseDuration } from "./argument.ts";

/** Longer is no silence: leave the subscription out, or change its filter. */
const FOR_DAYS_MAX = 30;

/** Adds silence and what it has below it. */
export function addSilences(program: Command): void {
  const silence = program
    .command("silence")
    .description("Hold events back from functions for a while: make a silence, see what it holds back, end it.")
    .addHelpText(
      "after",
      "\nWithout another command it is add.\n\nExamples:\n  $ cr-reactor silence '{kind: Database, phase: {to: Failed}}' --for 2h --reason 'moving the storage'\n  $ cr-reactor silence -n prod --subscription 'database-*' --for 30m --reason upgrade --summary\n  $ cr-reactor silence list\n  $ cr-reactor silence show k3f9qz\n  $ cr-reactor silence end k3f9qz",
    );

  silence
    .command("add", { isDefault: true })
    .description("Make one: what it is about is held back by every process that runs, at once.")
    .argument(
      "[filter]",
      "which events, as in a subscription's when, with kind, apiVersion, cluster and subscriptions beside it",
    )
    .addOption(
      new Option("--for <duration>", "how long: 30s, 10m, 2h or 7d").argParser(parseLength).makeOptionMandatory(),
    )
    .requiredOption("--reason <text>", "why: others read it")
    .option("--subscription <name...>", "only of these subscriptions; * is any run of characters")
    .option("--kind <kind>", "only about objects of this kind")
    .option("--cluster <name>", "only of this cluster")
    .option("-n, --namespace <name...>", "only about objects in these namespaces")
    .option("--name <name...>", "only about objects of these names")
    .option("--label <key=value...>", "only about objects with all these labels")
    .option("--phase <phase...>", "only where the phase becomes one of these")
    .option("--all", "everything, of every subscription")
    .addOption(
      new Option("--begins <time>", "when it begins, such as 2026-11-22T02:00:00Z (default: now)").argParser(parseTime),
    )
    .option("--summary", "when it is over, tell of each object the last event that was held back")
    .option("--by <name>", "who says so (default: user and machine)")
    .option("--dry-run", "only say what it would have held back in the last 24 hours")
    .option("--json", "one JSON object")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor silence '{kind: Database, phase: {to: Failed}}' --for 2h --reason 'moving the storage'\n  $ cr-reactor silence -n prod --label tier=gold --for 30m --reason upgrade --summary --dry-run",
    )
    .action(async (filter: string | undefined, options: SilenceOptions, command: Command) => {
      checkScope(filter, options, command);
      await (await import("../silence.ts")).silenceCommand(filter, options);
    });

  silence
    .command("list")
    .description("List silences that are on, to come, or were over within a week, and how much they held back.")
    .option("--json", "one JSON object a line")
    .option(...NATS_SERVER)
    .addHelpText("after", "\nExample:\n  $ cr-reactor silence list")
    .action(async (options: object) => (await import("../silence.ts")).silenceListCommand(options));

  silence
    .command("show")
    .description("Show all about one, and the last events that it held back.")
    .argument("<id>", "its id in the list")
    .option("--json", "one JSON object")
    .option(...NATS_SERVER)
    .addHelpText("after", "\nExample:\n  $ cr-reactor silence show k3f9qz")
    .action(async (id: string, options: object) => (await import("../silence.ts")).silenceShowCommand(id, options));

  silence
    .command("end")
    .description("End silences now; with --summary, what they held back is told at once.")
    .argument("<id...>", "their ids in the list")
    .option("--by <name>", "who says so (default: user and machine)")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExit code: 0 they are over; 1 one is not there.\n\nExample:\n  $ cr-reactor silence end k3f9qz",
    )
    .action(async (ids: string[], options: object) => (await import("../silence.ts")).silenceEndCommand(ids, options));
}

/** What is meant must be said. */
function checkScope(filter: string | undefined, options: SilenceOptions, command: Command): void {
  const scope = ["subscription", "kind", "cluster", "namespace", "name", "label", "phase"];
  const isNarrowed = filter !== undefined || scope.some((name) => name in options);
  if (!isNarrowed && !options.all) command.error("error: say what to silence: a filter or options, or --all");
  if (isNarrowed && options.all) command.error("error: say what to silence, or --all: not both");
}

function parseLength(text: string): number {
  const ms = parseDuration(text);
  if (ms <= 0 || ms > FOR_DAYS_MAX * 86_400_000)
    throw new InvalidArgumentError(`Expected more than 0, at most ${FOR_DAYS_MAX}d.`);
  return ms;
}

function parseTime(text: string): number {
  const ms = Date.parse(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(ms);
  if (!isTime) throw new InvalidArgumentError("Expected a time such as 2026-11-22T02:00:00Z.");
  if (ms < Date.now() - 1_000) throw new InvalidArgumentError("Expected a time that is not over.");
  return ms;
}
