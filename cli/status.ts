/**
 * `cr-reactor status`: is everything all right?
 */
import { type ServerOptions, withLog } from "./event-log.ts";
import { renderStatus } from "./status-text.ts";
import { surveySystem } from "./system-status.ts";
import { print } from "./terminal.ts";

/** The options of the command. */
export interface StatusOptions extends ServerOptions {
  /** Addresses of bridges, such as `http://127.0.0.1:8080`. */
  readonly url?: readonly string[];
  readonly json?: true;
}

/** Prints it; the exit code is 1 when something is not all right. */
export async function statusCommand({ url = [], json, ...server }: StatusOptions): Promise<void> {
  await withLog(server, "status", async (jetStream, signal) => {
    const status = await surveySystem(jetStream, url, signal);
    print(json ? JSON.stringify(status, null, 2) : renderStatus(status));
    if (!status.ok) process.exitCode = 1;
  });
}
