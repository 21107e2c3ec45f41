/**
 * Which processes are alive, and what each runs. A process writes one sign of life every few seconds, whatever it holds. It is alive as
 * long as its entry keeps changing, judged by whoever watches and by that one's monotonic clock; clocks are never compared. Before
 * anybody takes over from a silent process it writes into that entry that the process is gone; each sign of life expects the one before
 * it, so the next one of a process that was only paused is refused, and it knows. By its own clock it has stopped before that: a process
 * whose sign of life was not confirmed in time holds nothing any more, and comes back under another id.
 * Source: client-go `tools/leaderelection` (as in `bridge/leader/claim.ts`, `bridge/leader/leader.ts`), with one entry for all that a process holds.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import {
  ensureStream,
  isWrongLastSequence,
  type JetStream,
  type Logger,
  SUBSCRIPTIONS_BUCKET,
  subscriptionsStream,
} from "#contract";
import { settingsFor } from "../log-settings.ts";
import { type Bucket, openBucket } from "./bucket.ts";

/** The times of membership, milliseconds. */
export interface MembershipLimits {
  /** Between two signs of life. Default 3,000. */
  readonly heartbeatMs: number;
  /** A process whose sign of life was not confirmed for this long holds nothing any more. Default 10,000. */
  readonly renewDeadlineMs: number;
  /** A process that is silent for this long is declared gone; more than the deadline. Default 15,000. */
  readonly leaseMs: number;
}

/** What a process says about one subscription that it runs. */
const Announcement = z.object({
  /** Which events it would have it ask for, as in its own file. */
  digest: z.string(),
  /** The newest generation that it acts by. */
  seen: z.int().nonnegative(),
});
export type Announcement = z.infer<typeof Announcement>;

/** What is stored of a process, under `process.<id>`. */
const SignOfLife = z.object({
  version: z.literal(1),
  beat: z.int(),
  /** Written by another process, which found this one silent. */
  gone: z.boolean().default(false),
  subscriptions: z.record(z.string(), Announcement).default({}),
});

/** Of a process whose entry is older than it may become. */
const NOTHING: z.infer<typeof SignOfLife> = { version: 1, beat: 0, gone: true, subscriptions: {} };

/** The time in which a process may act under one id. */
export interface Tenure {
  readonly id: string;
  /** Aborts when it is over, with the reason. */
  readonly signal: AbortSignal;
  /** Asks the clock too, so that a process that was paused notices before it does anything. */
  holds(): boolean;
}

/** This process among the others. */
export interface Membership {
  /** The entries of all; `undefined` before `open`. */
  readonly bucket: Bucket | undefined;
  /** `undefined` while this process may not hold anything. */
  readonly tenure: Tenure | undefined;
  readonly leaseMs: number;
  /** Begins, once it is known how many replicas the log has. More calls do nothing. */
  open(replicas: number): void;
  /** Says what this process runs; `undefined` ends it. */
  announce(subscription: string, announcement: Announcement | undefined): void;
  /** Who runs the subscription and is alive, by id. */
  runners(subscription: string): ReadonlyMap<string, Announcement>;
  /** Whether a process has ended, or was declared gone; what the server says counts. */
  isGone(id: string): Promise<boolean>;
  onChange(listener: () => void): () => void;
  /** Ends this process' life among the others; what it held must be released before. Never rejects. */
  close(): Promise<void>;
}

const LIMITS: MembershipLimits = { heartbeatMs: 3_000, renewDeadlineMs: 10_000, leaseMs: 15_000 };
/** Long after everybody has noticed that a process is gone, nothing is left of it. */
const TTL = "1h";
/** Of the deadline, so that an answer that does not come leaves time for another try. */
const TRIES_PER_DEADLINE = 3;

