/**
 * A terminal in which a user of the server under test runs kubectl. Every test has a namespace and a folder of its own; the discovery
 * cache lasts for a test file and a server, as a user's does. What differs from run to run is a placeholder in what is printed.
 */
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { parse, stringify } from "yaml";
import { createDataFolder } from "../../../kit/data-folder.ts";
import { databaseCrd } from "../../../kit/database-crd.ts";
import { spawnOwned } from "../../../kit/owned-child.ts";
import { needKubectl } from "../../../kit/shared-kube.ts";
import { until } from "../../../kit/until.ts";
import type { Open, Target } from "./target.ts";
import { workerCrd } from "./worker-crd.ts";

/** The test's namespace in commands, files and what is printed; as long as the real name, so that tables are as wide. */
export const NAMESPACE = "test-namespace1";

/** What a command printed and how it ended. */
export interface Outcome {
  readonly output: string;
  readonly code: number | null;
}

/** A command that has not ended yet. */
export interface Running {
  /** What it has printed so far, standard output first, with placeholders. */
  output(): string;
  readonly ended: Promise<Outcome>;
  kill(): void;
}

/** A user's terminal. */
export interface Terminal {
  readonly target: Target;
  /** As the server knows it. */
  readonly namespace: string;
  /** Runs kubectl with the words of `command`, which may begin with `kubectl` and, before that, with `NAME='value'` for its environment. */
  start(command: string): Running;
  /** The same, to its end. */
  run(command: string): Promise<Outcome>;
  /** Writes a file into the folder that the commands run in; what is not a string is written as JSON. */
  write(name: string, content: object | string): void;
}

/** A command that takes longer hangs. */
const RUN_MS_MAX = 60_000;

/** A terminal for this test alone; undefined where a server or kubectl is missing, and the test is marked as skipped. */
export async function openTerminal(t: TestContext, open: Open): Promise<Terminal | undefined> {
  const kubectl = await needKubectl(t);
  const target = kubectl === undefined ? undefined : await open(t);
  if (kubectl === undefined || target === undefined) return undefined;
  const folder = createDataFolder("kubectl");
  t.after(() => folder.remove());
  const namespace = `test-${randomBytes(5).toString("hex")}`;
  const [home] = await Promise.all([homeOf(target), target.client.createNamespace(namespace)]);
  writeKubeconfig(target, join(folder.path, "kubeconfig"), namespace);
  const env = { PATH: process.env["PATH"], HOME: home, KUBECONFIG: join(folder.path, "kubeconfig"), LC_ALL: "C" };
  const steady = (output: string): string => withPlaceholders(output.replaceAll(namespace, NAMESPACE));
  const start = (command: string): Running => {
    const { words, assigned } = wordsOf(command.replaceAll(NAMESPACE, namespace));
    return startCommand(kubectl, words, { cwd: folder.path, env: { ...env, ...assigned } }, steady);
  };
  return {
    target,
    namespace,
    start,
    run: (command) => start(command).ended,
    write(name, content) {
      const text = typeof content === "string" ? content : JSON.stringify(content, null, 2);
      writeFileSync(join(folder.path, name), text.replaceAll(NAMESPACE, namespace));
    },
  };
}

const homes = new Map<Target["name"], Promise<string>>();

/** The home folder for a server, which by then serves both kinds of the cases and their schemas. */
function homeOf(target: Target): Promise<string> {
  const home = homes.get(target.name) ?? prepareHome(target);
  homes.set(target.name, home);
  return home;
}

async function prepareHome({ client }: Target): Promise<string> {
  await client.applyCrd(workerCrd);
  // A schema is published some time after its kind is served, and kubectl keeps what it has learnt.
  for (const group of [databaseCrd.spec.group, workerCrd.spec.group]) {
    const path = `/openapi/v3/apis/${group}/v1`;
    const isPublished = () => client.get(path).then(Boolean, () => false);
    await until(isPublished, { what: `${path} is published` });
  }
  return createDataFolder("kubectl-home").path;
}

function writeKubeconfig({ kubeconfigPath }: Target, path: string, namespace: string): void {
  const config = parse(readFileSync(kubeconfigPath, "utf8"));
  for (const { context } of config.contexts) context.namespace = namespace;
  writeFileSync(path, stringify(config), { mode: 0o600 });
}

function startCommand(
  path: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  steady: (output: string) => string,
): Running {
  const child = spawnOwned(path, args, options);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    stderr += chunk;
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), RUN_MS_MAX);
  // A line of the one may be half written when the other has one.
  const output = (): string =>
    steady(stdout === "" || stdout.endsWith("\n") ? stdout + stderr : `${stdout}\n${stderr}`);
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      clearTimeout(deadline);
      resolve({ output: output(), code });
    });
  });
  return { output, ended, kill: () => child.kill("SIGKILL") };
}

/** Words as a shell splits them, as far as single quotes. */
function wordsOf(command: string): { words: readonly string[]; assigned: NodeJS.ProcessEnv } {
  const all = [...command.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ""));
  const at = all.indexOf("kubectl");
  const assignments = all.slice(0, Math.max(at, 0)).map((word) => {
    const equals = word.indexOf("=");
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
  return { words: all.slice(at + 1), assigned: Object.fromEntries(assignments) };
}

/** What is meant for the user, without empty lines at the end and spaces at the end of lines. What kubectl logs, about its requests, is left out. */
export function linesOf(output: string): readonly string[] {
  const lines = output.split("\n").map((line) => line.trimEnd());
  const said = lines.filter((line) => !/^[IWE]\d{4} /.test(line));
  while (said.at(-1) === "") said.pop();
  return said;
}

const PLACEHOLDERS: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, "<time>"],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uid>"],
  [/(resourceVersion"?: )"\d+"/g, '$1"<version>"'],
  [/(Resource Version: +)\d+/g, "$1<version>"],
  [/v1\.36\.\d\S*/g, "v1.36"],
  [/(?<= deleted) from \S+ namespace/g, ""], // kubectl says it since 1.34
];

/** With the spaces up to the next column, whose place is to stay. */
const AGE = /(?<=^| {2})\d+s(?: {2,}|$)/gm;

function withPlaceholders(output: string): string {
  const text = output.replace(AGE, (age) => "<age>".padEnd(age.length));
  return PLACEHOLDERS.reduce((before, [pattern, placeholder]) => before.replace(pattern, placeholder), text);
}
