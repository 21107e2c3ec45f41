/**
 * Orders to the writer, which is a process of its own: one at a time in a file, each answered by a line on its standard error. It
 * finishes what is under way before it obeys.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import type { ServerProcess } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";

/** An order in its file. */
const WriterOrder = z.object({
  number: z.int().positive(),
  order: z.enum([
    /** Writes nothing until the next order. */
    "pause",
    /** etcd was restored: a new epoch; every object is read and put into the ledger as it is now, and writing goes on. */
    "reread",
    /** Deletes the CustomResourceDefinition with all objects, and writes nothing. */
    "remove kind",
    /** Makes it again, and writing goes on. */
    "make kind",
  ]),
});
type WriterOrder = z.infer<typeof WriterOrder>;
export type OrderName = WriterOrder["order"];

/** Longer than an API server takes to delete a kind with its objects, or to answer again after a restart. */
const OBEY_MS_MAX = 60_000;

/** How the writer is told; resolves when it has obeyed. */
export type OrderWriter = (order: OrderName) => Promise<void>;

/** Orders for a running writer. */
export function ordersTo(writer: ServerProcess, path: string): OrderWriter {
  let number = 0;
  return async (order) => {
    number++;
    const text: WriterOrder = { number, order };
    writeFileSync(`${path}.new`, JSON.stringify(text));
    renameSync(`${path}.new`, path);
    const answer = answerTo(text);
    const isAnswered = () => writer.logTail().split("\n").includes(answer);
    await until(isAnswered, { what: `the writer says "${answer}"`, waitMsMax: OBEY_MS_MAX });
  };
}

/** The writer's side: the order that is newer than the last one it took. */
export function createOrders(path: string): { next(): WriterOrder | undefined } {
  let taken = 0;
  return {
    next() {
      if (!existsSync(path)) return undefined;
      const order = WriterOrder.parse(JSON.parse(readFileSync(path, "utf8")));
      if (order.number <= taken) return undefined;
      taken = order.number;
      return order;
    },
  };
}

/** The line with which the writer says that it has obeyed. */
export const answerTo = ({ number, order }: WriterOrder): string => `obeyed ${number}: ${order}`;
