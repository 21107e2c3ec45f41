/**
 * One change as lines for a terminal: what happened to which object, and what changed from what to what. Everything in it comes from a
 * cluster, so no control character gets through that would drive the terminal.
 */
import {
  type Envelope,
  type Json,
  opOf,
  parsePointer,
  toDotted,
  type ValueOperation,
  valueOperations,
} from "#contract";
import { paint, type Style } from "./terminal.ts";

const OP_STYLES: Readonly<Record<string, Style>> = {
  created: "green",
  updated: "yellow",
  deleted: "red",
  existing: "gray",
  unselected: "gray",
};
/** A value longer than this is cut: the terminal is for looking, `--json` for reading. */
const VALUE_LENGTH_MAX = 100;

const CONTROL_CHARACTERS = /\p{Cc}/gu;
/** What a gap means, where it is not that states between two others are missing. */
const GAP_TEXTS: Readonly<Record<string, string>> = {
  existing: "(its state before is not known: no patch)",
  deleted: "(found out later)",
};
const GAP_TEXT = "(states before this may be missing)";

/** Renders an event; several lines, without a line break at the end. */
export function renderChange(envelope: Envelope): string {
  const op = opOf(envelope);
  const { transitions, patch = [], gap } = envelope.data;
  const object = plain(
    `${envelope.kind} ${envelope.namespace === undefined ? "" : `${envelope.namespace}/`}${envelope.name}`,
  );
  const head = [
    paint("dim", envelope.recordedtime.slice(11, 23)),
    paint(OP_STYLES[op] ?? "white", op.padEnd(8)),
    paint("bold", object),
    phaseText(envelope),
    envelope.manager === undefined ? "" : paint("dim", `by ${plain(envelope.manager)}`),
    gap ? paint("magenta", GAP_TEXTS[op] ?? GAP_TEXT) : "",
  ];
  const conditions = Object.entries(transitions.conditions ?? {}).map(
    ([type, { from, to, reason }]) =>
      `    ${plain(type)}: ${plain(from ?? "none")} → ${paint("bold", plain(to ?? "none"))}${reason ? ` (${plain(reason)})` : ""}`,
  );
  return [head.filter(Boolean).join("  "), ...conditions, ...valueOperations(patch).map(renderOperation)].join("\n");
}

function phaseText({ phase, data }: Envelope): string {
  const transition = data.transitions.phase;
  if (transition === undefined) return phase === undefined ? "" : paint("dim", plain(phase));
  const held = transition.heldSeconds === null ? "" : paint("dim", ` (held ${transition.heldSeconds} s)`);
  return `${plain(transition.from ?? "none")} → ${paint("bold", plain(transition.to ?? "none"))}${held}`;
}

/** One operation on a line. */
export function renderOperation(operation: ValueOperation): string {
  const path = plain(toDotted(parsePointer(operation.path)));
  switch (operation.op) {
    case "add":
      return paint("green", `  + ${path}: ${show(operation.value)}`);
    case "remove":
      return paint("red", `  - ${path}: ${show(operation.oldValue)}`);
    case "replace":
      return `${paint("yellow", `  ~ ${path}:`)} ${paint("red", show(operation.oldValue))} → ${paint("green", show(operation.value))}`;
    default:
      return operation satisfies never;
  }
}

/** A value on one line: JSON's escapes are kept. */
function show(value: Json): string {
  const text = plain(JSON.stringify(value));
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text;
}

/** Without C0 and C1 control characters, which begin a terminal's commands. */
export function plain(text: string): string {
  return text.replace(CONTROL_CHARACTERS, "�");
}
