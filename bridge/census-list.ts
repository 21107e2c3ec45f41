/**
 * Lists the objects of a resumed watch once, for their census alone: the watch tells only what changes. It goes on beside the watch, page by
 * page, and is given up as soon as the watch lists by itself.
 */
import type { ApiServer } from "./api-server.ts";
import { createBackoff, REFLECTOR_BACKOFF } from "./backoff.ts";
import type { Census } from "./census.ts";
import type { Gate } from "./gate.ts";
import { apiVersionOf, type KubeObject } from "./kube-object.ts";
import type { Logger } from "./logger.ts";
import { describeProblem } from "./problem.ts";
import { resourcePath, resourceTitle, selectorQuery, type WatchedResource } from "./resource.ts";

/** What is listed, and for whom. */
export interface CensusListOptions {
  readonly apiServer: ApiServer;
  readonly resource: WatchedResource;
  readonly census: Census;
  readonly listGate?: Gate;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

interface Page {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly KubeObject[] | null;
}

/** As in the reflector. */
const PAGE_OBJECTS_MAX = 500;

/** Starts it; the result stops it. */
export function primeCensus(options: CensusListOptions): () => void {
  const stopped = new AbortController();
  const signal = AbortSignal.any([options.signal, stopped.signal]);
  void keepListing({ ...options, signal });
  return () => stopped.abort();
}

async function keepListing(options: CensusListOptions): Promise<void> {
  const { resource, listGate, logger, census, signal } = options;
  const backoff = createBackoff(REFLECTOR_BACKOFF);
  for (let attempt = 1; !signal.aborted; attempt++) {
    let leave: (() => void) | undefined;
    try {
      leave = await listGate?.enter(signal);
      census.listing();
      await listOnce(options);
      if (!signal.aborted) census.listed();
      return;
    } catch (error) {
      if (signal.aborted) return;
      const fields = { resource: resourceTitle(resource), attempt, problem: describeProblem(error, resource) };
      if (attempt === 1)
        logger.warn(fields, "the objects could not be counted for the metrics: trying again; capture is not affected");
      await backoff.wait(signal).catch(() => undefined);
    } finally {
      leave?.();
    }
  }
}

async function listOnce({ apiServer, resource, census, signal }: CensusListOptions): Promise<void> {
  const own = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  for (let token = "", first = true; first || token !== ""; first = false) {
    const query = { ...selectorQuery(resource), limit: String(PAGE_OBJECTS_MAX), ...(token && { continue: token }) };
    const { items, metadata } = await apiServer.json<Page>(resourcePath(resource), { signal, query });
    signal.throwIfAborted();
    for (const item of items ?? []) census.saw(resource.redaction.redact({ ...own, ...item }));
    token = metadata.continue ?? "";
  }
}
