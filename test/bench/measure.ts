/**
 * What is measured, in which unit, and how a value is written. A measurement is told by a scenario, once a round and peer; the rounds of one
 * series make a row's cell.
 */
import { type Summary, summaryOf } from "./statistics.ts";

/** Who is measured: in the order of the table's columns. */
export const PEER_NAMES = ["floor", "client-node", "fluent-client", "us"] as const;
export type PeerName = (typeof PEER_NAMES)[number];

/** Units by name, and how a value is written in it. */
export const UNITS = {
  "events/s": (value: number) => grouped(value),
  "µs CPU/event": (value: number) => digits(value),
  µs: (value: number) => digits(value),
  ms: (value: number) => digits(value),
  s: (value: number) => value.toFixed(2),
  MiB: (value: number) => digits(value),
  bytes: (value: number) => grouped(value),
  count: (value: number) => grouped(value),
} as const;
export type Unit = keyof typeof UNITS;

/** One value of one round. */
export interface Measurement {
  readonly scenario: string;
  /** What was done: `5,000 objects, 20,000 updates`. */
  readonly work: string;
  /** What was measured of it: `CPU`. */
  readonly measure: string;
  readonly unit: Unit;
  /** A column: one of the peers, or in a scenario of its own whatever is compared there. */
  readonly peer: string;
  readonly value: number;
}

/** One row of the table. */
export interface Row extends Pick<Measurement, "scenario" | "work" | "measure" | "unit"> {
  readonly cells: Readonly<Record<string, Summary>>;
}

/** The rows in the order in which they were first told. */
export function rowsOf(measurements: readonly Measurement[]): Row[] {
  const rows = Map.groupBy(measurements, ({ scenario, work, measure }) => JSON.stringify([scenario, work, measure]));
  return [...rows.values()].flatMap((values) => {
    const [first] = values;
    if (first === undefined) return [];
    const { scenario, work, measure, unit } = first;
    const ofPeers = Map.groupBy(values, ({ peer }) => peer);
    const cells = [...ofPeers].map(([peer, each]) => [peer, summaryOf(each.map(({ value }) => value))] as const);
    return [{ scenario, work, measure, unit, cells: Object.fromEntries(cells) }];
  });
}

/** 12,345. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Three digits that mean something. */
function digits(value: number): string {
  if (Math.abs(value) >= 100) return grouped(value);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}
