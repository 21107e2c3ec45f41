/**
 * `npm run chaos`: breaks the system for some minutes, from a seed that replays the same faults, and prints what came of it. The
 * table goes to standard output, progress to standard error; the exit code is 1 when anything is wrong, 2 when the command is.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startKube } from "../kit/kube-apiserver.ts";
import { startNatsCluster } from "../kit/nats-cluster.ts";
import { startNats } from "../kit/nats-server.ts";
import { CHAOS_KUBE } from "./bridge-access.ts";
import { FAULT_NAMES, FAULT_WIDTH, FAULTS, type FaultName, faultsFor, faultsWithin, needsOf } from "./fault.ts";
import { report } from "./report.ts";
import { type RunOptions, type RunResult, runChaos } from "./run.ts";

/** What `--help` adds to a fault that is not for every topology. */
const TOPOLOGY_TEXT = { one: " (--nats 1)", cluster: " (--nats 3)", either: "" } as const;

const HELP = `Usage: npm run chaos -- [--minutes 2] [--seed N] [--rate 100] [--objects 50] [--nats 3] [--faults a,b]

Writes to a real API server, captures with two real bridges into a real NATS, breaks them again and again, and checks that
nothing is lost, nothing is there twice, everything is in order and nothing is false.

  --minutes <n>     how long faults are played (default 2)
  --seed <n>        replays the faults and the choices of a run (default: drawn, and printed)
  --rate <n>        writes a second (default 100)
  --objects <n>     how many objects are written (default 50)
  --namespaces <n>  in how many namespaces (default 3)
  --nats <1|3>      one NATS server, or a cluster of three with three copies of each stream (default 1)
  --faults <a,b>    only these (default: all that make sense with so many NATS servers
                    and minutes)
  --keep <folder>   writes there ledger.ndjson, events.ndjson, earlier-events-1.ndjson and so on (of the logs that were lost or put back), facts.json
                    (times, and what is there at the end) and bridge.log (its end)
  --help            this text

Faults:
${FAULT_NAMES.map((name) => `  ${name.padEnd(FAULT_WIDTH)} ${FAULTS[name].about}${TOPOLOGY_TEXT[needsOf(name) ?? "either"]}`).join("\n")}
`;

const EXIT_USAGE = 2;
/** Seeds are short enough to be typed. */
const SEEDS = 1_000_000;

interface Command extends RunOptions {
  readonly keep: string | undefined;
  readonly nats: "one" | "cluster";
  /** What replays it. */
  readonly text: string;
}

await main();

async function main(): Promise<void> {
  let command: Command | undefined;
  try {
    command = readCommand();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n(--help tells the options)\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  if (command === undefined) {
    process.stdout.write(HELP);
    return;
  }
  process.stderr.write(`${command.text}\n`);
  await using kube = await startKube(CHAOS_KUBE);
  await using nats = command.nats === "one" ? await startNats() : await startNatsCluster();
  const result = await runChaos({ kube, nats }, command);
  process.stdout.write(`\n${report(result)}`);
  if (command.keep !== undefined) keepEvidence(command.keep, result);
  const isStuck = result.played.some(({ recoveryMs }) => recoveryMs === undefined);
  if (result.verdict.violations.length + result.problems.length === 0 && !isStuck) return;
  process.stderr.write(`\nThe bridge's last words:\n${result.bridgeLog}\n`);
  process.stdout.write(`\nReplay it with: ${command.text}\n`);
  process.exitCode = 1;
}

function readCommand(): Command | undefined {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: {
      ...{
        minutes: text,
        seed: text,
        rate: text,
        objects: text,
        namespaces: text,
        nats: text,
        faults: text,
        keep: text,
      },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const minutes = positive("minutes", values.minutes ?? "2");
  const seed = positive("seed", values.seed ?? String(1 + Math.floor(Math.random() * SEEDS)));
  const rate = positive("rate", values.rate ?? "100");
  const objects = positive("objects", values.objects ?? "50");
  const namespaces = positive("namespaces", values.namespaces ?? "3");
  const nats = topologyOf(values.nats ?? "1");
  const faults =
    values.faults?.split(",").map((name) => faultNamed(name, nats)) ?? faultsWithin(minutes, faultsFor(nats));
  const chosen = values.faults === undefined ? "" : ` --faults ${faults.join(",")}`;
  return {
    ...{ seed, rate, objects, namespaces, nats, faults, keep: values.keep },
    durationMs: minutes * 60_000,
    tell: (line) => process.stderr.write(`${line}\n`),
    text: `npm run chaos -- --minutes ${minutes} --seed ${seed} --rate ${rate} --objects ${objects} --namespaces ${namespaces} --nats ${nats === "one" ? 1 : 3}${chosen}`,
  };
}

function positive(option: string, value: string): number {
  const number = Number(value);
  if (number > 0) return number;
  throw new Error(`--${option} ${value}: expected a number greater than 0`);
}

function topologyOf(value: string): Command["nats"] {
  if (value === "1") return "one";
  if (value === "3") return "cluster";
  throw new Error(`--nats ${value}: expected 1 or 3 servers`);
}

function faultNamed(name: string, nats: Command["nats"]): FaultName {
  const found = faultsFor(nats).find((each) => each === name);
  if (found !== undefined) return found;
  const isKnown = FAULT_NAMES.some((each) => each === name);
  if (isKnown) throw new Error(`--faults: ${name} needs --nats ${nats === "one" ? 3 : 1}`);
  throw new Error(`--faults: there is no fault "${name}"; there are ${faultsFor(nats).join(", ")}`);
}

function keepEvidence(folder: string, { evidence, bridgeLog }: RunResult): void {
  const { ledger, events, earlier, ...facts } = evidence;
  mkdirSync(folder, { recursive: true });
  /** Line by line: half an hour of events is more than one string can hold. */
  const write = (name: string, items: Iterable<object>) => {
    const file = openSync(join(folder, name), "w");
    for (const item of items) writeSync(file, `${JSON.stringify(item)}\n`);
    closeSync(file);
  };
  write("ledger.ndjson", ledger);
  write("events.ndjson", events);
  for (const [index, log] of earlier.entries()) write(`earlier-events-${index + 1}.ndjson`, log.events);
  writeFileSync(join(folder, "facts.json"), JSON.stringify(facts));
  writeFileSync(join(folder, "bridge.log"), bridgeLog);
}
