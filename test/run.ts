/**
 * `npm test`: runs every *.test.ts below test/, each file in a process of its own, against real servers. What is needed is installed first
 * (with progress shown), one API server is started for the whole run, and the last line says what passed, failed and was skipped, and why.
 * What cannot be installed is a visible skip on a developer's machine and a failure with CI=true. Exits non-zero on any failure.
 */
import { glob, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { run, type TestsStream } from "node:test";
import { spec } from "node:test/reporters";
import { parseArgs } from "node:util";
import { findBinary } from "./kit/binary.ts";
import { sweepDataFolders } from "./kit/data-folder.ts";
import type { KubeServer } from "./kit/kube-apiserver.ts";
import { BinaryMissingError, type BinaryName } from "./kit/missing-binary.ts";
import { isCi, MISSING_VARIABLE, SHARED_KUBE_VARIABLE, startSharedKube } from "./kit/shared-kube.ts";

const HELP = `Usage: npm test -- [pattern…]        or: node test/run.ts [pattern…]

Runs the test files whose path contains one of the patterns; all of them without a pattern.

  --folder <path>   where to look for *.test.ts (default: test)
  --help            this text

The servers that the tests talk to are installed once, into $CR_REACTOR_CACHE or the user's cache folder.
`;

/** More files at once do not end sooner: each brings servers that want a core as well. */
const CONCURRENCY_MAX = 2;

/** A test without a timeout of its own: several of its waits may take a minute each on a machine that is busy elsewhere. */
const TEST_MS_MAX = 300_000;

/** No test may be silent for longer; what is, is taken for a file that something keeps from ending. */
const SILENCE_MS_MAX = 15 * 60 * 1000;

await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { folder: { type: "string", default: import.meta.dirname }, help: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const files = await selectFiles(resolve(values.folder), positionals);
  if (files.length === 0) return fail(`no test file in ${values.folder} has ${positionals.join(" or ")} in its path`);
  const needs = await needsOf(files);
  const missing = await install(needs.binaries);
  if (missing.length > 0 && isCi()) return fail(missing.map(({ message }) => message).join("\n"));
  process.env[MISSING_VARIABLE] = JSON.stringify(
    Object.fromEntries(missing.map((error) => [error.binary, error.summary])),
  );

  sweepDataFolders();
  const isKubeMissing = missing.some(({ binary }) => binary === "etcd" || binary === "kube-apiserver");
  await using kube = needs.isKubeShared && !isKubeMissing ? await startKubeForAll() : undefined;
  const { passed, failed, skipped, skipReasons } = await runFiles(files);
  await kube?.stop();
  const why = skipReasons.size === 0 ? "" : ` (${[...skipReasons].join("; ")})`;
  process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped${why}\n`);
  if (failed > 0 || passed + skipped === 0) process.exitCode = 1;
}

function fail(message: string): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = 1;
}

async function selectFiles(folder: string, patterns: readonly string[]): Promise<readonly string[]> {
  const paths = await Array.fromAsync(glob("**/*.test.ts", { cwd: folder }));
  const isSelected = (path: string) =>
    patterns.length === 0 || patterns.some((pattern) => relative(process.cwd(), path).includes(pattern));
  return paths
    .map((path) => join(folder, path))
    .filter(isSelected)
    .sort();
}

interface Needs {
  readonly binaries: readonly BinaryName[];
  /** Whether a file asks for the API server that all share. */
  readonly isKubeShared: boolean;
}

/** Read from the names of the kit's functions in the files and in what they import. */
async function needsOf(files: readonly string[]): Promise<Needs> {
  const sources = new Map<string, string>();
  await Promise.all(files.map((file) => readWithImports(file, sources)));
  const mention = (names: RegExp) => [...sources.values()].some((source) => names.test(source));
  const binaries: BinaryName[] = [];
  if (mention(/\b(need|start)Nats(Cluster)?\b/)) binaries.push("nats-server");
  if (mention(/\b(sharedKube|needKube|startKube)\b/)) binaries.push("etcd", "kube-apiserver");
  if (mention(/\bneedAlertmanager\b/)) binaries.push("alertmanager");
  if (mention(/\bneedHelm\b/)) binaries.push("helm");
  if (mention(/\bneedOpenssl\b/)) binaries.push("openssl");
  if (mention(/\bneedPrometheus\b/)) binaries.push("prometheus");
  if (mention(/\bneedPromtool\b/)) binaries.push("promtool");
  if (mention(/\bneedKubectl\b/)) binaries.push("kubectl"); // last: building it is quick after kube-apiserver
  return { binaries, isKubeShared: mention(/\bsharedKube\b/) };
}

/** Follows imports beside and below the tests, but not into the kit, where every name occurs, nor into the code under test. */
async function readWithImports(file: string, sources: Map<string, string>): Promise<void> {
  const kit = join(import.meta.dirname, "kit");
  if (sources.has(file)) return;
  sources.set(file, "");
  const source = await readFile(file, "utf8").catch(() => "");
  sources.set(file, source);
  const imported = [...source.matchAll(/ from "(\.[^"]+)"/g)].map(([, path = ""]) => resolve(dirname(file), path));
  const followed = imported.filter((path) => path.startsWith(`${import.meta.dirname}/`) && !path.startsWith(`${kit}/`));
  await Promise.all(followed.map((path) => readWithImports(path, sources)));
}

async function install(binaries: readonly BinaryName[]): Promise<readonly BinaryMissingError[]> {
  const missing: BinaryMissingError[] = [];
  for (const binary of binaries) {
    try {
      await findBinary(binary);
    } catch (error) {
      if (!(error instanceof BinaryMissingError)) throw error;
      missing.push(error);
    }
  }
  return missing;
}

async function startKubeForAll(): Promise<KubeServer> {
  const kube = await startSharedKube();
  const { url, caPem, tokens, kubeconfigPath } = kube;
  process.env[SHARED_KUBE_VARIABLE] = JSON.stringify({ url, caPem, tokens, kubeconfigPath });
  process.stderr.write(`kube-apiserver is ready after ${((kube.etcd.startMs + kube.startMs) / 1000).toFixed(1)} s\n`);
  return kube;
}

interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skipReasons: ReadonlySet<string>;
}

async function runFiles(files: readonly string[]): Promise<Totals> {
  const aborting = new AbortController();
  const abort = (): void => aborting.abort(new Error("the run was interrupted"));
  process.once("SIGINT", abort).once("SIGTERM", abort);
  const events = run({
    files: [...files],
    isolation: "process",
    concurrency: Math.min(CONCURRENCY_MAX, availableParallelism()),
    execArgv: [`--test-timeout=${TEST_MS_MAX}`], // run()'s own timeout would be one for a whole file
    signal: aborting.signal,
  });
  const stopWatching = watchForSilence(events, aborting);
  const totals = collectTotals(events);
  await pipeline(events, new spec(), process.stdout, { end: false });
  stopWatching();
  return totals();
}

function collectTotals(events: TestsStream): () => Totals {
  let totals = { passed: 0, failed: 0, skipped: 0 };
  const skipReasons = new Set<string>();
  events.on("test:pass", ({ skip, todo }) => {
    if (skip !== undefined && skip !== false) skipReasons.add(skip === true ? "no reason given" : skip);
    if (todo !== undefined && todo !== false) skipReasons.add("to do");
  });
  events.on("test:summary", ({ file, counts }) => {
    if (file !== undefined) return; // of one file
    const { tests, passed, skipped, todo } = counts; // the others have failed, were cancelled or timed out
    totals = { passed, failed: tests - passed - skipped - todo, skipped: skipped + todo };
  });
  return () => ({ ...totals, skipReasons });
}

/** Aborts the run when nothing has started or ended for too long, naming the files that are not over. */
function watchForSilence(events: TestsStream, aborting: AbortController): () => void {
  const open = new Set<string>();
  const giveUp = (): void => {
    const names = [...open].map((file) => relative(process.cwd(), file)).join(", ");
    aborting.abort(new Error(`nothing has happened for ${SILENCE_MS_MAX / 60_000} minutes; not over: ${names}`));
  };
  const timer = setTimeout(giveUp, SILENCE_MS_MAX);
  events.on("test:dequeue", ({ name, nesting }) => {
    timer.refresh();
    if (nesting === 0 && name.endsWith(".test.ts")) open.add(name);
  });
  events.on("test:complete", ({ name }) => {
    timer.refresh();
    open.delete(name);
  });
  return () => clearTimeout(timer);
}
