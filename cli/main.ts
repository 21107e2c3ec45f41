#!/usr/bin/env node
/**
 * The command line. Each command is a file that is loaded only when it is used, so that `tail` does not pay for the Kubernetes
 * client. Results go to standard output, everything else to standard error; the exit code is 0 when it worked, 1 when it did
 * not, 2 when the command or a configuration file is wrong.
 */
import { enableCompileCache } from "node:module";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { failure } from "./terminal.ts";
import { VERSION } from "./version.ts";

const EXIT_USAGE = 2;
/** What the user wrote is wrong, so that the same command fails again: names, files, and what is in them. */
const USAGE_CODES = new Set([
  "CONFIG_INVALID",
  "FILE_UNREADABLE",
  "MANIFEST_INVALID",
  "NEW_FUNCTION",
  "SUBSCRIPTION_INVALID",
  "UNKNOWN_SCHEMA",
]);
/** A bridge that is further behind is not running. */
const WAIT_SECONDS_MAX = 600;
/** Events that `explain` shows: more is for `--event`. */
const SHOWN_MAX = 1_000;
/** Ended by Ctrl-C before it was through (128 + SIGINT, as shells have it). */
const EXIT_STOPPED = 130;

// What a command loads is compiled once, not at each start; where the cache cannot be written nothing changes.
enableCompileCache();

const program = new Command("cr-reactor")
  .description("Change data capture for Kubernetes custom resources, and small functions that react to it.")
  .version(VERSION)
  .exitOverride()
  .showHelpAfterError("(add --help for the options)")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor demo\n  $ cr-reactor bridge --config bridge.yaml\n  $ cr-reactor run --subscriptions subscriptions.yaml\n  $ cr-reactor tail Database -n prod",
  );

program
  .command("bridge")
  .description("Capture custom resources and publish their changes as CloudEvents on NATS.")
  .requiredOption("-c, --config <file>", "configuration (YAML); its JSON Schema: cr-reactor schema bridge")
  .option("--check", "say what it would watch and which permissions are missing, and print the Roles; needs no NATS")
  .addOption(new Option("--rbac", "with --check: print only the Roles (YAML)").conflicts("json"))
  .option("--json", "with --check: one JSON object: ok, the watches, what is missing, and the Roles")
  .addHelpText(
    "after",
    "\nExit code of --check: 0 all can be watched; 1 something cannot; 2 it cannot be checked.\n\nExamples:\n  $ cr-reactor bridge --config bridge.yaml\n  $ cr-reactor bridge --check --config bridge.yaml\n  $ cr-reactor bridge --check --rbac --config bridge.yaml | kubectl apply -f -",
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
    (await import("./run.ts")).runCommand(functions, options),
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
    (await import("./serve.ts")).serveCommand(functions, options),
  );

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
    (await import("./explain.ts")).explainCommand(name, options),
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
  .option("--count <n>", "end after so many changes", parseCount)
  .option("--json", "one CloudEvent a line")
  .addOption(
    new Option("--since <duration>", "begin with the changes kept of this time, such as 30s, 10m, 2h or 7d")
      .argParser(parseDuration)
      .conflicts("direct"),
  )
  .addOption(
    new Option("--server <url...>", "NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)").conflicts("direct"),
  )
  .option("--direct", "watch a cluster itself, read-only: needs neither NATS nor a bridge, and a kind")
  .option("--context <name>", "with --direct: a context of the kubeconfig (default: the current one)")
  .option("--kubeconfig <file>", "with --direct: another kubeconfig")
  .option("--phase <path>", "with --direct: where the phase is, or condition:Ready (default: status.phase)")
  .option("--existing", "with --direct: begin with the objects that are there")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor tail\n  $ cr-reactor tail Database -n prod --since 10m\n  $ cr-reactor tail --json | jq .data.patch\n  $ cr-reactor tail databases --direct --context kind-dev",
  )
  .action(tail);

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
const natsServer = ["--server <url...>", "NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)"] as const;

letterFilter(deadLetters.command("list"))
  .description("List the dead letters, oldest first.")
  .option("--json", "one JSON object a line")
  .option(...natsServer)
  .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters list --kind Database --since 7d")
  .action(async (options: object) => (await import("./dead-letters.ts")).listCommand(options));

deadLetters
  .command("show")
  .description("Show all about one: the reason, the tries, the steps that were done, the event and its change.")
  .argument("<id>", "its number in the list", parseLetter)
  .option("--json", "one JSON object, with the whole event")
  .option(...natsServer)
  .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters show 12")
  .action(async (id: number, options: object) => (await import("./dead-letters.ts")).showCommand(id, options));

