/**
 * Room in the log: when it is nearly full, older events leave it that every durable consumer has read, of the objects that have most of
 * them first, and of each object the last event stays. Where that is not enough, a person is told why, and what to do.
 */
import { resourceSubjects, resourceTitle } from "../capture/resource.ts";
import { EVENTS_STREAM } from "../nats/stream.ts";
import { countEvents, type LogUsage, type ReadFloor, readFloor, readUsage } from "./log-usage.ts";
import { eachInFlight, type Sweep } from "./sweep.ts";

interface CrowdedObject {
  readonly object: string;
  readonly count: number;
}

/** Above this part of the limit the janitor makes room: a burst must still fit before its next look. */
const HIGH_MARK = 0.8;
/** It stops below this, so that it does not begin again a minute later. */
const LOW_MARK = 0.7;
/** Between two looks at how far it is, when each object has only a few events. */
const ROUND_MAX = 1_000;

/** Makes the look at the room in the log; it tells at most once in `tellEveryMs` that it can do nothing more. */
export function makeRoom(tellEveryMs: number): (sweep: Sweep) => Promise<void> {
  let toldAtMs = Number.NEGATIVE_INFINITY;
  return async (sweep) => {
    const { jetStream, metrics, logger, resource, signal } = sweep;
    const before = await readUsage(jetStream);
    metrics.logUsage(before.bytes, before.bytesMax);
    if (before.bytes <= before.bytesMax * HIGH_MARK) return;
    const floor = await readFloor(jetStream, signal);
    const { after, events, isHeld } = await trim(sweep, floor, before);
    metrics.logUsage(after.bytes, after.bytesMax);
    const title = resourceTitle(resource);
    if (events > 0) {
      logger.info(
        { resource: title, events, bytesBefore: before.bytes, bytesAfter: after.bytes, bytesMax: after.bytesMax },
        "the log was nearly full: older events that every subscription has read were removed",
      );
    }
    if (after.bytes <= after.bytesMax * HIGH_MARK || performance.now() - toldAtMs < tellEveryMs) return;
    toldAtMs = performance.now();
    logger.warn({ resource: title, bytes: after.bytes, bytesMax: after.bytesMax }, whyFull(after, floor, isHeld));
  };
}

/** Removes until there is room, or nothing is left to remove. */
async function trim(sweep: Sweep, floor: ReadFloor, before: LogUsage) {
  const { jetStream, log, store, metrics, resource, keptFrom, isTrusted } = sweep;
  let after = before;
  let events = 0;
  let isHeld = false;
  const crowded: CrowdedObject[] = [];
  for await (const entry of countEvents(jetStream, resourceSubjects(resource))) {
    if (entry.count > 1) crowded.push(entry);
  }
  crowded.sort((a, b) => b.count - a.count);
  for (let done = 0; done < crowded.length && isTrusted() && after.bytes > after.bytesMax * LOW_MARK; ) {
    const round = enoughOf(crowded, done, after);
    done += round.length;
    await eachInFlight(round, sweep, async ({ object }) => {
      const last = Math.min(store.get(object)?.sequence ?? 0, keptFrom);
      isHeld ||= floor.sequence + 1 < last;
      const removed = await log.purge(object, Math.min(floor.sequence + 1, last));
      metrics.trimmed(resourceTitle(resource), "room", removed);
      events += removed;
    });
    after = await readUsage(jetStream);
  }
  return { after, events, isHeld };
}

/** As many of the objects as it takes, if their events are of average size: no object loses its history without need. */
function enoughOf(crowded: readonly CrowdedObject[], first: number, { bytes, bytesMax, messages }: LogUsage) {
  const excess = (bytes - bytesMax * LOW_MARK) / (bytes / messages);
  let end = first;
  for (let events = 0; end < crowded.length && end - first < ROUND_MAX && events < excess; end++) {
    events += (crowded[end]?.count ?? 1) - 1;
  }
  return crowded.slice(first, end);
}

function whyFull({ bytes, bytesMax }: LogUsage, { sequence, holder }: ReadFloor, isHeld: boolean): string {
  const full = `${EVENTS_STREAM} is ${Math.round((100 * bytes) / bytesMax)} % full, and capture will wait when it is full`;
  const room = `give the log more room (streams.eventsBytesMax, and \`nats stream edit ${EVENTS_STREAM}\`: both can be changed at any time)`;
  if (!isHeld || holder === undefined)
    return `${full}. Nothing can be removed: of each object, what is left is its last event, or too new. Next: ${room}`;
  return `${full}. What a subscription has not read stays: consumer ${holder.name} has read up to sequence ${sequence} and has ${holder.unreadCount} events to go. Next: let it run, or remove it if nobody needs it any more (\`nats consumer rm ${EVENTS_STREAM} ${holder.name}\`), or ${room}`;
}
