/** The whole command line: what it says of itself, and its commands, group by group in the order of the help. */
import { Command } from "commander";
import { VERSION } from "../version.ts";
import { addChecking } from "./checking.ts";
import { addLetters } from "./letters.ts";
import { addLooking } from "./looking.ts";
import { addMaking } from "./making.ts";
import { addPast } from "./past.ts";
import { addRunning } from "./running.ts";
import { addSilences } from "./silences.ts";
import { addTrying } from "./trying.ts";

/** Built anew at each call; parsing is the caller's. An error of usage is thrown as a CommanderError. */
export function createProgram(): Command {
  const program = new Command("cr-reactor")
    .description("Change data capture for Kubernetes custom resources, and small functions that react to it.")
    .version(VERSION)
    .exitOverride()
    .showHelpAfterError("(add --help for the options)")
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor demo\n  $ cr-reactor bridge --config bridge.yaml\n  $ cr-reactor run --subscriptions subscriptions.yaml\n  $ cr-reactor tail Database -n prod",
    );

  addRunning(program);
  addLooking(program);
  addPast(program);
  addLetters(program);
  addSilences(program);
  addChecking(program);
  addMaking(program);
  addTrying(program);
  return program;
}
