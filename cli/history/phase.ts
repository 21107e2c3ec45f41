/** The phases that an object went through, and for how long each held: told by its events, which know since when. */
import { opOf } from "#contract";
import type { Entry } from "./timeline.ts";

/** One of them; `phase` is `null` for none. `heldSeconds` is `undefined` where nobody knows since when, or until when. */
export interface PhaseSpell {
  readonly phase: string | null;
  readonly since: string | undefined;
  readonly heldSeconds: number | undefined;
  /** It is the phase at the end of the timeline, and the object is there. */
  readonly isNow: boolean;
}

interface Open {
  readonly phase: string | null;
  readonly since: string | undefined;
}

/** Oldest first; an object that never had a phase has none. */
export function phasesOf(entries: readonly Entry[], nowMs: number): readonly PhaseSpell[] {
  const spells: PhaseSpell[] = [];
  let open: Open | undefined;
  const close = (untilMs: number | undefined, heldSeconds?: number) => {
    if (open !== undefined && (open.phase !== null || heldSeconds !== undefined))
      spells.push({ ...open, heldSeconds: heldSeconds ?? secondsSince(open, untilMs), isNow: false });
    open = undefined;
  };
  for (const { envelope, isAfterHole, isReplacement } of entries) {
    const { phase = null, phasesince, time, data } = envelope;
    if (isReplacement) close(undefined);
    if (opOf(envelope) === "deleted") {
      close(Date.parse(time));
      continue;
    }
    const transition = data.transitions.phase;
    const isLeft = transition !== undefined && opOf(envelope) === "updated";
    if (open !== undefined && open.phase === phase && (open.since === phasesince || !isLeft)) continue;
    // Behind a hole, the phase that is left may be one that nobody saw begin.
    if (isLeft && transition.from !== null && open?.phase !== transition.from) {
      close(undefined);
      open = { phase: transition.from, since: undefined };
    }
    const held = isLeft ? (transition.heldSeconds ?? undefined) : undefined;
    close(isAfterHole && !isLeft ? undefined : Date.parse(phasesince ?? time), held);
    open = { phase, since: phasesince ?? (phase === null ? undefined : time) };
  }
  if (open?.phase != null) spells.push({ ...open, heldSeconds: secondsSince(open, nowMs), isNow: true });
  return spells;
}

function secondsSince({ since }: Open, untilMs: number | undefined): number | undefined {
  if (since === undefined || untilMs === undefined) return undefined;
  return Math.max(0, Math.floor((untilMs - Date.parse(since)) / 1_000));
}
