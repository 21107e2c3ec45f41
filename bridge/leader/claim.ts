/**
 * One process's claim on a Lease: it takes it when nobody holds it or its holder has not renewed it for its duration, and renews it. The
 * duration is measured from the moment this process saw the Lease change, by its own monotonic clock; the times written in the Lease are
 * for people, so clocks that disagree do no harm.
 * Source: client-go `tools/leaderelection` (`tryAcquireOrRenew`, `isLeaseValid`, `release`).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { ApiStatusError } from "../kube/api-server.ts";
import { microTime } from "../kube/micro-time.ts";
import type { Lease, LeaseSpec, LeaseStore } from "./lease.ts";

/** The time, injected. */
export interface Clock {
  /** Milliseconds that never jump: the only ones that decide. */
  monotonicMs(): number;
  /** The time of day, written into the Lease for people to read. */
  epochMs(): number;
  /** Rejects when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** This machine's. As with client-go its monotonic clock stands still while the machine is suspended: there only the fence helps. */
export const SYSTEM_CLOCK: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/** What a released Lease says, so that nobody waits for it (client-go's ReleaseOnCancel). */
const RELEASED_SECONDS = 1;

/** The Lease as this process last saw it. */
export interface Claim {
  readonly identity: string;
  /** Takes the Lease if nobody's is to be respected; answers the holder. */
  take(): Promise<string>;
  /** Renews what this process held a moment ago; answers the holder, which may be another one or nobody. */
  renew(): Promise<string>;
  /** Leaves the Lease free; `false` when it was another's by then. */
  release(): Promise<boolean>;
}

/** Makes the claim of a process with this name; nothing is asked yet. */
export function createClaim(store: LeaseStore, identity: string, leaseSeconds: number, clock: Clock): Claim {
  let seen: { readonly lease: Lease; readonly sinceMs: number } | undefined;
  const holder = () => seen?.lease.spec.holderIdentity ?? "";
  const remember = (lease: Lease) => {
    const unchanged = isDeepStrictEqual(seen?.lease.spec, lease.spec);
    seen = { lease, sinceMs: (unchanged ? seen?.sinceMs : undefined) ?? clock.monotonicMs() };
  };
  const read = async () => {
    const lease = await store.read();
    if (lease === undefined) seen = undefined;
    else remember(lease);
  };
  const write = async (spec: LeaseSpec) =>
    remember(seen === undefined ? await store.create(spec) : await store.update(seen.lease, spec));
  const mine = (): LeaseSpec => {
    const renewTime = microTime(clock.epochMs());
    const last = seen?.lease.spec;
    const spec = { ...last, holderIdentity: identity, leaseDurationSeconds: leaseSeconds, renewTime };
    if (last?.holderIdentity === identity) return spec;
    return { ...spec, acquireTime: renewTime, leaseTransitions: last ? (last.leaseTransitions ?? 0) + 1 : 0 };
  };
  const respected = () => {
    if (seen === undefined || holder() === "" || holder() === identity) return false;
    const { leaseDurationSeconds } = seen.lease.spec;
    return clock.monotonicMs() < seen.sinceMs + 1000 * (leaseDurationSeconds ?? leaseSeconds);
  };
  return {
    identity,
    async take() {
      await read();
      if (respected()) return holder();
      await write(mine());
      return identity;
    },
    async renew() {
      try {
        await write(mine());
      } catch (error) {
        if (!isConflict(error) && !isNotFound(error)) throw error;
        await read(); // a write whose answer was lost, someone's label, a deleted Lease, or another leader
        if (seen !== undefined && holder() !== identity) return holder();
        await write(mine());
      }
      return identity;
    },
    async release() {
      await read();
      if (holder() !== identity) return false;
      const now = microTime(clock.epochMs());
      const free = { holderIdentity: "", leaseDurationSeconds: RELEASED_SECONDS, acquireTime: now, renewTime: now };
      await write({ ...seen?.lease.spec, ...free });
      return true;
    },
  };
}

/** Somebody else was faster. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiStatusError && error.status === 409;
}

function isNotFound(error: unknown): boolean {
  return error instanceof ApiStatusError && error.status === 404;
}
