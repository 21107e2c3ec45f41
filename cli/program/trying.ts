/** To try it without a cluster. */
import type { Command } from "commander";
import { parsePort } from "./argument.ts";

/** Adds api-server and demo. */
export function addTrying(program: Command): void {
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
