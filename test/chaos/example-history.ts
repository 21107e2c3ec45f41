/**
 * The example run with a history that goes back, vanishes, or is told again, as a bridge without a flaw leaves it behind: etcd that is
 * put back to an older copy, a log that is wiped, a kind that is deleted and made again.
 */
import type { Evidence, Losses } from "./evidence.ts";
import { DEEDS, type Deed, faultless, START_MS } from "./example-run.ts";

const secondMs = (second: number): number => START_MS + second * 1_000;
const between = (fromSecond: number, toSecond: number) => ({ fromMs: secondMs(fromSecond), toMs: secondMs(toSecond) });

/** The copy is begun in the middle of second 19, and is in place in second 25. */
const RESTORE: Losses = { restores: [between(19.5, 25)], wipesMs: [], earlier: [] };

/** What is undone: a change, a creation and a deletion that are told, and a creation that no bridge was there to see. */
const UNDONE: readonly Deed[] = [
  { name: "other", uid: "u2", version: 20, size: 9, phase: "*" },
  { name: "new", uid: "u5", version: 21, size: 1 },
  { name: "a.b", uid: "u3", version: 22, size: null },
  { name: "a.b", uid: "u6", version: 23, size: 1, hidden: true },
];

/** What a restored etcd has, as the comparison tells it; then a version is given again. */
const RESTORED: readonly Deed[] = [
  { name: "other", uid: "u2", version: 18, size: 8, phase: "*", epoch: 2, at: 26, found: true, gap: true },
  { name: "new", uid: "u5", version: 24, size: null, epoch: 2, at: 26, found: true, gap: true },
  { name: "a.b", uid: "u3", version: 19, size: 4, epoch: 2, at: 26, found: true, gap: true },
  { name: "other", uid: "u2", version: 20, size: 10, phase: "*", epoch: 2, at: 30 },
];

/** A run in which etcd is restored; `more` are deeds behind it. */
export const restoredRun = (...more: readonly Deed[]): Evidence => ({
  ...faultless([...DEEDS, ...UNDONE, ...RESTORED, ...more]),
  ...RESTORE,
  blind: [between(19.2, 29)],
});

/** A restore that leaves everything as the log knew it, because no bridge saw what it undid. */
export const unnoticedRun = (): Evidence => ({
  ...faultless([
    ...DEEDS,
    { name: "other", uid: "u2", version: 20, size: 9, phase: "*", hidden: true },
    { name: "other", uid: "u2", version: 18, size: 8, phase: "*", epoch: 2, at: 26, found: true, hidden: true },
    { name: "a.b", uid: "u3", version: 19, size: 4, epoch: 2, at: 26, found: true, hidden: true },
    { name: "other", uid: "u2", version: 21, size: 10, phase: "*", epoch: 2, at: 30 },
  ]),
  ...RESTORE,
  blind: [between(19.2, 29)],
});

/** A log that is emptied in second 20, and told again as `change` says; then life goes on. `before` is the log that was emptied. */
export const wipedRun = (change: Partial<Deed> = {}, before: Evidence = faultless()): Evidence => {
  const again = { again: true, op: "existing", gap: true, at: 22, ...change } as const;
  return {
    ...faultless([
      ...DEEDS.map((deed) => ({ ...deed, hidden: true as const })),
      { name: "a.b", uid: "u3", version: 19, size: 4, ...again },
      { name: "other", uid: "u2", version: 18, size: 8, phase: "*", ...again },
      { name: "other", uid: "u2", version: 25, size: 9, phase: "*" },
    ]),
    ...{ restores: [], wipesMs: [secondMs(20)], earlier: [{ events: before.events, atMs: secondMs(21) }] },
    blind: [between(19.5, 24)],
  };
};

/** The kind is deleted with all its objects in second 20, and made again; one object was seen to go, the other was inferred. */
export const recreatedRun = (): Evidence => ({
  ...faultless([
    ...DEEDS,
    { name: "a.b", uid: "u3", version: 20, size: null },
    { name: "other", uid: "u2", version: 21, size: null, gap: true },
    { name: "other", uid: "u7", version: 25, size: 1 },
  ]),
  blind: [between(19.5, 26)],
});
