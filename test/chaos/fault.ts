/**
 * The table of all faults, as data with a real effect each, by what is broken: one file a row of the table.
 */
import type { Fault } from "./breakable.ts";
import { CLUSTER_FAULTS } from "./cluster-fault.ts";
import { CONNECTION_FAULTS } from "./connection-fault.ts";
import { FAULT_POINT_FAULTS } from "./fault-point-fault.ts";
import { HISTORY_FAULTS } from "./history-fault.ts";
import { LEADER_FAULTS } from "./leader-fault.ts";
import { LOG_FAULTS } from "./log-fault.ts";
import { PROCESS_FAULTS } from "./process-fault.ts";
import { UPGRADE_FAULTS } from "./upgrade-fault.ts";

/** All faults by name. */
export const FAULTS = {
  ...PROCESS_FAULTS,
  ...LEADER_FAULTS,
  ...UPGRADE_FAULTS,
  ...FAULT_POINT_FAULTS,
  ...CONNECTION_FAULTS,
  ...CLUSTER_FAULTS,
  ...HISTORY_FAULTS,
  ...LOG_FAULTS,
} as const satisfies Readonly<Record<string, Fault>>;

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS;

/** All names, in the order of the list. */
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];

/** How wide a column of names is. */
export const FAULT_WIDTH = Math.max(...FAULT_NAMES.map((name) => name.length));

/** Those that a run of so many minutes has when none are named. */
export function faultsWithin(minutes: number, names: readonly FaultName[]): readonly FaultName[] {
  return names.filter((name) => ((FAULTS[name] as Fault).minutesMin ?? 0) <= minutes);
}

/** Those that make sense with one NATS server, or with a cluster. */
export function faultsFor(topology: "one" | "cluster"): readonly FaultName[] {
  return FAULT_NAMES.filter((name) => needsOf(name) === undefined || needsOf(name) === topology);
}

/** What the fault needs of NATS; `undefined`: either will do. */
export function needsOf(name: FaultName): Fault["needs"] {
  const fault: Fault = FAULTS[name];
  return fault.needs;
}
