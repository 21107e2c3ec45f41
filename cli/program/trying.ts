/** To try it, and to write functions, without a cluster. */
import { type Command, Option } from "commander";
import { parseCount, parsePort } from "./argument.ts";

/** Adds dev, api-server and demo. */
export function addTrying(program: Command): void {
  program
    .command("dev")
    .description("Write functions: loaded anew when saved, run with events, and shown what they would send.")
    .argument("[path...]", "functions, and folders of them (default: this folder)")
    .option("-s, --subscriptions <file>", "the subscriptions (YAML), instead of what the functions say themselves")
    .addOption(
      new Option("--recorded <file>", "the events of this file, as tail --json wrote them").conflicts([
        "context",
        "kubeconfig",
        "manifests",
      ]),
    )
    .addOption(
      new Option("--context <name>", "the changes of one's own cluster, which is only read").conflicts("manifests"),
    )
    .addOption(new Option("--kubeconfig <file>", "the same, by another kubeconfig").conflicts("manifests"))
    .option(
      "--manifests <file...>",
      "what the embedded API server begins with (YAML); it is what changes come from else",
    )
    .option("-n, --namespace <name>", "only changes in this namespace")
    .option("--send", "really send what functions send")
    .option("--count <n>", "end after so many events", parseCount)
    .option("--json", "one JSON object an event: event, deliveries")
    .addHelpText(
      "after",
      "\nExamples:\n  $ cr-reactor dev\n  $ cr-reactor dev page-oncall.ts --manifests crd.yaml\n  $ cr-reactor dev --subscriptions subscriptions.yaml --recorded failed.ndjson --count 1",
    )
    .action(async (paths: string[], options: object) =>
      (await import("../dev/dev.ts")).devCommand(paths.length === 0 ? ["."] : paths, options),
    );

  program
    .command("dev-worker", { hidden: true })
    .argument("[path...]")
    .option("--subscriptions <file>")
    .option("--send")
    .action(async (paths: string[], options: object) =>
      (await import("../dev/worker.ts")).devWorkerCommand({ ...options, paths }),
    );

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
      (await import("../api-server.ts")).apiServerCommand(files, options),
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
      (await import("../demo.ts")).demoCommand(options),
    );
}
