/**
 * What can stand on the command line, read from the commands themselves: so a completion knows what the help knows. The shells' scripts are made
 * from it, and ask nobody when a key is pressed but the kubeconfig for its contexts.
 */
import type { Argument, Command, Option } from "commander";

/** What can be completed behind an option, or as an argument. `context`: one of the kubeconfig. */
export type Values =
  | { readonly type: "none" | "text" | "file" | "context" }
  | { readonly type: "words"; readonly words: readonly string[] };

/** An option with all its spellings. */
export interface CompletedOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  /** `none`: it takes no value. */
  readonly values: Values;
}

/** A command. */
export interface CompletedCommand {
  /** Its words behind the program's name; none for the program itself. */
  readonly path: readonly string[];
  readonly description: string;
  readonly options: readonly CompletedOption[];
  readonly values: Values;
  readonly below: readonly CompletedCommand[];
}

/** By the command's first word and the argument's name: what its text can be. */
export type KnownWords = Readonly<Record<string, readonly string[]>>;

/** The commands below `program`, itself the first. */
export function commandTree(program: Command, known: KnownWords): CompletedCommand {
  return treeOf(program, [], known);
}

/** All commands of a tree, each before those below it. */
export function allCommands(command: CompletedCommand): readonly CompletedCommand[] {
  return [command, ...command.below.flatMap(allCommands)];
}

function treeOf(command: Command, path: readonly string[], known: KnownWords): CompletedCommand {
  const [argument] = command.registeredArguments;
  return {
    path,
    description: command.description(),
    options: [
      ...command.options.filter(({ hidden }) => !hidden).map(optionOf),
      { long: "--help", short: "-h", description: "display help for command", values: { type: "none" } },
    ],
    values: argument === undefined ? { type: "none" } : valuesOf(argument, known[`${path[0]} ${argument.name()}`]),
    below: visibleIn(command).map((each) => treeOf(each, [...path, each.name()], known)),
  };
}

/** Without those that are not for people. */
function visibleIn(command: Command): readonly Command[] {
  const visible = command.createHelp().visibleCommands(command);
  return command.commands.filter((each) => visible.includes(each));
}

function optionOf({ long, short, flags, description, required, optional, argChoices }: Option): CompletedOption {
  const takesValue = required || optional;
  return {
    long: long ?? flags,
    short,
    description,
    values: takesValue ? (choicesOf(argChoices) ?? valuesNamed(flags, long)) : { type: "none" },
  };
}

function valuesOf(argument: Argument, words: readonly string[] | undefined): Values {
  return choicesOf(words ?? argument.argChoices) ?? valuesNamed(`<${argument.name()}>`, undefined);
}

function choicesOf(words: readonly string[] | undefined): Values | undefined {
  return words === undefined ? undefined : { type: "words", words };
}

/** What a placeholder is called says what it takes. */
function valuesNamed(text: string, long: string | undefined): Values {
  if (long === "--context") return { type: "context" };
  return { type: /[<[](file|folder)(\.\.\.)?[\]>]/.test(text) ? "file" : "text" };
}
