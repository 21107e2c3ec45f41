/** Dead letters: looked at, tried again, dropped. */
import { type Command, Option } from "commander";
import { NATS_SERVER, parseDuration, parseLetter, parseLetters, parseSeconds } from "./argument.ts";

/** Adds dead-letters and what it has below it. */
export function addLetters(program: Command): void {
  const deadLetters = program
    .command("dead-letters")
    .description("What functions gave up on: look at it, try it again, or drop it.")
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor dead-letters list --subscription database-failed\n  $ cr-reactor dead-letters show 12\n  $ cr-reactor dead-letters retry 12 13\n  $ cr-reactor dead-letters retry --all --subscription database-failed\n  $ cr-reactor dead-letters drop 12",
    );

  const letterFilter = (command: Command) =>
    command
      .option("--subscription <name>", "only of this subscription")
      .option("--kind <kind>", "only about objects of this kind")
      .option("-n, --namespace <name>", "only about objects in this namespace")
      .addOption(new Option("--since <duration>", "only of this time, such as 10m, 2h or 7d").argParser(parseDuration));

  letterFilter(deadLetters.command("list"))
    .description("List the dead letters, oldest first.")
    .option("--json", "one JSON object a line")
    .option(...NATS_SERVER)
    .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters list --kind Database --since 7d")
    .action(async (options: object) => (await import("../dead-letters.ts")).listCommand(options));

  deadLetters
    .command("show")
    .description("Show all about one: the reason, the tries, the steps that were done, the event and its change.")
    .argument("<id>", "its number in the list", parseLetter)
    .option("--json", "one JSON object, with the whole event")
    .option(...NATS_SERVER)
    .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters show 12")
    .action(async (id: number, options: object) => (await import("../dead-letters.ts")).showCommand(id, options));

  letterFilter(deadLetters.command("retry"))
    .description("Deliver them again, to their own subscription: steps that were done are not run again.")
    .argument("[id...]", "their numbers in the list", parseLetters)
    .option("--all", "all of a subscription; with the other filters, fewer")
    .option("--wait <seconds>", "how long to wait for what becomes of them (default: 10)", parseSeconds)
    .option("--json", "one JSON object a line: what became of each")
    .option(...NATS_SERVER)
    .addHelpText(
      "after",
      "\nExit code: 0 all succeeded, or wait for a process; 1 one failed again, or is not there.\n\nExamples:\n  $ cr-reactor dead-letters retry 12 13\n  $ cr-reactor dead-letters retry --all --subscription database-failed --since 1d",
    )
    .action(async (ids: number[], options: LetterChoice, command: Command) => {
      checkChoice(ids, options, command);
      await (await import("../dead-letters-change.ts")).retryCommand(ids, options);
    });

  letterFilter(deadLetters.command("drop"))
    .description("Remove them for good: their events are not tried again.")
    .argument("[id...]", "their numbers in the list", parseLetters)
    .option("--all", "all of a subscription; with the other filters, fewer")
    .option("-y, --yes", "do not ask")
    .option("--json", "one JSON object: how many were dropped")
    .option(...NATS_SERVER)
    .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters drop 12 --yes")
    .action(async (ids: number[], options: LetterChoice & { readonly yes?: true }, command: Command) => {
      checkChoice(ids, options, command);
      if (!options.yes && !process.stdin.isTTY)
        command.error("error: nobody can be asked here: look with dead-letters list, then say --yes");
      await (await import("../dead-letters-change.ts")).dropCommand(ids, options);
    });
}

interface LetterChoice {
  readonly all?: true;
  readonly subscription?: string;
}

/** Numbers, or all of a subscription: what is meant must be said. */
function checkChoice(ids: readonly number[], options: LetterChoice, command: Command): void {
  if (options.all && ids.length > 0) command.error("error: say the numbers, or --all: not both");
  if (options.all && options.subscription === undefined) command.error("error: option '--all' needs --subscription");
  if (!options.all && ids.length === 0)
    command.error("error: say which: their numbers (cr-reactor dead-letters list), or --all --subscription <name>");
  const filter = ["subscription", "kind", "namespace", "since"].find((name) => name in options);
  if (!options.all && filter !== undefined) command.error(`error: option '--${filter}' needs --all`);
}
