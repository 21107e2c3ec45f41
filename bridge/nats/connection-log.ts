/** Says when NATS goes and comes back: without it, a process that waits for NATS would look like one that has nothing to do. */
import type { Logger } from "../logger.ts";
import type { JetStream } from "./jetstream.ts";

/** Logs what happens on the connection from now on; `meanwhile` is what becomes of the work while NATS is away. */
export function logConnection(
  jetStream: Pick<JetStream, "onConnection">,
  logger: Pick<Logger, "info" | "warn">,
  meanwhile: string,
): void {
  jetStream.onConnection((event) => {
    switch (event.type) {
      case "connected":
        return logger.info("NATS is back");
      case "disconnected":
        return logger.warn(`NATS is away: ${meanwhile}`);
      case "error":
        return logger.warn({ error: event.message }, "NATS reports an error");
      case "closed":
        return;
      default:
        event satisfies never;
    }
  });
}
