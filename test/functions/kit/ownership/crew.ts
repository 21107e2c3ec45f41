/**
 * Several processes that run one subscription, and a ledger of what their function did: which event of which object began in which
 * process. The events of an object are numbered, so order and repetitions can be read off.
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { JetStream } from "../../../../bridge/nats/jetstream.ts";
import type { Rig, Started, StartOptions } from "../delivery/rig.ts";
import * as event from "../event-factory.ts";
import { replicasOf } from "../event-factory.ts";

export interface Handling {
  readonly object: string;
  readonly number: number;
  readonly process: string;
}

/** An event in the log. */
export interface Published {
  readonly object: string;
  readonly number: number;
  readonly phase: string | undefined;
  readonly sequence: number;
}

export interface Member extends Started {
  readonly name: string;
  readonly connection: JetStream;
  /** As kill -9: nothing it does from now on is seen by anybody. */
  kill(): Promise<void>;
}

/** Starts with nobody at work. */
export function createCrew(rig: Rig, common: StartOptions & { readonly workMs?: number } = {}) {
  const { workMs = 1, ...options } = common;
  const ledger: Handling[] = [];
  const numbers = new Map<string, number>();
  const published: Published[] = [];
  let count = 0;
  return {
    ledger,
    published,
    /** How many events of each object were published. */
    numbers,
    async join(more: StartOptions = {}, wrap = (jetStream: JetStream, _die: () => void) => jetStream): Promise<Member> {
      const real = await rig.connect();
      const connection = wrap(real, () => {
        killed = true;
        void real.close();
      });
      const name = `p${++count}`;
      let killed = false;
      const started = rig.start(
        async ({ object, signal }) => {
          if (killed) await new Promise(() => undefined);
          ledger.push({ object: object.metadata.name, number: replicasOf(object), process: name });
          await sleep(workMs, undefined, { signal });
          if (killed) await new Promise(() => undefined);
        },
        { ...options, ...more, jetStream: connection },
      );
      return {
        ...started,
        name,
        connection,
        async kill() {
          killed = true;
          await connection.close();
        },
      };
    },
    /** Publishes the next event of each of these objects. */
    async publish(objects: readonly string[], phase?: string) {
      for (const name of objects) {
        const number = (numbers.get(name) ?? 0) + 1;
        numbers.set(name, number);
        const before = { name, spec: { replicas: number - 1 } };
        const after = { name, spec: { replicas: number }, ...(phase !== undefined && { phase }) };
        const { subject, payload } = event.updated(before, after);
        const { seq: sequence } = await rig.jetStream.publish(subject, payload, {});
        published.push({ object: name, number, phase, sequence });
      }
    },
    isComplete: () => {
      const seen = new Set(ledger.map(({ object, number }) => `${object} ${number}`));
      return [...numbers].every(([object, last]) =>
        Array.from({ length: last }, (_, i) => i + 1).every((number) => seen.has(`${object} ${number}`)),
      );
    },
    /** A repetition is allowed only as long as nothing newer of the object has begun. */
    assertOrder({ repetitions }: { readonly repetitions: boolean }) {
      for (const object of numbers.keys()) {
        const begun = ledger.filter((each) => each.object === object);
        for (const [i, { number, process }] of begun.entries()) {
          const before = begun[i - 1];
          if (before === undefined) continue;
          const allowed = repetitions ? number >= before.number : number > before.number;
          assert.ok(
            allowed,
            `${object} ${number} began in ${process} after ${before.number} in ${before.process}: ${begun.map((each) => `${each.process}:${each.number}`).join(" ")}`,
          );
        }
      }
    },
  };
}

/** Whether these processes have all partitions among them, evenly. */
export function isShared(members: readonly Started[], partitions: number): boolean {
  const held = members.map((member) => member.status().partitions.held);
  const all = held.flat();
  const counts = held.map(({ length }) => length);
  return (
    all.length === partitions &&
    new Set(all).size === partitions &&
    Math.max(...counts) - Math.min(...counts) <= 1 &&
    members.every((member) => ["running", "standby"].includes(member.status().state))
  );
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
