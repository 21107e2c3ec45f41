/**
 * The partitions of one subscription that this process holds, and the worker of each. It takes what is free up to its fair share, gives
 * up what is more, and ends at once what it has lost. A lease is given free only after its worker has ended.
 */
import type { Logger } from "#contract";
import type { Left, Worker } from "../delivery/worker.ts";
import type { Bucket } from "./bucket.ts";
import { type KnownLease, Lease, leaseIn, leaseKey, releaseLease, takeLease } from "./lease.ts";
import type { Membership, Tenure } from "./membership.ts";
import { sharesOf } from "./share.ts";

/** What it works with. */
export interface HoldingsOptions {
  readonly subscription: string;
  readonly membership: Membership;
  readonly log: Logger;
  /** How long running tries may take when a partition is given up. */
  readonly drainMs: number;
  /** Whether a consumer of this generation, or of an unknown one, is there: then somebody may be pulling from it. */
  readonly hasConsumer: (index: number) => Promise<boolean>;
  /** Starts the worker of a partition; it may act while `isHeld`. */
  readonly start: (taken: Taken) => Worker;
}

/** A partition that was just taken. */
export interface Taken {
  readonly index: number;
  readonly generation: number;
  readonly lease: Lease;
  readonly isHeld: () => boolean;
  /** What this process itself left there when it held it before. */
  readonly left: Left | undefined;
}

/** What is to be held. */
export interface Target {
  readonly bucket: Bucket;
  readonly tenure: Tenure;
  readonly generation: number;
  readonly partitions: number;
  /** Ids of the processes that share the work; this one's may be among them. */
  readonly members: readonly string[];
}

/** What a process holds of a subscription. */
export interface Holdings {
  /** By partition, those that are being given up included. */
  workers(): ReadonlyMap<number, Worker>;
  /** Comes nearer to the target; what takes time goes on by itself. */
  approach(target: Target): Promise<void>;
  /** Gives up everything; resolves when it is free. Never rejects. */
  releaseAll(bucket: Bucket | undefined): Promise<void>;
}

type FoundLease = ReturnType<typeof leaseIn>;

interface Holding {
  readonly index: number;
  readonly generation: number;
  readonly known: KnownLease;
  readonly takenMs: number;
  readonly tenure: Tenure;
  readonly worker: Worker;
  lost: boolean;
  ending: Promise<void> | undefined;
}

