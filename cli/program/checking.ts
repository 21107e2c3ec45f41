/** Whether it is all right, and who may do what. */
import type { Command } from "commander";
import { parseSeconds } from "./argument.ts";

/** Adds doctor, verify, audit, rbac and nats-users. */
export function addChecking(program: Command): void {
  program
    .command("doctor")
    .description("Check Node, the configuration, NATS and the cluster, and say what to do next. Writes nothing.")
    .option("-c, --config <file>", "the bridge's configuration")
    .option("-s, --subscriptions <file>", "the subscriptions")
    .option("--context <name>", "a context of the kubeconfig (default: the configuration's, else the current one)")
    .option("--kubeconfig <file>", "another kubeconfig")
    .option("--server <url...>", "NATS servers (default: the configuration's, else NATS_URL)")
    .option("--json", "one JSON object: ok, and the checks")
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor doctor\n  $ cr-reactor doctor --config bridge.yaml --subscriptions subscriptions.yaml",
    )
    .action(async (options: object) => (await import("../doctor.ts")).doctorCommand(options));

  program
    .command("verify")
    .description("Compare the objects of the cluster with what the log says of them. Writes nothing without --repair.")
    .requiredOption("-c, --config <file>", "the bridge's configuration")
    .option("--repair", "publish what differs, as the bridge would; it may run meanwhile")
    .option("--resource <kind>", "only this kind of the configuration")
    .option("--wait <seconds>", "how long a bridge that runs is given to catch up (default: 6)", parseSeconds)
    .option("--json", "one JSON object: ok, and the resources with all names")
    .addHelpText(
      "after",
      "\nExit code: 0 no difference, or all repaired; 1 differences; 2 something could not be compared.\n\nExamples:\n  $ cr-reactor verify --config bridge.yaml\n  $ cr-reactor verify --config bridge.yaml --resource Database --repair",
    )
    .action(async (options: { config: string }) => (await import("../verify.ts")).verifyCommand(options));

  program
    .command("audit")
    .description("The lines that the function audit-log wrote.")
    .command("verify")
    .description("Check that no line of an audit log was changed, taken out or put in.")
    .argument("<file...>", "the log; several files are one log, oldest first")
    .option("--json", "one JSON object: ok, lines, breaches, problems (the first 20), and how far the chains go")
    .addHelpText(
      "after",
      "\nExit code: 0 nothing is wrong; 1 a breach; 2 a file cannot be read.\n\nExamples:\n  $ cr-reactor audit verify audit.ndjson\n  $ cr-reactor audit verify audit.ndjson.1 audit.ndjson",
    )
    .action(async (files: string[], options: { json?: true }) =>
      (await import("../audit.ts")).auditVerifyCommand(files, options),
    );

  program
    .command("rbac")
    .description(
      "Print the Roles in which bridge and functions may do what they need at the API server, and nothing else.",
    )
    .option("-c, --config <file>", "the bridge's configuration")
    .option("-s, --subscriptions <file>", "the subscriptions of one process")
    .option("--context <name>", "a context of the kubeconfig (default: the configuration's, else the current one)")
    .option("--kubeconfig <file>", "another kubeconfig")
    .addHelpText(
      "after",
      "\nExit code: 0 the Roles are complete; 1 a kind is not served, so that its rule is missing; 2 it cannot be told.\n\nExample:\n  $ cr-reactor rbac --config bridge.yaml --subscriptions subscriptions.yaml | kubectl apply -f -",
    )
    .action(async (options: { config?: string; subscriptions?: string }, command: Command) => {
      if (options.config === undefined && options.subscriptions === undefined)
        command.error("error: say for whom: --config, --subscriptions, or both");
      await (await import("../rbac.ts")).rbacCommand(options);
    });

  program
    .command("nats-users")
    .description(
      "Print the account for nats-server.conf in which bridge and functions may do what they need, and nothing else.",
    )
    .option("-c, --config <file...>", "the configurations of the bridges")
    .option("-s, --subscriptions <file>", "the subscriptions of one process")
    .option("--each", "a user for each subscription, for processes that run one each")
    .option("--account <name>", "the name of the account", "CR")
    .addHelpText(
      "after",
      "\nExample:\n  $ cr-reactor nats-users --config bridge.yaml --subscriptions subscriptions.yaml > users.conf",
    )
    .action(async (options: { account: string }) => (await import("../nats-users.ts")).natsUsersCommand(options));
}