/** A member that has not joined yet. */
export function createMembership(
  jetStream: JetStream,
  { log, limits }: { readonly log: Logger; readonly limits?: Partial<MembershipLimits> },
): Membership {
  const { heartbeatMs, renewDeadlineMs, leaseMs } = { ...LIMITS, ...limits };
  const announced = new Map<string, Announcement>();
  const listeners = new Set<() => void>();
  const closing = new AbortController();
  const over = new AbortController();
  const watched = createWatchOfOthers(leaseMs);
  let bucket: Bucket | undefined;
  let tenure: Tenure | undefined;
  let living: Promise<void> | undefined;
  let wake = Promise.withResolvers<void>();
  const tell = () => {
    for (const listener of [...listeners]) listener();
  };
  const poke = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const paused = async (woken: Promise<void>) => {
    const timer = new AbortController();
    const { signal } = timer;
    const waits = [sleep(heartbeatMs, undefined, { signal }), woken];
    if (!jetStream.connected) waits.push(jetStream.whenConnected(AbortSignal.any([signal, closing.signal])));
    // One that fails, as on a connection that is closed for good, ends nothing.
    const never = new Promise<void>(() => undefined);
    await Promise.race(waits.map((wait) => wait.catch(() => never)));
    timer.abort();
  };
  const signOf = (id: string) => parseSign(bucket?.entries.get(keyOf(id))?.value);

  const declareSilentOnesGone = async (open: Bucket) => {
    for (const id of watched.silent(open)) {
      const found = await open.fetch(keyOf(id));
      const sign = parseSign(found?.value);
      if (found !== undefined && (sign === undefined || sign.gone || !watched.isStill(id, found.revision))) continue;
      await open.write(keyOf(id), { ...(sign ?? NOTHING), gone: true }, found?.revision ?? 0, TTL);
      log.warn({ process: id }, "a process is silent: what it held is free");
    }
  };
  /** One life under one id; ends when it is lost, or this process closes. */
  const liveOnce = async (open: Bucket) => {
    const id = `${hostname().replace(/[^A-Za-z0-9-]/g, "-")}-${randomUUID().slice(0, 8)}`;
    const life = createLife(id, renewDeadlineMs);
    let revision = 0;
    let beat = 0;
    const sign = async (): Promise<void> => {
      const sentMs = performance.now();
      const value = { version: 1, beat: ++beat, gone: false, subscriptions: Object.fromEntries(announced) };
      const written = open.write(keyOf(id), value, revision, TTL);
      try {
        revision = await inTime(written, renewDeadlineMs / TRIES_PER_DEADLINE);
      } catch (error) {
        if (!isWrongLastSequence(error)) throw error;
        const found = await inTime(open.fetch(keyOf(id)), renewDeadlineMs / TRIES_PER_DEADLINE);
        const stored = parseSign(found?.value);
        if (found === undefined || stored === undefined || stored.gone)
          return life.lose(stored?.gone ? "another process declared this one gone" : "its sign of life was removed");
        // An answer that was lost, or a NATS that was restored from an older copy.
        revision = found.revision;
        if (stored.beat !== beat) return await sign();
      }
      life.confirm(sentMs);
    };
    while (!closing.signal.aborted) {
      const woken = wake.promise;
      await sign().catch(() => undefined);
      if (life.tenure.holds() && tenure === undefined) {
        tenure = life.tenure;
        tell();
      }
      if (life.isOver()) break;
      if (tenure !== undefined) await declareSilentOnesGone(open).catch(() => undefined);
      await paused(woken);
    }
    tenure = undefined;
    if (!closing.signal.aborted)
      log.warn({ process: id, reason: life.reason() }, "this process holds nothing any more");
    life.lose("this process ends");
    tell();
    return id;
  };
  /** What it held is free at once, if the entry still is its own. */
  const leave = async (open: Bucket, id: string) => {
    const found = await open.fetch(keyOf(id));
    const sign = parseSign(found?.value);
    if (found !== undefined && sign !== undefined && !sign.gone)
      await open.write(keyOf(id), { ...sign, gone: true }, found.revision, TTL);
  };
  const live = async (open: Bucket) => {
    while (!closing.signal.aborted) {
      const id = await liveOnce(open);
      await inTime(leave(open, id), renewDeadlineMs).catch(() => undefined);
    }
  };

  return {
    leaseMs,
    get bucket() {
      return bucket;
    },
    get tenure() {
      return tenure?.holds() ? tenure : undefined;
    },
    open(replicas) {
      if (bucket !== undefined || closing.signal.aborted) return;
      const opened = openBucket(
        jetStream,
        {
          name: SUBSCRIPTIONS_BUCKET,
          ensure: async () => void (await ensureStream(jetStream, subscriptionsStream(settingsFor(replicas)))),
        },
        over.signal,
      );
      bucket = opened;
      opened.onChange((key) => {
        watched.note(opened, key);
        // The first sign of life may have come before the bucket.
        if (key === undefined) poke();
        tell();
      });
      living = live(opened);
    },
    announce(subscription, announcement) {
      const before = announced.get(subscription);
      if (before?.digest === announcement?.digest && before?.seen === announcement?.seen) return;
      if (announcement === undefined) announced.delete(subscription);
      else announced.set(subscription, announcement);
      poke();
    },
    runners(subscription) {
      const found = new Map<string, Announcement>();
      for (const [key, { value }] of bucket?.entries ?? []) {
        const sign = key.startsWith("process.") ? parseSign(value) : undefined;
        const announcement = sign?.gone === false ? sign.subscriptions[subscription] : undefined;
        if (announcement !== undefined) found.set(key.slice("process.".length), announcement);
      }
      return found;
    },
    async isGone(id) {
      if (bucket === undefined || signOf(id)?.gone === false) return false;
      return parseSign((await bucket.fetch(keyOf(id)))?.value)?.gone !== false;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closing.abort();
      poke();
      await living;
      over.abort();
    },
  };
}

