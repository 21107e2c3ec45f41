/**
 * The table in which the conformance cases are written: what is done, and what both servers must answer. A case does its requests in a
 * namespace of its own and answers the part of the outcome that it is about; that part must be exactly as expected.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { conform } from "./target.ts";
import { type Desk, openDesk } from "./widget.ts";

/** One promise, kept by both servers. */
interface Case {
  readonly name: string;
  readonly run: (desk: Desk) => Promise<unknown>;
  readonly expected: unknown;
}

/** Declares the cases for both servers; `group` is where this file's Widgets are, and no other file's. */
export function conformCases(title: string, group: string, cases: readonly Case[]): void {
  conform(title, (open) => {
    for (const { name, run, expected } of cases) {
      test(name, async (t) => {
        const target = await open(t);
        if (target === undefined) return;
        const desk = await openDesk(target, group);
        assert.deepEqual(await run(desk), expected);
      });
    }
  });
}
