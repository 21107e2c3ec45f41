/** What is written for those who write functions and configurations. */
import { Argument, type Command, Option } from "commander";
import type { Shell } from "../completion/completion.ts";

/** Adds new, schema, types and completion. */
export function addMaking(program: Command): void {
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
      await (await import("../new-function.ts")).newFunctionCommand(name, options);
    });

  program
    .command("schema")
    .description("Print a JSON Schema, for editors and validators.")
    .argument("<what>", "bridge, subscriptions, change (the data of an event) or event")
    .addHelpText("after", "\nExample:\n  $ cr-reactor schema bridge > bridge.schema.json")
    .action(async (what: string) => (await import("../schema.ts")).schemaCommand(what));

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
      await (await import("../types.ts")).typesCommand(kind, options);
    });

  program
    .command("completion")
    .description("Print the script with which a shell completes this command line.")
    .addArgument(new Argument("<shell>", "your shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      '\nIn ~/.bashrc or ~/.zshrc: eval "$(cr-reactor completion bash)"\n\nExamples:\n  $ cr-reactor completion bash > ~/.local/share/bash-completion/completions/cr-reactor\n  $ cr-reactor completion fish > ~/.config/fish/completions/cr-reactor.fish',
    )
    .action(async (shell: Shell) => (await import("../completion/completion.ts")).completionCommand(shell, program));
}