letterFilter(deadLetters.command("retry"))
  .description("Deliver them again, to their own subscription: steps that were done are not run again.")
  .argument("[id...]", "their numbers in the list", parseLetters)
  .option("--all", "all of a subscription; with the other filters, fewer")
  .option("--wait <seconds>", "how long to wait for what becomes of them (default: 10)", parseSeconds)
  .option(...natsServer)
  .addHelpText(
    "after",
    "\nExit code: 0 all succeeded, or wait for a process; 1 one failed again, or is not there.\n\nExamples:\n  $ cr-reactor dead-letters retry 12 13\n  $ cr-reactor dead-letters retry --all --subscription database-failed --since 1d",
  )
  .action(async (ids: number[], options: LetterChoice, command: Command) => {
    checkChoice(ids, options, command);
    await (await import("./dead-letters-change.ts")).retryCommand(ids, options);
  });

letterFilter(deadLetters.command("drop"))
  .description("Remove them for good: their events are not tried again.")
  .argument("[id...]", "their numbers in the list", parseLetters)
  .option("--all", "all of a subscription; with the other filters, fewer")
  .option("-y, --yes", "do not ask")
  .option(...natsServer)
  .addHelpText("after", "\nExample:\n  $ cr-reactor dead-letters drop 12 --yes")
  .action(async (ids: number[], options: LetterChoice & { readonly yes?: true }, command: Command) => {
    checkChoice(ids, options, command);
    if (!options.yes && !process.stdin.isTTY)
      command.error("error: nobody can be asked here: look with dead-letters list, then say --yes");
    await (await import("./dead-letters-change.ts")).dropCommand(ids, options);
  });

program
  .command("status")
  .description("Is everything all right? The log, the watches, the subscriptions, and the objects that bridges count.")
  .option(...natsServer)
  .option(
    "--url <address...>",
    "also ask bridges for their objects, such as http://127.0.0.1:8080 (token: CR_STATUS_TOKEN)",
  )
  .option("--json", "one JSON object: ok, problems, log, watches, subscriptions, bridges")
  .addHelpText(
    "after",
    "\nExit code: 0 everything is all right; 1 something is not, or NATS does not answer.\n\nExamples:\n  $ cr-reactor status\n  $ cr-reactor status --url http://127.0.0.1:8080",
  )
  .action(async (options: object) => (await import("./status.ts")).statusCommand(options));

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
  .action(async (options: object) => (await import("./doctor.ts")).doctorCommand(options));

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
  .action(async (options: { account: string }) => (await import("./nats-users.ts")).natsUsersCommand(options));

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
  .action(async (options: { config: string }) => (await import("./verify.ts")).verifyCommand(options));

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
    (await import("./audit.ts")).auditVerifyCommand(files, options),
  );

program
  .command("new")
  .description("Begin something of your own: a function, with its test.")
  .argument("<what>", "function")
  .argument("<name>", "what it is called: lower-case words with - between them")
  .option("--kind <kind>", "the kind it reacts to, with its version", "Database.demo.example.com/v1")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor new function page-oncall\n  $ cr-reactor new function page-oncall --kind Certificate.cert-manager.io/v1",
  )
  .action(async (what: string, name: string, options: { kind: string }, command: Command) => {
    if (what !== "function") command.error(`error: cannot make a new "${what}": expected function`);
    await (await import("./new-function.ts")).newFunctionCommand(name, options);
  });

program
  .command("schema")
  .description("Print a JSON Schema, for editors and validators.")
  .argument("<what>", "bridge, subscriptions, change (the data of an event) or event")
  .addHelpText("after", "\nExample:\n  $ cr-reactor schema bridge > bridge.schema.json")
  .action(async (what: string) => (await import("./schema.ts")).schemaCommand(what));

program
  .command("types")
  .description("Write the TypeScript module of a kind, with which the compiler checks filters and functions.")
  .argument("[kind]", "a kind or plural, with its group if it is ambiguous; may be left out where --crd has one kind")
  .addOption(
    new Option("--crd <file>", "from the file of a CustomResourceDefinition (YAML)").conflicts([
      "server",
      "context",
      "kubeconfig",
    ]),
  )
  .addOption(new Option("--context <name>", "from a cluster: a context of the kubeconfig").conflicts("server"))
  .addOption(new Option("--kubeconfig <file>", "from a cluster: another kubeconfig").conflicts("server"))
  .option(
    "--server <url...>",
    "from what bridges have published: NATS servers (default: NATS_URL, else nats://127.0.0.1:4222)",
  )
  .option("--cluster <name>", "from NATS: the cluster, where they differ")
  .option("--api-version <version>", "the version in its group, such as v1, where there are several")
  .option("-o, --output <file>", "write it here (default: standard output)")
  .option("--check", "write nothing; exit code 1 when the file is not what it would be")
  .option("--force", "overwrite a file that this command did not write")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor types --crd crd.yaml --output database.ts\n  $ cr-reactor types databases --context kind-dev --output database.ts\n  $ cr-reactor types Database --output database.ts --check",
  )
  .action(async (kind: string | undefined, options: { output?: string; check?: true }, command: Command) => {
    if (options.check && options.output === undefined) command.error("error: option '--check' needs --output");
    await (await import("./types.ts")).typesCommand(kind, options);
  });

