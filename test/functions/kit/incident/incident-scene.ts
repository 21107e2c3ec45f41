/**
 * A subscription with incidents, whose events are handled one by one: what its function is told of each. And objects that go from phase to
 * phase.
 */
import { z } from "zod";
import { createLogger } from "../../../../bridge/logger.ts";
import { defineFunction } from "../../../../functions/kit/define.ts";
import type { Incident } from "../../../../functions/kit/incident/incident.ts";
import type { IncidentMemory } from "../../../../functions/kit/incident/incident-memory.ts";
import { createProcessIncidents } from "../../../../functions/kit/incident/process-memory.ts";
import { createProcessMemory } from "../../../../functions/kit/step/process-memory.ts";
import { bind, Subscription } from "../../../../functions/kit/subscription.ts";
import {
  created,
  type DatabaseFields,
  deleted,
  existing,
  type TestEvent,
  unselected,
  updated,
} from "../event-factory.ts";

/** Failed opens, Running resolves. */
const FAILED: z.input<typeof Subscription> = {
  ...{ name: "failed", function: "test-function", apiVersion: "demo.example.com/v1", kind: "Database" },
  when: { phase: { to: "Failed" } },
  resolve: { phase: { to: "Running" } },
};

/** What became of an event: what the function was told, or why it was not called. */
export type Told = Incident | { readonly type: "skipped"; readonly reason: string };

export interface SceneOptions extends Partial<z.input<typeof Subscription>> {
  readonly memory?: IncidentMemory;
  /** What the function does with its incident. */
  readonly act?: (incident: Incident) => Promise<void>;
}

/** Starts with nothing remembered, unless a memory is given. */
export function createScene({ memory = createProcessIncidents(), act, ...subscription }: SceneOptions = {}) {
  let told: Incident | undefined;
  const definition = defineFunction({
    ...{ name: "test-function", description: "A test's.", config: z.any() },
    async run({ incident }) {
      told = incident;
      if (incident !== undefined) await act?.(incident);
    },
  });
  const binding = bind(Subscription.parse({ ...FAILED, ...subscription }), definition);
  const log = createLogger("test", "silent");
  return {
    async handle({ envelope: event }: TestEvent): Promise<Told> {
      const match = binding.matcher.match(event).type;
      if (match !== "matched" && match !== "resolving") return { type: "skipped", reason: match };
      told = undefined;
      const { signal } = new AbortController();
      const memories = { stepMemory: createProcessMemory(), incidentMemory: memory };
      const ended = await binding.run({ event, match, attempt: 1, log, signal, ...memories });
      if (ended.type === "skipped") return ended;
      if (told === undefined) throw new Error("the function was called without an incident");
      return told;
    },
  };
}

/** An object that goes from phase to phase. */
export function life(fields: DatabaseFields = {}) {
  let now: DatabaseFields = { phase: "Creating", ...fields };
  return {
    born: () => created(now),
    seen: (phase: string) => {
      now = { ...now, phase };
      return existing(now);
    },
    to(phase: string, more: DatabaseFields = {}) {
      const before = now;
      now = { ...now, phase, ...more };
      return updated(before, now);
    },
    gone: () => deleted(now),
    away: () => unselected(now),
  };
}

/** What was told, in short: `opened 1`, where 1 is the first incident of the list. */
export function inShort(told: readonly Told[]): string[] {
  const keys: string[] = [];
  return told.map((each) => {
    if (each.type === "skipped") return `skipped: ${each.reason}`;
    if (!keys.includes(each.key)) keys.push(each.key);
    const count = each.type === "updated" ? `, update ${each.updateCount}` : "";
    return `${each.type} ${keys.indexOf(each.key) + 1}${count}`;
  });
}
