/**
 * What `cr-reactor bridge --check` found, for people: a table with one line a watch, and below it what is wrong, what is worth knowing,
 * and the verdict. Missing verbs stand in the line of their watch; the rules that give them are in the Roles, which follow.
 */
import type { BridgeConfig } from "../bridge/config.ts";
import { previewWatch } from "../bridge/preview.ts";
import { patternGapsOf } from "./bridge-role.ts";
import type { Finding } from "./doctor/check.ts";
import type { Plan, PlannedLease, PlannedWatch } from "./doctor/plan.ts";
import { paint } from "./terminal.ts";

/** What is told. */
export interface CheckTold {
  readonly plan: Plan;
  readonly config: BridgeConfig;
  /** The API server, for people. */
  readonly where: string;
  readonly ok: boolean;
}

const HEAD = ["KIND", "APIVERSION", "RESOURCE", "NAMESPACE", "OBJECTS", "PHASE", "SETTINGS"];
/** More paths of one setting are counted. */
const PATHS_SHOWN_MAX = 2;
const OK = paint("green", "✔");
const BAD = paint("red", "✖");
const NOTE = paint("yellow", "!");

/** The text, without a newline at its end. */
export function renderCheck({ plan, config, where, ok }: CheckTold): string {
  const { watches, unserved, notes, lease, readsDefinitions } = plan;
  const wrong = unserved.map(({ finding }) => toldWith(BAD, finding));
  return [
    `A bridge of cluster ${config.cluster} would watch, at ${where}, with the permissions of this kubeconfig:`,
    ...tableOf(watches, config),
    ...wrong.flat(),
    ...notes.flatMap((note) => toldWith(NOTE, note)),
    ...leaseLines(lease),
    ...(readsDefinitions
      ? []
      : [
          `${NOTE} may not get customresourcedefinitions (optional): a kind that left while no bridge ran is judged by what is served`,
        ]),
    ...patternGapsOf(plan, config).map((gap) => `${NOTE} ${gap}`),
    ok ? paint("green", "Everything can be watched.") : paint("red", "Not everything can be watched."),
    "",
    paint("dim", "The Roles that this needs (alone: cr-reactor rbac):"),
  ].join("\n");
}

function tableOf(watches: readonly PlannedWatch[], config: BridgeConfig): readonly string[] {
  if (watches.length === 0) return ["  nothing"];
  const rows = watches.map((watch) => cellsOf(watch, config));
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ");
  return [
    paint("dim", `  ${line(HEAD)}`.trimEnd()),
    ...watches.map((watch, index) => {
      const problem = problemOf(watch);
      const sign = problem === "" ? OK : BAD;
      return `${sign} ${line(rows[index] ?? [])}${problem && `  ${paint("red", problem)}`}`.trimEnd();
    }),
  ];
}

function cellsOf({ wanted, objects }: PlannedWatch, config: BridgeConfig): readonly string[] {
  const { apiVersion, kind, namespaced } = wanted.resource;
  const { resource, phase, selects, redact, ignore, only } = previewWatch(config, wanted);
  const settings = [
    shortened("selects", selects),
    shortened("redacts", redact),
    shortened("ignores", ignore),
    shortened("only", only),
  ];
  return [
    kind,
    apiVersion,
    resource,
    namespaced ? (wanted.namespace ?? "all") : "(cluster)",
    objects === undefined ? "?" : `${objects.exact ? "" : "at least "}${objects.number.toLocaleString("en")}`,
    `${phase.place} (${phase.by === "preset" ? "preset" : "configured"})`,
    settings.filter(Boolean).join("; "),
  ];
}

function shortened(what: string, paths: readonly string[]): string {
  if (paths.length === 0) return "";
  const more = paths.length - PATHS_SHOWN_MAX;
  return `${what} ${paths.slice(0, PATHS_SHOWN_MAX).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function problemOf({ denied, problem }: PlannedWatch): string {
  return problem?.detail ?? (denied.length > 0 ? `may not ${denied.join(", ")}` : "");
}

function toldWith(sign: string, { detail, next }: Finding): readonly string[] {
  return [`${sign} ${detail}`, ...(next === undefined ? [] : [`  ${paint("cyan", "→")} ${next}`])];
}

function leaseLines(planned: PlannedLease): readonly string[] {
  if (planned.type === "off") return [`${NOTE} leader election is off: only one bridge may run`];
  const title = `Lease ${planned.lease.namespace}/${planned.lease.name}`;
  switch (planned.type) {
    case "elsewhere":
      return [`${NOTE} ${title}: leader election is off here, and on in a Pod`];
    case "unnamed":
      return [`${BAD} ${planned.problem}`];
    case "here": {
      const denied = planned.denied.flatMap(({ verbs }) => verbs);
      return denied.length === 0 ? [`${OK} ${title}`] : [`${BAD} ${title}: may not ${denied.join(", ")}`];
    }
    default:
      return planned satisfies never;
  }
}
