/** The processes: the bridge, and functions over NATS and over HTTP. */
import type { Command } from "commander";
import { parsePort } from "./argument.ts";

/** Adds bridge, run and serve. */
export function addRunning(program: Command): void {
  program
    .command("bridge")
    .description("Capture custom resources and publish their changes as CloudEvents on NATS.")
    .requiredOption("-c, --config <file>", "configuration (YAML); its JSON Schema: cr-reactor schema bridge")
    .option("--check", "say what it would watch and which permissions are missing, and print the Roles; needs no NATS")
    .option("--json", "with --check: one JSON object: ok, the watches, what is missing, and the Roles")
    .addHelpText(
      "after",
      "\nExit code of --check: 0 all can be watched; 1 something cannot; 2 it cannot be checked.\n\nExamples:\n  $ cr-reactor bridge --config bridge.yaml\n  $ cr-reactor bridge --check --config bridge.yaml",
    )
    .action(bridge);

  program
    .command("run")
    .description("Run functions: each subscription is one durable consumer of the captured changes.")
    .argument("[function...]", "run only the subscriptions of these functions (names, or paths of your own)")
    .option(
      "-s, --subscriptions <file>",
      "subscriptions (YAML), by cr-reactor schema subscriptions; left out: what the functions say themselves",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor run --subscriptions subscriptions.yaml\n  $ cr-reactor run notify-slack --subscriptions subscriptions.yaml\n  $ cr-reactor run ./my-function.ts",
    )
    .action(async (functions: string[], options: { subscriptions?: string }) =>
      (await import("../run.ts")).runCommand(functions, options),
    );

  program
    .command("serve")
    .description("Run functions behind an HTTP port that takes CloudEvents, for Knative, Argo Events and others.")
    .argument("[function...]", "serve only the subscriptions of these functions (names, or paths of your own)")
    .requiredOption("-s, --subscriptions <file>", "subscriptions (YAML), with serve: who may send")
    .option("--host <address>", "listen on this address (default: serve.host, else 127.0.0.1)")
    .option("--port <n>", "listen on this port (default: serve.port, else PORT, else 8080)", parsePort)
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor serve --subscriptions subscriptions.yaml\n  $ cr-reactor serve page-oncall --subscriptions subscriptions.yaml --host 0.0.0.0 --port 8080",
    )
    .action(async (functions: string[], options: { subscriptions: string; host?: string; port?: number }) =>
      (await import("../serve.ts")).serveCommand(functions, options),
    );
}

/** To run it, and to see what it would do. */
async function bridge(
  { check, ...options }: { readonly config: string; readonly check?: true },
  command: Command,
): Promise<void> {
  if (check) return await (await import("../bridge-check.ts")).bridgeCheckCommand(options);
  if ("json" in options) command.error("error: option '--json' needs --check");
  await (await import("../bridge.ts")).bridgeCommand(options);
}
