/**
 * A filter, and the selection around it, made ready: paths are parsed, globs taken apart and expressions compiled once, not for each
 * event. Clauses stand in the order of what they cost, so that the cheap ones settle most events.
 */
import type { Op } from "#contract";
import { attributesClause } from "./clause/attribute.ts";
import { conditionClause } from "./clause/condition.ts";
import { divergedClause } from "./clause/divergence.ts";
import { celClause, sqlClause } from "./clause/expression.ts";
import { fieldClause } from "./clause/field.ts";
import { createdClause, opClause, terminatingClause } from "./clause/happening.ts";
import { managerClause, metadataClause, namesClause, namespacesClause, ownerClause } from "./clause/identity.ts";
import { phaseClause } from "./clause/phase.ts";
import type { Clause, Compiled } from "./clause.ts";
import type { Filter, Selection } from "./filter.ts";
import type { Occurrence } from "./occurrence.ts";
import { EVERYTHING, opsNet, type Scope } from "./subject-net.ts";

type Compilers = { readonly [Key in keyof Filter]-?: (wish: NonNullable<Filter[Key]>) => Compiled };

/** What each key of a filter becomes, the cheap ones first. */
const COMPILERS: Compilers = {
  op: opClause,
  created: createdClause,
  deleted: () => opClause("deleted"),
  terminating: terminatingClause,
  phase: phaseClause,
  names: namesClause,
  namespaces: namespacesClause,
  manager: managerClause,
  labels: (wish) => metadataClause("labels", wish),
  annotations: (wish) => metadataClause("annotations", wish),
  ownedBy: ownerClause,
  exact: (wish) => attributesClause("exact", wish),
  prefix: (wish) => attributesClause("prefix", wish),
  suffix: (wish) => attributesClause("suffix", wish),
  condition: conditionClause,
  field: fieldClause,
  diverged: divergedClause,
  all: (filters) => ({ type: "all", parts: filters.map(compile) }),
  any: (filters) => ({ type: "any", parts: filters.map(compile) }),
  not: (filter) => ({ type: "not", part: compile(filter) }),
  sql: sqlClause,
  cesql: sqlClause,
  cel: celClause,
};
const KEYS = Object.keys(COMPILERS) as readonly (keyof Filter)[];

/** Compiles a filter. Throws ExpressionError, which the schema has already told of. */
export function compile(filter: Filter): Compiled {
  const parts = KEYS.flatMap((key) => {
    const wish = filter[key];
    return wish === undefined ? [] : (COMPILERS[key] as (wish: unknown) => Compiled)(wish);
  });
  const [first] = parts;
  return parts.length === 1 && first !== undefined ? first : { type: "all", parts };
}

/** Compiles a selection: the right kind, something that is considered, and what the filter says. */
export function compileSelection(selection: Selection): Compiled {
  const { kind, apiVersion, cluster, when } = selection;
  const { ops } = scopeOf(selection);
  const parts: Compiled[] = [
    sameClause("kind", kind, ({ event }) => event.kind),
    sameClause("apiVersion", apiVersion, ({ event }) => event.apiversion),
    consideredClause(ops),
  ];
  if (cluster !== undefined) parts.push(attributesClause("exact", { cluster }));
  if (when !== undefined) parts.push(compile(when));
  return { type: "all", parts };
}

/**
 * What resolves the incidents of a selection, as a selection: its `resolve`, and that the object is gone. First sights count always: where the
 * log was lost, they are how a recovery is seen. `undefined`: it has no incidents.
 */
export function resolvingOf(selection: Selection): Selection | undefined {
  const { resolve, ...rest } = selection;
  if (resolve === undefined) return undefined;
  return { ...rest, when: { any: [resolve, { deleted: true }] }, includeExisting: true };
}

/**
 * Which events a selection considers at all: first sights only with `includeExisting`, and objects that left the bridge's selection
 * only where an `op` names them.
 */
export function scopeOf({ apiVersion, kind, when, includeExisting = false }: Selection): Scope {
  const births: Op[] = includeExisting ? ["created", "existing"] : ["created"];
  const left: Op[] = when !== undefined && namesUnselected(when) ? ["unselected"] : [];
  return { apiVersion, kind, births, ops: [...births, "updated", "deleted", ...left] };
}

function namesUnselected({ op, all = [], any = [], not }: Filter): boolean {
  const below = [...all, ...any, ...(not === undefined ? [] : [not])];
  return [op].flat().includes("unselected") || below.some(namesUnselected);
}

function sameClause(name: string, wanted: string, read: (occurrence: Occurrence) => string): Clause {
  return {
    type: "clause",
    wanted: `${name} ${wanted}`,
    holds: (occurrence) => read(occurrence) === wanted,
    found: (occurrence) => `the ${name} is ${read(occurrence)}`,
    net: () => EVERYTHING,
  };
}

function consideredClause(ops: readonly Op[]): Clause {
  return {
    type: "clause",
    wanted: ops.includes("existing") ? "anything that happened, or that was there" : "anything that happened",
    holds: ({ op }) => ops.includes(op),
    found({ op }) {
      if (op === "existing" && !ops.includes(op))
        return "it was there before the bridge; say includeExisting to get it";
      if (op === "unselected" && !ops.includes(op))
        return "it left the bridge's selection; name op: unselected to get it";
      return `it was ${op}`;
    },
    net: () => opsNet(ops),
  };
}
