/**
 * `cr-reactor tail`: changes as they happen, for people as a coloured diff, with `--json` as one CloudEvent a line. It reads with
 * a consumer of its own that leaves nothing behind, and goes on where it was when the connection breaks.
 */
import { type Envelope, follow, type NatsMessage, parseSent, type Reading } from "#contract";
import { renderChange } from "./change-text.ts";
import { chooseEvents, type EventChoice } from "./event-choice.ts";
import { readEnvelope, type ServerOptions, withLog } from "./event-log.ts";
import { print, report } from "./terminal.ts";

/** The options of the command. */
export interface TailOptions extends ServerOptions, Omit<EventChoice, "kind"> {
  /** Milliseconds. */
  readonly since?: number;
  readonly count?: number;
  readonly json?: true;
}

/** Runs until Ctrl-C, or `count` changes. Throws when NATS cannot be used, or the filter is none. */
export async function tailCommand(kind: string | undefined, options: TailOptions): Promise<void> {
  await withLog(options, "tail", async (jetStream, signal) => {
    const chosen = await chooseEvents(jetStream, { ...options, kind });
    let shown = 0;
    if (!options.json) report("Waiting for changes. Ctrl-C ends.");
    for await (const { message } of follow(jetStream, readingOf(chosen.subjects, options.since), signal)) {
      const envelope = await readEnvelope(jetStream, message, signal);
      if (envelope === undefined || !chosen.wants(envelope)) continue;
      print(options.json ? jsonOf(envelope, message) : renderChange(envelope));
      if (++shown === options.count) return;
    }
  });
}

/** What the log has of this time (milliseconds), and what comes; left out: what comes. */
export function readingOf(filter_subjects: readonly string[], since: number | undefined): Reading {
  if (since === undefined) return { filter_subjects, deliver_policy: "new" };
  const opt_start_time = new Date(Date.now() - since).toISOString();
  return { filter_subjects, deliver_policy: "by_start_time", opt_start_time };
}

/** The message's own text; with its data, where that is in the object store. */
function jsonOf(envelope: Envelope, { data }: NatsMessage): string {
  const text = Buffer.from(data).toString("utf8");
  return parseSent(text).data === undefined ? JSON.stringify(envelope) : text;
}
