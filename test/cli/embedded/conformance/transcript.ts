/**
 * Cases as transcripts of a terminal: commands after `$ `, each followed by exactly what it prints, standard output first, and by its exit
 * code in brackets where that is not 0. Spaces at the end of a line do not count, nor do empty lines at the end of an output.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { linesOf, type Outcome, openTerminal, type Terminal } from "./kubectl.ts";
import { conform } from "./target.ts";

/** One promise, kept by both servers. */
export interface KubectlCase {
  readonly name: string;
  /** Files in the folder that the commands run in, by name; what is not a string is written as JSON. */
  readonly files?: Readonly<Record<string, object | string>>;
  /** Done before the first command, for what no file can say. */
  readonly prepare?: (terminal: Terminal) => Promise<void>;
  /**
   * Indented as a whole. A command may begin with `NAME='value'` for its environment and end with `| grep <pattern>` or `| head -<lines>`,
   * which are done here. Placeholders: `<age>`, `<time>`, `<uid>`, `<version>`.
   */
  readonly transcript: string;
}

/** Declares the transcripts as cases for both servers. */
export function kubectlCases(title: string, cases: readonly KubectlCase[]): void {
  conform(title, (open) => {
    for (const { name, files = {}, prepare, transcript } of cases) {
      test(name, async (t) => {
        const terminal = await openTerminal(t, open);
        if (terminal === undefined) return;
        for (const [file, content] of Object.entries(files)) terminal.write(file, content);
        await prepare?.(terminal);
        const expected = dedented(transcript);
        const commands = expected.split("\n").filter((line) => line.startsWith("$ "));
        const actual: string[] = [];
        for (const command of commands) actual.push(command, ...shown(await runLine(terminal, command)));
        assert.equal(actual.join("\n"), expected);
      });
    }
  });
}

/** One line of a transcript, with its filter. */
async function runLine(terminal: Terminal, line: string): Promise<Outcome> {
  const [, command = line, filter, argument = ""] = /^\$ (.*?)(?: \| (grep|head) (.*))?$/.exec(line) ?? [];
  const outcome = await terminal.run(command);
  if (filter === undefined) return outcome;
  const lines = outcome.output.split("\n");
  const kept =
    filter === "head"
      ? lines.slice(0, Number(argument.slice(1)))
      : lines.filter((each) => new RegExp(argument).test(each));
  return { ...outcome, output: kept.join("\n") };
}

function shown({ output, code }: Outcome): readonly string[] {
  return code === 0 ? linesOf(output) : [...linesOf(output), `[${code}]`];
}

/** Without the first line break, the common indentation and the last line's. */
function dedented(text: string): string {
  const lines = text.replace(/^\n/, "").trimEnd().split("\n");
  const indentation = Math.min(...lines.filter((line) => line !== "").map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(indentation)).join("\n");
}
