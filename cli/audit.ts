/**
 * `cr-reactor audit verify`: checks that nothing was changed in, taken out of or put into an audit log since it was written, and says how
 * far its chains go. Several files are read as one log, oldest first.
 */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type ChainProblem, createChainCheck } from "../functions/actions/audit/audit-chain.ts";
import { count } from "./doctor/check.ts";
import { failure, paint, print } from "./terminal.ts";

/** A problem, and the line's number in its file. */
type FoundProblem = ChainProblem & { readonly file: string };

const EXIT_BREACH = 1;
const EXIT_UNREADABLE = 2;
/** More say nothing more; they are counted. */
const SHOWN_MAX = 20;

/** Prints what it found, and sets the exit code: 0 nothing is wrong, 1 something is, 2 a file cannot be read. */
export async function auditVerifyCommand(files: readonly string[], options: { readonly json?: true }): Promise<void> {
  const check = createChainCheck();
  const problems: FoundProblem[] = [];
  let breachCount = 0;
  try {
    for (const file of files) {
      const before = check.lineCount;
      for await (const line of createInterface({
        input: createReadStream(file),
        crlfDelay: Number.POSITIVE_INFINITY,
      })) {
        const problem = check.next(line);
        if (problem === undefined) continue;
        if (problem.type === "breach") breachCount++;
        if (problems.length < SHOWN_MAX) problems.push({ ...problem, line: problem.line - before, file });
      }
    }
  } catch (error) {
    failure(Object.assign(new Error(`the audit log cannot be read: ${(error as Error).message}`), { code: "AUDIT" }));
    process.exitCode = EXIT_UNREADABLE;
    return;
  }
  process.exitCode = breachCount > 0 ? EXIT_BREACH : 0;
  const { lineCount, ends } = check;
  if (options.json) {
    print(JSON.stringify({ ok: breachCount === 0, lines: lineCount, breaches: breachCount, problems, chains: ends }));
    return;
  }
  for (const { file, line, type, message } of problems)
    print(`${paint(type === "breach" ? "red" : "yellow", type)} ${file}:${line}: ${message}`);
  for (const { chain, sequence, hash } of ends) print(`chain ${chain} goes to number ${sequence}, hash ${hash}`);
  const found =
    breachCount === 0
      ? paint("green", "nothing was changed")
      : paint("red", breachCount === 1 ? "1 breach" : `${breachCount.toLocaleString("en")} breaches`);
  print(`${count(lineCount, "line")}, ${count(ends.length, "chain")}: ${found}`);
}
