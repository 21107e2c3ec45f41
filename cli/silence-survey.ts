/** Which silences there are, and what each holds back. */
import type { JetStream } from "#contract";
import { countHeldBack, type HeldBackCount, readSilences, type Silence, type StoredSilence } from "#kit";

/** A silence, or one time of one of a subscriptions file, with what it held back. */
export interface ListedSilence {
  readonly id: string;
  readonly state: "on" | "not yet" | "over" | "of a file";
  readonly silence?: Silence;
  readonly heldBack: readonly HeldBackCount[];
}

/** Asks NATS: what stands in the bucket and what was held back, also by silences of files; the newest last. `id`: what this one held back. */
export async function surveySilences(
  jetStream: JetStream,
  signal: AbortSignal,
  id?: string,
): Promise<readonly ListedSilence[]> {
  const [silences, counts] = [await readSilences(jetStream, signal), await countHeldBack(jetStream, signal, id)];
  signal.throwIfAborted();
  return listSilences(silences, counts, Date.now());
}

function listSilences(
  silences: readonly StoredSilence[],
  counts: readonly HeldBackCount[],
  nowMs: number,
): readonly ListedSilence[] {
  const known = new Set(silences.map(({ id }) => id));
  const others = [...new Set(counts.map(({ silence }) => silence))].filter((id) => !known.has(id));
  const heldBackBy = (id: string) => counts.filter(({ silence }) => silence === id);
  return [
    ...others.map((id) => ({ id, state: stateOfFile(heldBackBy(id), nowMs), heldBack: heldBackBy(id) })),
    ...silences.map(({ id, silence }) => ({ id, silence, state: stateOf(silence, nowMs), heldBack: heldBackBy(id) })),
  ];
}

function stateOf({ begins, ends }: Silence, nowMs: number): ListedSilence["state"] {
  if (nowMs < Date.parse(begins)) return "not yet";
  return nowMs < Date.parse(ends) ? "on" : "over";
}

function stateOfFile([first]: readonly HeldBackCount[], nowMs: number): ListedSilence["state"] {
  if (first?.ends === undefined) return "of a file";
  return nowMs < Date.parse(first.ends) ? "on" : "over";
}
