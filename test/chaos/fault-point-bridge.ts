/**
 * Stands in for the bridge's log, checkpoint and reflector: does what they do, passes the fault points on the way, and marks each event
 * with the process that published it.
 */
import { reflect as follow, type ReflectorOptions, type WatchEvent } from "../../bridge/kube/reflector.ts";
import { saveCheckpoint as save } from "../../bridge/log/checkpoint.ts";
import { type EventLog, openEventLog as open } from "../../bridge/log/event-log.ts";
import type { JetStream } from "../../bridge/nats/jetstream.ts";
import { reached } from "./fault-point.ts";
import { PUBLISHER_HEADER } from "./publisher-header.ts";

export * from "../../bridge/kube/reflector.ts";
export * from "../../bridge/log/checkpoint.ts";
export * from "../../bridge/log/event-log.ts";

/** The log, with its points around each publish. */
export function openEventLog(jetStream: JetStream): EventLog {
  const marking: JetStream = Object.create(jetStream, {
    publish: {
      value: (subject: string, payload: string | Uint8Array, headers: Readonly<Record<string, string>>) =>
        jetStream.publish(subject, payload, { ...headers, [PUBLISHER_HEADER]: String(process.pid) }),
    },
  });
  const log = open(marking);
  return {
    ...log,
    async append(...event) {
      reached("before-publish");
      const ack = await log.append(...event);
      reached("published-unacknowledged");
      return ack;
    },
  };
}

/** The checkpoint, with its points around each write. */
export async function saveCheckpoint(...checkpoint: Parameters<typeof save>): Promise<void> {
  reached("acknowledged-unsaved");
  await save(...checkpoint);
  reached("checkpoint-written");
}

/** The reflector, with its points in a list. */
export async function* reflect(options: ReflectorOptions): AsyncGenerator<WatchEvent, void, void> {
  for await (const event of follow(options)) {
    if (event.type === "initial") reached("in-a-list");
    if (event.type === "listed") reached("list-read");
    yield event;
  }
}