program
  .command("api-server")
  .description("An API server by itself, to try and to write functions without a cluster: nothing is kept.")
  .argument("[file...]", "manifests to begin with (YAML): CustomResourceDefinitions, and objects of theirs")
  .option("--port <n>", "listen on this port of 127.0.0.1 (default: any that is free)", parsePort)
  .option("--kubeconfig <file>", "write the kubeconfig here (default: a temporary file)")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor api-server crd.yaml database.yaml\n  $ cr-reactor api-server --port 8001 --kubeconfig embedded.kubeconfig",
  )
  .action(async (files: string[], options: { port?: number; kubeconfig?: string }) =>
    (await import("./api-server.ts")).apiServerCommand(files, options),
  );

program
  .command("demo")
  .description("See the whole loop in a minute: a database fails, a Slack message says so. No cluster, no account.")
  .option(
    "--context <name>",
    "use your own cluster: this context of your kubeconfig, in a namespace that is removed again",
  )
  .option("--real", "use a real kube-apiserver, built with Go where it is missing (five minutes, once)")
  .option("--keep", "leave everything running at the end, and say how to reach it")
  .addHelpText(
    "after",
    "\nExamples:\n  $ cr-reactor demo\n  $ cr-reactor demo --keep\n  $ cr-reactor demo --context kind-dev",
  )
  .action(async (options: { context?: string; real?: true; keep?: true }) =>
    (await import("./demo.ts")).demoCommand(options),
  );

// Whoever reads the output has seen enough: `cr-reactor tail | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  failure(error);
  if (error instanceof Error && error.name === "AbortError") return EXIT_STOPPED;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return USAGE_CODES.has(String(code)) ? EXIT_USAGE : 1;
}

/** To run it, and to see what it would do. */
async function bridge(
  { check, ...options }: { readonly config: string; readonly check?: true },
  command: Command,
): Promise<void> {
  if (check) return await (await import("./bridge-check.ts")).bridgeCheckCommand(options);
  const ofCheck = ["rbac", "json"].find((name) => name in options);
  if (ofCheck !== undefined) command.error(`error: option '--${ofCheck}' needs --check`);
  await (await import("./bridge.ts")).bridgeCommand(options);
}

/** Two ways to the same changes, each loaded by itself: from the log, or from a cluster. */
async function tail(
  kind: string | undefined,
  { direct, ...options }: { readonly direct?: true },
  command: Command,
): Promise<void> {
  const usage = (problem: string) => command.error(`error: ${problem}`);
  if (direct) return await (await import("./tail-direct.ts")).tailDirectCommand(kind, options, usage);
  const ofDirect = ["context", "kubeconfig", "phase", "existing"].find((name) => name in options);
  if (ofDirect !== undefined) usage(`option '--${ofDirect}' needs --direct: without it the changes come from NATS`);
  await (await import("./tail.ts")).tailCommand(kind, options);
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

function parseLetter(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError("Expected a number of the list.");
  return Number(text);
}

function parseLetters(text: string, before: readonly number[] = []): number[] {
  return [...before, parseLetter(text)];
}

function parseDuration(text: string): number {
  const match = /^(\d+)([smhd])$/.exec(text);
  const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 }[match?.[2] ?? ""];
  if (seconds === undefined) throw new InvalidArgumentError("Expected a number and a unit: 30s, 10m, 2h or 7d.");
  return Number(match?.[1]) * seconds * 1_000;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= WAIT_SECONDS_MAX))
    throw new InvalidArgumentError(`Expected seconds: more than 0, at most ${WAIT_SECONDS_MAX}.`);
  return seconds;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new InvalidArgumentError("Expected a port: 1 to 65535.");
  return port;
}

function parseShown(text: string): number {
  const count = parseCount(text);
  if (count > SHOWN_MAX) throw new InvalidArgumentError(`Expected at most ${SHOWN_MAX}.`);
  return count;
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("Expected a whole number of at least 1.");
  return count;
}
