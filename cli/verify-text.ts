/**
 * What `cr-reactor verify` found of one resource, for people: a line with the numbers, the differences by kind with names, and what
 * to do about them.
 */
import type { InspectedDifference, Inspection, Standing } from "../bridge/inspection.ts";
import { count } from "./doctor/check.ts";
import { paint } from "./terminal.ts";

/** What was found of one resource, or why it could not be looked at. */
export type Verified = Inspection | { readonly title: string; readonly problem: string };

/** More names are for `--json`. */
const NAMES_SHOWN_MAX = 20;

const KINDS: Readonly<Record<InspectedDifference["kind"], string>> = {
  missing: "missing: in the cluster, not in the log",
  stale: "stale: older in the log",
  replaced: "replaced: the log has another object of this name",
  ghost: "ghost: in the log, not in the cluster",
};

/** Where the log is not to be repaired object by object, why. */
const STANDINGS: Readonly<Record<Exclude<Standing, "captured">, string>> = {
  uncaptured: "this resource has not been captured yet",
  unfinished: "its first capture is not finished: it has no checkpoint yet",
  changed: "it was captured with other settings than those of this configuration",
  lost: "NATS has lost events that it had acknowledged (a power loss, a store restored or wiped)",
};
const REFUSED = "it is not repaired here: the bridge lists and compares everything at its next start";
const REFUSED_UNCAPTURED =
  "it is not repaired here: the bridge publishes these objects at its first start as existing (never as created)";

/** The lines. */
export function renderInspection(verified: Verified, repairs: boolean): readonly string[] {
  if ("problem" in verified) return [`${paint("red", "✖")} ${verified.problem}`];
  const { standing, differences } = verified;
  const isWell = isWhole(verified);
  const [sign, style] = isWell ? (["✔", "green"] as const) : (["✖", "red"] as const);
  return [
    `${paint(style, sign)} ${headOf(verified)}`,
    ...(standing === "captured" ? [] : [`    ${STANDINGS[standing]}`]),
    ...(standing === "captured" || !repairs ? [] : [`    ${standing === "uncaptured" ? REFUSED_UNCAPTURED : REFUSED}`]),
    ...namesOf(differences),
    ...(standing === "captured" && differences.length > 0 && !repairs
      ? [`    ${paint("cyan", "→")} the bridge repairs this at its next verification; now: --repair`]
      : []),
  ];
}

/** Whether the log has what the cluster has, or has it now. */
export function isWhole(verified: Verified): boolean {
  if ("problem" in verified) return false;
  const { standing, objects, differences } = verified;
  return standing === "uncaptured" ? objects === 0 : differences.every(({ outcome }) => outcome === "repaired");
}

function headOf({ title, standing, objects, known, differences }: Inspection): string {
  if (standing === "uncaptured") return `${title}: ${count(objects, "object")}, none in the log`;
  const differing = differences.length === 0 ? "no difference" : count(differences.length, "difference");
  return `${title}: ${count(objects, "object")}, ${known.toLocaleString("en")} in the log, ${differing}`;
}

function namesOf(differences: readonly InspectedDifference[]): readonly string[] {
  const shown = differences.slice(0, NAMES_SHOWN_MAX);
  const more = differences.length - shown.length;
  return [
    ...Object.entries(KINDS).flatMap(([kind, meaning]) => {
      const ofKind = differences.filter((each) => each.kind === kind);
      if (ofKind.length === 0) return [];
      const names = shown.filter((each) => each.kind === kind).map((each) => `        ${describe(each)}`);
      return [`    ${ofKind.length.toLocaleString("en")} ${meaning}`, ...names];
    }),
    ...(more > 0 ? [`    ${count(more, "name")} more: --json has all`] : []),
  ];
}

function describe({ name, listed, logged, outcome }: InspectedDifference): string {
  const versions = [listed && `cluster ${listed}`, logged && `log ${logged}`].filter(Boolean).join(", ");
  const text = versions === "" ? name : `${name} (${versions})`;
  switch (outcome) {
    case undefined:
    case "caught-up":
      return text;
    case "repaired":
      return `${text}: ${paint("green", "repaired")}`;
    case "unrepaired":
      return `${text}: ${paint("red", "not repaired")}: the log says that it is dead; purge its subjects in CR_EVENTS, then verify again`;
    default:
      return outcome satisfies never;
  }
}
