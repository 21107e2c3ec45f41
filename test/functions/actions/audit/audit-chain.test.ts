import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type ChainEnd,
  createChainCheck,
  readLine,
  sealLine,
} from "../../../../functions/actions/audit/audit-chain.ts";

/** So many lines of a chain. */
function chainOf(count: number, chain = "a"): string[] {
  const lines: string[] = [];
  let end: ChainEnd | { chain: string } = { chain };
  for (let number = 1; number <= count; number++) {
    const sealed = sealLine({ "event.id": `${chain}${number}`, message: 'from "3" to ü' }, end);
    lines.push(sealed.text);
    end = sealed.end;
  }
  return lines;
}

function problemsOf(lines: readonly string[]): string[] {
  const check = createChainCheck();
  return lines.flatMap((line) => {
    const problem = check.next(line);
    return problem === undefined ? [] : [`${problem.type} ${problem.line}: ${problem.message}`];
  });
}

const lines = chainOf(5);
const [one = "", two = "", three = "", four = "", five = ""] = lines;

describe("a chain", () => {
  const rows = [
    { name: "as it was written", lines, expected: [] },
    { name: "that begins in the middle, as a rotated file does", lines: [three, four, five], expected: [] },
    {
      name: "beside another, as two processes write to one output",
      lines: [one, ...chainOf(2, "b"), two],
      expected: [],
    },
    {
      name: "with a changed value",
      lines: [one, two.replace("ü", "u"), three],
      expected: ["breach 2: its hash is not that of its content: it was changed"],
    },
    {
      name: "with another hash put on a changed value",
      lines: [one, sealLine({ "event.id": "a2", message: "" }, readLine(one)?.end ?? { chain: "" }).text, three],
      expected: ["breach 3: the line before it is not the one that it was written behind"],
    },
    {
      name: "with a line taken out",
      lines: [one, three],
      expected: ["breach 2: number 2 of its chain is missing before it"],
    },
    {
      name: "with lines taken out",
      lines: [one, five],
      expected: ["breach 2: numbers 2 to 4 of its chain are missing before it"],
    },
    {
      name: "with two lines in the other order",
      lines: [one, three, two],
      expected: [
        "breach 2: number 2 of its chain is missing before it",
        "breach 3: it is number 2 of its chain, behind number 3",
      ],
    },
    {
      name: "with a line twice",
      lines: [one, one],
      expected: ["breach 2: it is number 1 of its chain, behind number 1"],
    },
    {
      name: "with a line of another kind",
      lines: [one, "hello", two],
      expected: ["breach 2: it is no line of an audit log"],
    },
    { name: "with an empty line", lines: [one, "", two], expected: ["breach 2: it is no line of an audit log"] },
    {
      name: "with JSON that is no line of a log",
      lines: [one, "{}", two],
      expected: ["breach 2: it is no line of an audit log"],
    },
    {
      name: "with a line that its writer did not finish",
      lines: [one, two.slice(0, 40), two],
      expected: ["torn 2: it is incomplete: its writer was killed"],
    },
    {
      name: "with a line cut short afterwards",
      lines: [one, two.slice(0, 40), three],
      expected: [
        "torn 2: it is incomplete: its writer was killed",
        "breach 3: number 2 of its chain is missing before it",
      ],
    },
  ];
  for (const { name, lines, expected } of rows) test(name, () => assert.deepEqual(problemsOf(lines), expected));

  test("tells how far it goes, for who wants to keep its end elsewhere", () => {
    const check = createChainCheck();
    for (const line of [...lines, ...chainOf(1, "b")]) check.next(line);
    assert.deepEqual(check.ends, [readLine(five)?.end, readLine(chainOf(1, "b")[0] ?? "")?.end]);
    assert.deepEqual([check.lineCount, check.ends[0]?.sequence], [6, 5]);
  });
});
