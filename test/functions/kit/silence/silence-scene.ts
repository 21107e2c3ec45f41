/** A subscription of what fails, and silences in front of it, on a real nats-server. */
import type { TestContext } from "node:test";
import { countHeldBack } from "../../../../functions/kit/silence/held-back-survey.ts";
import type { Silence } from "../../../../functions/kit/silence/silence.ts";
import { addSilence } from "../../../../functions/kit/silence/silence-bucket.ts";
import { type Run, type Started, type StartOptions, startRig, until } from "../delivery/rig.ts";
import type { DatabaseFields, TestEvent } from "../event-factory.ts";
import { createHistory } from "../timer/history.ts";

const HOUR_MS = 3_600_000;
const { signal } = new AbortController();

export async function startScene(t: TestContext) {
  const rig = await startRig(t);
  if (rig === undefined) return undefined;
  const started: Started[] = [];
  const calls: { id: string; incident: string | undefined; names: string[] }[] = [];
  const note: Run = async ({ event: { id }, incident, events = [] }) =>
    void calls.push({ id, incident: incident?.type, names: events.map(({ name }) => name) });
  return {
    ...rig,
    calls,
    note,
    ids: () => calls.map(({ id }) => id),
    start: (options: StartOptions = {}, run = note) => {
      const running = rig.start(run, { when: { phase: { to: "Failed" } }, silences: [], ...options });
      started.push(running);
      return running;
    },
    /** Makes a silence, which whatever runs knows then. */
    silence: async (wish: Partial<Silence> & { readonly forMs?: number } = {}) => {
      const { forMs = HOUR_MS, ...silence } = wish;
      const nowMs = Date.now();
      const [begins, ends] = [nowMs, nowMs + forMs].map((ms) => new Date(ms).toISOString()) as [string, string];
      const whole = { version: 1, reason: "a test", by: "me", begins, ends, summary: false, ...silence } as const;
      const id = await addSilence(rig.jetStream, whole, signal);
      await until(() =>
        started.every((each) => each.status().state === "stopped" || each.status().silences.includes(id)),
      );
      return id;
    },
    due: () => rig.jetStream.api<{ num_pending: number }>("CONSUMER.INFO.CR_TIMERS.cr-test"),
    /** What waits in CR_TIMERS, or is due. */
    waiting: async () => {
      const { state } = await rig.jetStream.api<{ state: { subjects?: Record<string, number> } }>(
        "STREAM.INFO.CR_TIMERS",
        { subjects_filter: "crtimer.>" },
      );
      return Object.keys(state.subjects ?? {}).filter((each) => !/^crtimer\.(done|held)\./.test(each));
    },
    heldBack: (id?: string) => countHeldBack(rig.jetStream, signal, id),
  };
}
export const idOf = ({ envelope }: TestEvent) => envelope.id;
export const failed = (name: string, fields: DatabaseFields = {}) => createHistory(name).moved("Failed", fields);