/** Starts with nothing held. */
export function createHoldings(options: HoldingsOptions): Holdings {
  const { subscription, membership, log, drainMs } = options;
  const holdings = new Map<number, Holding>();
  /** What was left in a partition under which revision of its lease, of those that ended without being released. */
  const remembered = new Map<number, { readonly left: Left; readonly revision: number; readonly generation: number }>();
  /** Since when a partition has had a consumer and no lease, by generation and index. */
  const leaselessSinceMs = new Map<string, number>();

  const end = async (holding: Holding, bucket: Bucket | undefined) => {
    const { index, generation, worker, known, tenure } = holding;
    const left = await worker.stop(holding.lost ? 0 : drainMs);
    if (holdings.get(index) === holding) holdings.delete(index);
    const free = async () =>
      bucket !== undefined && !holding.lost && tenure.holds()
        ? await releaseLease(bucket, leaseKey(subscription, index), known, { ...left })
        : false;
    const released = await free().catch(() => false);
    if (released) log.info({ partition: index, generation }, "partition released");
    else remembered.set(index, { left, revision: known.revision, generation });
  };
  const release = (holding: Holding, bucket: Bucket | undefined) => {
    holding.ending ??= end(holding, bucket);
    return holding.ending;
  };
  /** Synchronously: nothing more is begun from here on. */
  const lose = (holding: Holding, reason: string) => {
    if (holding.lost || holdings.get(holding.index) !== holding) return;
    holding.lost = true;
    log.warn({ partition: holding.index, reason }, "partition lost");
    if (holding.ending === undefined) void release(holding, undefined);
    else void holding.worker.stop(0);
  };
  /** `found` is what was judged free: one that changed since then is refused. */
  const take = async (index: number, found: FoundLease, { bucket, tenure, generation }: Target): Promise<void> => {
    const key = leaseKey(subscription, index);
    const known = await takeLease(bucket, key, found, { generation, holder: tenure.id });
    if (known === undefined || holdings.has(index)) return;
    leaselessSinceMs.delete(`${generation}/${index}`);
    const memory = remembered.get(index);
    const left = memory?.generation === generation ? memory.left : undefined;
    const excused =
      memory?.revision === found.revision ? { ...known.lease.excused, ...left?.excused } : known.lease.excused;
    remembered.delete(index);
    const holding: { -readonly [K in keyof Holding]?: Holding[K] } = { index, generation, known, tenure, lost: false };
    const isHeld = () => holding.lost === false && tenure.holds();
    holding.takenMs = performance.now();
    holding.ending = undefined;
    holding.worker = options.start({ index, generation, lease: { ...known.lease, excused }, isHeld, left });
    const held = holding as Holding;
    holdings.set(index, held);
    log.info({ partition: index, generation }, "partition taken");
    const onOver = () => lose(held, (tenure.signal.reason as Error).message);
    if (tenure.signal.aborted) onOver();
    else tenure.signal.addEventListener("abort", onOver, { once: true });
  };
  /** Nobody may be pulling from its consumer any more. */
  const isFree = async (index: number, { lease }: FoundLease, { tenure, generation }: Target): Promise<boolean> => {
    if (lease !== undefined)
      return lease.holder === null || lease.holder === tenure.id || (await membership.isGone(lease.holder));
    // No lease of this generation, but its consumer: the bucket was lost, or an older cr-reactor is at work. Whoever holds it notices.
    if (!(await options.hasConsumer(index))) return true;
    const since = leaselessSinceMs.get(`${generation}/${index}`) ?? performance.now();
    leaselessSinceMs.set(`${generation}/${index}`, since);
    return performance.now() - since > membership.leaseMs;
  };
  /** The bucket may be lost again: who holds the partition then has the whole time again. */
  const noticeLease = (index: number, { lease }: FoundLease, { generation }: Target) => {
    if (lease !== undefined) leaselessSinceMs.delete(`${generation}/${index}`);
  };
  const noticeLosses = ({ bucket, tenure, generation }: Target) => {
    for (const holding of holdings.values()) {
      const entry = bucket.entries.get(leaseKey(subscription, holding.index));
      const lease = Lease.safeParse(entry?.value).data;
      const isMine = lease?.holder === tenure.id && lease.generation === holding.generation;
      const isNews = (entry?.revision ?? 0) > holding.known.revision || (bucket.syncBegunMs ?? 0) > holding.takenMs;
      if (!isMine && isNews && holding.ending === undefined) lose(holding, "its lease is another one's");
      else if (holding.generation !== generation) void release(holding, bucket);
    }
  };
  /** A lease that this process seems to hold and does not: the answer to its release was lost. */
  const releaseForgotten = async ({ bucket, tenure, generation }: Target, index: number) => {
    const found = leaseIn(bucket, leaseKey(subscription, index), generation);
    const { lease, revision } = found;
    if (lease?.holder !== tenure.id || holdings.has(index)) return;
    await releaseLease(
      bucket,
      leaseKey(subscription, index),
      { lease, revision },
      {
        excused: remembered.get(index)?.left.excused ?? lease.excused,
        finished: remembered.get(index)?.left.finished ?? lease.finished,
      },
    );
  };
  const countHeld = ({ bucket, generation, partitions, members, tenure }: Target) => {
    const held = new Map(members.map((id) => [id, 0]));
    for (let index = 0; index < partitions; index++) {
      const { lease } = leaseIn(bucket, leaseKey(subscription, index), generation);
      const holder = holdings.has(index) ? tenure.id : lease?.holder;
      const count = holder == null ? undefined : held.get(holder);
      if (holder != null && count !== undefined) held.set(holder, count + 1);
    }
    return held;
  };

  return {
    workers: () => new Map([...holdings].map(([index, { worker }]) => [index, worker])),
    async approach(target) {
      noticeLosses(target);
      const { bucket, tenure, generation, partitions, members } = target;
      const share = sharesOf(subscription, partitions, countHeld(target)).get(tenure.id) ?? 0;
      const kept = [...holdings.values()].filter((each) => each.ending === undefined && each.generation === generation);
      for (const holding of kept.splice(share)) void release(holding, bucket);
      // What is being given up still counts, else it would be taken again.
      let missing = members.includes(tenure.id) ? share - holdings.size : 0;
      for (let index = 0; index < partitions; index++) {
        if (holdings.has(index)) continue;
        const found = leaseIn(bucket, leaseKey(subscription, index), generation);
        noticeLease(index, found, target);
        if (missing <= 0) await releaseForgotten(target, index);
        else if (await isFree(index, found, target)) {
          await take(index, found, target);
          if (holdings.has(index)) missing--;
        }
        if (!tenure.holds()) return;
      }
    },
    async releaseAll(bucket) {
      await Promise.all([...holdings.values()].map((holding) => release(holding, bucket)));
    },
  };
}