/** How long an id may act: until its deadline after the moment its last confirmed sign of life was sent. */
function createLife(id: string, renewDeadlineMs: number) {
  const ended = new AbortController();
  let validUntilMs = Number.NEGATIVE_INFINITY;
  let guard: NodeJS.Timeout | undefined;
  const lose = (reason: string) => {
    clearTimeout(guard);
    if (!ended.signal.aborted) ended.abort(new Error(reason));
  };
  const check = () => {
    if (validUntilMs > 0 && performance.now() >= validUntilMs)
      lose(`no sign of life was confirmed for ${renewDeadlineMs / 1_000} s`);
    return !ended.signal.aborted && validUntilMs > 0;
  };
  return {
    tenure: { id, signal: ended.signal, holds: check },
    lose,
    isOver: () => !check() && ended.signal.aborted,
    reason: () => (ended.signal.reason as Error | undefined)?.message,
    confirm(sentMs: number) {
      if (validUntilMs > 0 && !check()) return;
      validUntilMs = sentMs + renewDeadlineMs;
      clearTimeout(guard);
      guard = setTimeout(check, validUntilMs - performance.now() + 1);
    },
  };
}

/** Since when each process shows no sign of life, by this process' clock. */
function createWatchOfOthers(leaseMs: number) {
  const seen = new Map<string, { readonly revision: number; readonly sinceMs: number }>();
  const noteOne = (key: string, revision: number | undefined) => {
    const id = key.slice("process.".length);
    if (revision === undefined) seen.delete(id);
    else if (seen.get(id)?.revision !== revision) seen.set(id, { revision, sinceMs: performance.now() });
  };
  return {
    note({ entries }: Bucket, key: string | undefined) {
      if (key?.startsWith("process.")) noteOne(key, entries.get(key)?.revision);
      if (key !== undefined) return;
      for (const id of [...seen.keys()]) if (!entries.has(keyOf(id))) seen.delete(id);
      for (const [each, { revision }] of entries) if (each.startsWith("process.")) noteOne(each, revision);
    },
    silent({ entries }: Bucket): string[] {
      const isSilent = ([id, { sinceMs }]: [string, { sinceMs: number }]) =>
        performance.now() - sinceMs > leaseMs && parseSign(entries.get(keyOf(id))?.value)?.gone === false;
      return [...seen].filter(isSilent).map(([id]) => id);
    },
    /** Also when the watch had not told yet that there was another one. */
    isStill(id: string, revision: number): boolean {
      const still = seen.get(id)?.revision === revision;
      if (!still) seen.set(id, { revision, sinceMs: performance.now() });
      return still;
    },
  };
}

function keyOf(id: string): string {
  return `process.${id}`;
}

function parseSign(value: unknown): z.infer<typeof SignOfLife> | undefined {
  return value === undefined ? undefined : SignOfLife.safeParse(value).data;
}

async function inTime<T>(work: Promise<T>, timeMs: number): Promise<T> {
  const timer = new AbortController();
  const late = sleep(timeMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no answer within ${timeMs} ms`);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
    late.catch(() => undefined);
    work.catch(() => undefined);
  }
}
