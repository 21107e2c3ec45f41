/** What happens, and why: the log, the subscriptions, and how they all are. */
import { type Command, Option } from "commander";
import { FILTER, NATS_SERVER, parseCount, parseDuration, parseShown, SUBSCRIPTION, SUBSCRIPTIONS } from "./argument.ts";

/** Adds explain, tail and status. */
export function addLooking(program: Command): void {
  program
    .command("explain")
    .description(
      "Say what a subscription means: its filter, what NATS decides, mistakes, and which events match and why.",
    )
    .argument("<name>", "a subscription, or a function (a name, or the path of your own)")
    .option("-s, --subscriptions <file>", "subscriptions (YAML); left out: what the function says itself")
    .addOption(new Option("--count <n>", "events that are shown (default: 10)").argParser(parseShown).default(10, "10"))
    .addOption(
      new Option("--event <sequence>", "only this event: its sequence in the log, or its id").conflicts("offline"),
    )
    .option("--server <url...>", "NATS servers (default: those of the file, else NATS_URL, else nats://127.0.0.1:4222)")
    .option("--offline", "only what can be said without NATS")
    .option("--json", "a JSON list, an object for each subscription")
    .addHelpText(
      "after",
      "\nExit code: 1 when a filter can never match, or names what the kind does not have.\n\nExamples:\n  $ cr-reactor explain database-failed --subscriptions subscriptions.yaml\n  $ cr-reactor explain ./my-function.ts --offline\n  $ cr-reactor explain database-failed -s subscriptions.yaml --event 1042",
    )
    .action(async (name: string, options: { count: number }) =>
      (await import("../explain.ts")).explainCommand(name, options),
    );

  program
    .command("tail")
    .description("Show changes as they happen: what changed from what to what, phase, and field manager.")
    .argument(
      "[kind]",
      "a kind or plural, with its group if it is ambiguous: Database, databases, Database.demo.example.com",
    )
    .option("-n, --namespace <name>", "only this namespace")
    .option("--name <name>", "only the object of this name")
    .addOption(new Option(...FILTER).conflicts("direct"))
    .addOption(new Option(...SUBSCRIPTION).conflicts("direct"))
    .addOption(new Option(...SUBSCRIPTIONS).conflicts("direct"))
    .option("--count <n>", "end after so many changes", parseCount)
    .option("--json", "one CloudEvent a line")
    .addOption(
      new Option("--since <duration>", "begin with the changes kept of this time, such as 30s, 10m, 2h or 7d")
        .argParser(parseDuration)
        .conflicts("direct"),
    )
    .addOption(
      new Option("--server <url...>", "NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)").conflicts(
        "direct",
      ),
    )
    .option("--direct", "watch a cluster itself, read-only: needs neither NATS nor a bridge, and a kind")
    .option("--context <name>", "with --direct: a context of the kubeconfig (default: the current one)")
    .option("--kubeconfig <file>", "with --direct: another kubeconfig")
    .option("--phase <path>", "with --direct: where the phase is, or condition:Ready (default: status.phase)")
    .option("--existing", "with --direct: begin with the objects that are there")
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor tail\n  $ cr-reactor tail Database -n prod --since 10m\n  $ cr-reactor tail --filter '{ phase: { to: Failed } }'\n  $ cr-reactor tail --subscription database-failed --since 1d\n  $ cr-reactor tail --json | jq .data.patch\n  $ cr-reactor tail databases --direct --context kind-dev",
    )
    .action(tail);

  program
    .command("status")
    .description(
      "Is everything all right? The log, the watches, the subscriptions, and the objects that bridges count.",
    )
    .option(...NATS_SERVER)
    .option(
      "--url <address...>",
      "also ask bridges for their objects, such as http://127.0.0.1:8080 (token: CR_STATUS_TOKEN)",
    )
    .option("--json", "one JSON object: ok, problems, log, watches, subscriptions, bridges")
    .addHelpText(
      "after",
      "\nExit code: 0 everything is all right; 1 something is not, or NATS does not answer.\n\nExamples:\n  $ cr-reactor status\n  $ cr-reactor status --url http://127.0.0.1:8080",
    )
    .action(async (options: object) => (await import("../status.ts")).statusCommand(options));
}

/** Two ways to the same changes, each loaded by itself: from the log, or from a cluster. */
async function tail(
  kind: string | undefined,
  { direct, ...options }: { readonly direct?: true },
  command: Command,
): Promise<void> {
  const usage = (problem: string) => command.error(`error: ${problem}`);
  if (direct) return await (await import("../tail-direct.ts")).tailDirectCommand(kind, options, usage);
  const ofDirect = ["context", "kubeconfig", "phase", "existing"].find((name) => name in options);
  if (ofDirect !== undefined) usage(`option '--${ofDirect}' needs --direct: without it the changes come from NATS`);
  await (await import("../tail.ts")).tailCommand(kind, options);
}
