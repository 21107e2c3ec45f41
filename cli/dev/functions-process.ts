/** The process of the functions, as `dev` sees it: started anew for what was saved, and given what its predecessor did not get to. */
import { type ChildProcess, fork } from "node:child_process";
import type { Delivery, DevEvent, DevReport, DevSubscription } from "./dev-message.ts";
import type { WorkerOptions } from "./worker.ts";

/** Who hears what. */
export interface FunctionsListener {
  onLoaded(subscriptions: readonly DevSubscription[], problems: readonly string[]): void;
  /** It ended by itself; with the next start it is tried again. */
  onEnded(how: string): void;
}

/** The functions. */
export interface FunctionsProcess {
  /** Runs the event in every subscription, after what was asked before. Waits for a process in which that is possible. */
  run(payload: string): Promise<readonly Delivery[]>;
  /** Ends what runs, and begins with what is on the disk now. */
  restart(): void;
  stop(): void;
}

/** Events of before that a new process is told, so that a function can look back. */
const PAST_MAX = 1_000;

/** Starts the functions; `command` is how this command line is run. */
export function startFunctions(options: WorkerOptions, listener: FunctionsListener): FunctionsProcess {
  const past: string[] = [];
  let child: ChildProcess | undefined;
  let isLoaded = false;
  let asked: { readonly payload: string; readonly resolve: (deliveries: readonly Delivery[]) => void } | undefined;
  let turn = Promise.resolve();

  const say = (message: DevEvent) => child?.send(message, () => undefined); // one that has ended is told by its end
  const start = () => {
    isLoaded = false;
    const started = fork(process.argv[1] ?? "", ["dev-worker", ...argumentsOf(options)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    child = started;
    started.on("message", (report: DevReport) => {
      if (child !== started) return;
      switch (report.type) {
        case "loaded":
          isLoaded = true;
          listener.onLoaded(report.subscriptions, report.problems);
          for (const payload of past) say({ type: "past", payload });
          if (asked !== undefined) say({ type: "event", payload: asked.payload });
          return;
        case "delivered":
          return asked?.resolve(report.deliveries);
        default:
          report satisfies never;
      }
    });
    started.on("exit", (code, signal) => {
      if (child !== started) return;
      child = undefined;
      listener.onEnded(signal === null ? `exit code ${code}` : signal);
    });
  };
  const end = () => {
    const ending = child;
    child = undefined;
    ending?.kill("SIGKILL"); // it may be in a loop
  };
  start();
  return {
    run(payload) {
      const ran = turn.then(async () => {
        const { promise, resolve } = Promise.withResolvers<readonly Delivery[]>();
        asked = { payload, resolve };
        if (isLoaded) say({ type: "event", payload });
        const deliveries = await promise;
        asked = undefined;
        past.push(payload);
        if (past.length > PAST_MAX) past.shift();
        return deliveries;
      });
      turn = ran.then(() => undefined);
      return ran;
    },
    restart() {
      end();
      start();
    },
    stop: end,
  };
}

function argumentsOf({ paths, subscriptions, send }: WorkerOptions): string[] {
  return [
    ...(subscriptions === undefined ? [] : ["--subscriptions", subscriptions]),
    ...(send ? ["--send"] : []),
    "--",
    ...paths,
  ];
}
