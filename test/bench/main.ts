/**
 * `npm run bench`: measures us beside those that do something similar, in one run on the same servers, and prints tables with ratios and whether the
 * targets are met. Tables go to standard output, progress to standard error. The exit code is 1 when something of ours fails or drifts, 2 when
 * the command is wrong; a missed target is told and fails nothing, since a busy machine misses some.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { factsText } from "./facts.ts";
import { rowsOf } from "./measure.ts";
import { replaceMarked } from "./readme.ts";
import { type RunResult, runScenarios } from "./run.ts";
import { capture } from "./scenario/capture.ts";
import { diff } from "./scenario/diff.ts";
import { drain } from "./scenario/drain.ts";
import { functions } from "./scenario/functions.ts";
import { latency } from "./scenario/latency.ts";
import { start } from "./scenario/start.ts";
import type { Scenario } from "./scenario.ts";
import { soak } from "./soak.ts";
import { measurementTables, verdictTable } from "./table.ts";
import { judge } from "./target.ts";

const SCENARIOS: readonly Scenario[] = [capture, drain, latency, start, functions, diff];
/** As many as the published figures have. */
const ROUNDS = { quick: 1, full: 5 } as const;
const SOAK_MINUTES = 10;
const EXIT_USAGE = 2;
const README = join(import.meta.dirname, "README.md");

const HELP = `Usage: npm run bench -- [--quick] [--only capture,drain] [--rounds 5] [--json] [--write-readme]
       npm run bench -- --soak [--minutes ${SOAK_MINUTES}]

Measures floor (a Go program on client-go's informer), client-node's informer, kubernetes-fluent-client's Watcher and our bundle,
side by side on the same servers. What cannot be built or installed here is told as "not built".

  --quick          a small run of everything, in less than two minutes, to see that it works
  --only <a,b>     only these scenarios
  --rounds <n>     how often each is repeated (default ${ROUNDS.full}, ${ROUNDS.quick} with --quick)
  --json           every measurement as JSON instead of the tables
  --bundle <dir>   a build that is there already; without it one is made
  --write-readme   puts the tables into test/bench/README.md as well
  --soak           updates for some minutes, and judges whether the bridge's memory rises
  --minutes <n>    of the soak (default ${SOAK_MINUTES})
  --help           this text

Scenarios:
${SCENARIOS.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join("\n")}
`;

const text = { type: "string" } as const;
const flag = { type: "boolean", default: false } as const;

await main();

async function main(): Promise<void> {
  let values: ReturnType<typeof readCommand>;
  let scenarios: readonly Scenario[];
  try {
    values = readCommand();
    scenarios = selected(values.only);
    if (process.platform !== "linux" && !values.help)
      throw new Error("the benchmark needs Linux: processor time and memory of other processes are read from /proc");
    for (const option of ["rounds", "minutes"] as const) checkNumber(option, values[option]);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n(--help tells the options)\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  if (values.help) return void process.stdout.write(HELP);
  const startedAt = performance.now();
  const progress = (line: string) => {
    process.stderr.write(`${((performance.now() - startedAt) / 1000).toFixed(0).padStart(5)} s  ${line}\n`);
  };
  if (values.soak) {
    const drift = await soak(Number(values.minutes ?? SOAK_MINUTES) * 60, values.bundle, progress);
    process.stdout.write(drift.text);
    if (drift.rises) process.exitCode = 1;
    return;
  }
  const size = values.quick ? "quick" : "full";
  const rounds = Number(values.rounds ?? ROUNDS[size]);
  const result = await runScenarios({ scenarios, size, rounds, bundle: values.bundle, progress });
  const report = reportOf(result);
  const asJson = () => JSON.stringify({ ...result, targets: judge(rowsOf(result.measurements)) }, null, 2);
  process.stdout.write(values.json ? `${asJson()}\n` : report);
  if (values["write-readme"]) writeFileSync(README, replaceMarked(readFileSync(README, "utf8"), report));
}

function readCommand() {
  const options = {
    ...{ quick: flag, only: text, rounds: text, json: flag, bundle: text, "write-readme": flag },
    ...{ soak: flag, minutes: text, help: flag },
  };
  return parseArgs({ options }).values;
}

function selected(only: string | undefined): readonly Scenario[] {
  if (only === undefined) return SCENARIOS;
  return only.split(",").map((name) => {
    const found = SCENARIOS.find((each) => each.name === name);
    if (found !== undefined) return found;
    throw new Error(
      `--only: there is no scenario "${name}"; there are ${SCENARIOS.map((each) => each.name).join(", ")}`,
    );
  });
}

function checkNumber(option: "rounds" | "minutes", value = "1"): void {
  const [isRight, expected] =
    option === "rounds" ? [/^[1-9]\d*$/.test(value), "a whole number"] : [Number(value) > 0, "a number"];
  if (!isRight) throw new Error(`--${option} ${value}: expected ${expected} greater than 0`);
}

function reportOf({ measurements, notBuilt, failures, facts }: RunResult): string {
  const rows = rowsOf(measurements);
  const args = process.argv.slice(2).filter((each) => each !== "--write-readme");
  const command = ["npm run bench", ...(args.length > 0 ? ["--"] : []), ...args].join(" ");
  const failed = failures.map((failure) => `Failed: ${failure.replaceAll(/\s+/g, " ")}\n\n`).join("");
  return `${factsText(facts, command)}\n${measurementTables(rows, notBuilt)}\n${failed}### targets\n\n${verdictTable(judge(rows))}`;
}
