/** The status for people: what is not all right first, then everything in short. What comes from a cluster drives no terminal. */
import { plain } from "./change-text.ts";
import { bytes } from "./doctor/stream.ts";
import { silenceTable } from "./silence-text.ts";
import type { SystemStatus } from "./system-status.ts";
import { paint } from "./terminal.ts";

/** Several lines, without a line break at the end. */
export function renderStatus(status: SystemStatus): string {
  const { ok, problems } = status;
  const verdict = ok
    ? [paint("green", "everything is all right")]
    : problems.map((each) => `${paint("red", "problem:")} ${plain(each)}`);
  return [
    ...verdict,
    "",
    ...logLines(status),
    ...watchLines(status),
    ...subscriptionLines(status),
    ...silenceLines(status),
    ...objectLines(status),
  ]
    .join("\n")
    .trimEnd();
}

function logLines({ log }: SystemStatus): readonly string[] {
  if (log === undefined) return [];
  const limit = log.bytesMax > 0 ? ` of ${bytes(log.bytesMax)}` : "";
  return [`log: ${log.events} events, ${bytes(log.bytes)}${limit}`, ""];
}

function watchLines({ watches }: SystemStatus): readonly string[] {
  const rows = watches.map(({ cluster, resource, namespace, ageSeconds }) => [
    cluster,
    namespace === undefined ? resource : `${resource} in ${namespace}`,
    `${ageText(ageSeconds)} ago`,
  ]);
  return table(["CLUSTER", "WATCH", "WENT ON"], rows);
}

function subscriptionLines({ subscriptions }: SystemStatus): readonly string[] {
  const rows = subscriptions.map(
    ({ name, partitions, attended, backlog, deadLetters, isEdited, function: functionName }) => [
      name,
      functionName,
      `${attended}/${partitions}`,
      String(backlog.pending + backlog.unfinished),
      backlog.oldestSeconds > 0 ? ageText(backlog.oldestSeconds) : "-",
      String(deadLetters),
      isEdited ? "edit pending" : "",
    ],
  );
  return table(["SUBSCRIPTION", "FUNCTION", "WORKED ON", "WAITING", "OLDEST", "DEAD LETTERS", ""], rows);
}

function silenceLines({ silences }: SystemStatus): readonly string[] {
  return silences.length === 0 ? [] : [...silenceTable(silences), ""];
}

function objectLines({ bridges }: SystemStatus): readonly string[] {
  return bridges.flatMap(({ status: { resources, unhealthy, unhealthyCount } }) => [
    ...table(
      ["RESOURCE", "OBJECTS", "PHASES"],
      resources.map(({ resource, objects, phases, terminating }) => [
        resource,
        String(objects),
        [
          ...Object.entries(phases).map(([phase, held]) => `${held.objects} ${phase}`),
          ...(terminating > 0 ? [`${terminating} terminating`] : []),
        ].join(", "),
      ]),
    ),
    ...table(
      ["NOT WELL", "PHASE", "FOR"],
      unhealthy.map(({ resource, namespace, name, phase, heldSeconds, terminating }) => [
        `${resource} ${namespace === "" ? name : `${namespace}/${name}`}`,
        terminating ? "terminating" : phase,
        ageText(heldSeconds),
      ]),
    ),
    ...(unhealthyCount > unhealthy.length ? [`… and ${unhealthyCount - unhealthy.length} more`, ""] : []),
  ]);
}

/** Columns as wide as they must be, and an empty line; nothing for no rows. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) => row.map(plain));
  const widths = head.map((name, column) => Math.max(name.length, ...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return [paint("dim", line(head)), ...cells.map(line), ""];
}

const UNITS = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "m"],
] as const;

/** Such as `3 h`, in the largest unit of which there is at least one. */
function ageText(seconds: number): string {
  const [size, unit] = UNITS.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}
