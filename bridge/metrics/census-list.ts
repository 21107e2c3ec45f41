/**
 * Lists the objects of a resumed watch once, for their census alone: the watch tells only what changes. It begins when somebody first asks for
 * metrics or the status, so that a restart costs the API server no list, goes on beside the watch, as the reflector lists (streamed, at most so
 * many at once), and is given up as soon as the watch lists by itself.
 */
import { type ReflectorOptions, reflect } from "../kube/reflector.ts";
import type { Census } from "./census.ts";

/** What is listed, and for whom. */
export interface CensusListOptions extends Pick<ReflectorOptions, "apiServer" | "resource" | "listGate" | "signal"> {
  readonly census: Census;
  /** Resolves when the census is first asked for. */
  readonly asked: Promise<void>;
}

/** Starts it; the result stops it. */
export function primeCensus(options: CensusListOptions): () => void {
  const stopped = new AbortController();
  void listOnce({ ...options, signal: AbortSignal.any([options.signal, stopped.signal]) });
  return () => stopped.abort();
}

/** Never rejects: the reflector waits out every failure, and why it waits is what the watch itself tells. */
async function listOnce({ census, asked, ...options }: CensusListOptions): Promise<void> {
  const { apiServer, resource, listGate, signal } = options;
  await new Promise<unknown>((resolve) => {
    void asked.then(resolve);
    signal.addEventListener("abort", resolve, { once: true });
  });
  if (signal.aborted) return;
  const listing = { apiServer, resource, ...(listGate && { listGate }), signal, onState: () => undefined };
  for await (const event of reflect(listing)) {
    if (signal.aborted) return;
    if (event.type === "listing") census.listing();
    if (event.type === "initial") census.saw(resource.redaction.redact(event.object));
    if (event.type !== "listed") continue;
    census.listed();
    return;
  }
}
