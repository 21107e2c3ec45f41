/**
 * What happens when a function lets an error go that nobody catches: a rejected promise it did not await, a throw in a timer. The
 * process ends, since what else is broken is unknown and a restart is safe: events that were not acknowledged come again, and one that
 * keeps ending its process becomes a dead letter. It is told which call the error came from, and who was running beside it.
 */
import { type Logger, traceFields } from "#contract";
import { type RunningCall, runningCall } from "#kit";

const EXIT_CRASHED = 1;

/** Ends the process at the first such error. */
export function endOnCrash(log: Logger, subscriptions: () => readonly { readonly name: string }[]): void {
  process.on("uncaughtException", (error, origin) => {
    const { trace, ...call }: Partial<RunningCall> = runningCall() ?? {};
    const running = subscriptions().map(({ name }) => name);
    const where =
      call.subscription === undefined
        ? "an error that no function caught"
        : `subscription "${call.subscription}" let an error go`;
    log.fatal(
      { err: error, origin, ...call, ...traceFields(trace?.context), running },
      `${where}: the process ends, and what was not finished comes again; await every promise, and catch in timers`,
    );
    process.exit(EXIT_CRASHED);
  });
}
