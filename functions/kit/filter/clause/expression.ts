/**
 * Expressions: `cel` over the change, `sql` (Knative calls it `cesql`) over the event's attributes. They are compiled once. One whose
 * evaluation fails says neither yes nor no.
 */
import { type CelProgram, compileCel } from "../../expression/cel.ts";
import { compileCesql } from "../../expression/cesql.ts";
import type { Verdict as Outcome } from "../../expression/verdict.ts";
import type { Clause, Verdict } from "../clause.ts";
import type { Occurrence } from "../occurrence.ts";
import { UNDECIDED } from "../subject-net.ts";
import { shown } from "../wording.ts";

/** The CEL expression is true. Throws ExpressionError. */
export function celClause(source: string): Clause {
  const program = compileCel(source);
  return expressionClause(`cel ${shown(source)}`, (occurrence) => evaluateCel(program, occurrence));
}

/** What a program says of an event. Throws an Error when the event contradicts itself, which is no fault of the expression. */
export function evaluateCel<Value>(program: CelProgram<Value>, occurrence: Occurrence): Outcome<Value> {
  const { object, patch = [], transitions } = occurrence.event.data;
  let fault: { readonly thrown: unknown } | undefined;
  const outcome = program.evaluate({
    object,
    get before() {
      try {
        return occurrence.before();
      } catch (thrown) {
        fault = { thrown };
        throw thrown;
      }
    },
    patch,
    transitions,
    event: occurrence.attributes(),
  });
  if (fault !== undefined) throw fault.thrown;
  return outcome;
}

/** The CloudEvents SQL expression is true. Throws ExpressionError. */
export function sqlClause(source: string): Clause {
  const program = compileCesql(source);
  return expressionClause(`sql ${shown(source)}`, (occurrence) => program.evaluate(occurrence.attributes()));
}

function expressionClause(wanted: string, evaluate: (occurrence: Occurrence) => Outcome): Clause {
  const holds = (occurrence: Occurrence): Verdict => {
    const outcome = evaluate(occurrence);
    return outcome.type === "value" ? outcome.value : { reason: `${wanted}: ${outcome.reason}` };
  };
  return {
    type: "clause",
    wanted,
    holds,
    found: (occurrence) => `it is ${holds(occurrence) === true}`,
    net: () => UNDECIDED,
  };
}
