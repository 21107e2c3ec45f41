/** `cr-reactor completion`: the script with which a shell completes commands, options and what is known of their values. */
import type { Command } from "commander";
import { BUILT_IN_FUNCTIONS } from "../../functions/main.ts";
import { print } from "../terminal.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { commandTree, type KnownWords } from "./tree.ts";
import { zshCompletion } from "./zsh.ts";

/** A shell that has a script. */
export type Shell = "bash" | "zsh" | "fish";

/** Arguments whose words are no choices of the command itself: other texts are files. */
const FUNCTIONS = Object.keys(BUILT_IN_FUNCTIONS).toSorted();
const KNOWN: KnownWords = {
  "run function": FUNCTIONS,
  "serve function": FUNCTIONS,
  "explain name": FUNCTIONS,
  "schema what": ["bridge", "subscriptions", "change", "event"],
  "new what": ["function"],
};

/** Prints the script. */
export function completionCommand(shell: Shell, program: Command): void {
  const tree = commandTree(program, KNOWN);
  const script = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }[shell](tree);
  print(script.trimEnd());
}
