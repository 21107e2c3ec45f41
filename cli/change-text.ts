/** One change as lines for a terminal: what happened to which object, and what changed from what to what. */
import { type Envelope, type Json, opOf, type PatchOperation, parsePointer, toDotted } from "#contract";
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

/** Renders an event; several lines, without a line break at the end. */
export function renderChange(envelope: Envelope): string {
  const op = opOf(envelope);
  const { transitions, patch = [], gap } = envelope.data;
  const object = `${envelope.kind} ${envelope.namespace === undefined ? "" : `${envelope.namespace}/`}${envelope.name}`;
  const head = [
    paint("dim", envelope.recordedtime.slice(11, 23)),
    paint(OP_STYLES[op] ?? "white", op.padEnd(8)),
    paint("bold", object),
    phaseText(envelope),
    envelope.manager === undefined ? "" : paint("dim", `by ${envelope.manager}`),
    gap ? paint("magenta", "(states before this may be missing)") : "",
  ];
  const conditions = Object.entries(transitions.conditions ?? {}).map(
    ([type, { from, to, reason }]) =>
      `    ${type}: ${from ?? "none"} → ${paint("bold", to ?? "none")}${reason ? ` (${reason})` : ""}`,
  );
  return [head.filter(Boolean).join("  "), ...conditions, ...patch.map(renderOperation)].join("\n");
}

function phaseText({ phase, data }: Envelope): string {
  const transition = data.transitions.phase;
  if (transition === undefined) return phase === undefined ? "" : paint("dim", phase);
  const held = transition.heldSeconds === null ? "" : paint("dim", ` (held ${transition.heldSeconds} s)`);
  return `${transition.from ?? "none"} → ${paint("bold", transition.to ?? "none")}${held}`;
}

function renderOperation(operation: PatchOperation): string {
  const path = toDotted(parsePointer(operation.path));
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

/** Objects come from a cluster: control characters would drive the terminal, so JSON's escapes are kept. */
function show(value: Json): string {
  const text = JSON.stringify(value).replace(/[\u007f-\u009f]/g, "�");
  return text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text;
}
