/**
 * Real processes of `cr-reactor run` that share a subscription, on a real NATS, with events published as a bridge does: each object's are
 * numbered, and a ledger on disk tells which of them began in which process.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { stringify } from "yaml";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import * as event from "../functions/kit/event-factory.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { type ServerProcess, startServer } from "../kit/server-process.ts";
import { needNats } from "../kit/shared-kube.ts";
import ledger from "./ledger-function.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const OBJECTS = Array.from({ length: 32 }, (_, i) => `o${i}`);

/** Starts NATS with an empty log; `undefined` where there is none. */
export async function startSharingScene(t: TestContext) {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "journey");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsPerSubjectMax: 10_000 })));
  const ledgerFile = join(createDataFolder("ledger").path, "ledger");
  const published: { object: string; number: number; phase: string; sequence: number }[] = [];
  let round = 0;
  let going = false;
  let publishing = Promise.resolve();
  const publishRound = async () => {
    round++;
    const phase = ["Failed", "Ready"][round % 2] as string;
    for (const name of OBJECTS) {
      const after = { name, spec: { replicas: round }, phase };
      const { subject, payload } = event.updated({ name, spec: { replicas: round - 1 } }, after);
      const { seq: sequence } = await jetStream.publish(subject, payload, {});
      published.push({ object: name, number: round, phase, sequence });
    }
  };
  const begun = () =>
    (existsSync(ledgerFile) ? readFileSync(ledgerFile, "utf8") : "")
      .split("\n")
      .filter((line) => line.startsWith("begun "))
      .map((line) => line.split(" "))
      .map(([, pid = "", object = "", number]) => ({ pid: Number(pid), object, number: Number(number) }));
  return {
    nats,
    jetStream,
    published,
    begun,
    /** Starts a process, of another build if one is named; ready when it works or stands by. */
    async startProcess(subscription: object, cli = CLI): Promise<ServerProcess> {
      const folder = createDataFolder("run");
      const file = join(folder.path, "run.yaml");
      const entry = {
        name: ledger.name,
        function: join(import.meta.dirname, "ledger-function.ts"),
        ...{ apiVersion: "demo.example.com/v1", kind: "Database", start: "all", config: { file: ledgerFile } },
        ...subscription,
      };
      writeFileSync(file, stringify({ nats: { servers: [nats.url] }, subscriptions: [entry] }));
      const process_ = await startServer({
        name: "cr-reactor run",
        command: process.execPath,
        args: () => [cli, "run", "--subscriptions", file],
        folder,
        isReady: /partition taken|standing by/,
        stopMsMax: 20_000,
      });
      t.after(() => process_.stop());
      return process_;
    },
    keepPublishing() {
      going = true;
      publishing = (async () => {
        while (going) await publishRound();
      })();
    },
    async stopPublishing() {
      going = false;
      await publishing;
    },
    /** How many partitions each living holder has, by its id. */
    async shares(): Promise<readonly number[]> {
      const { state } = await jetStream.api<{ state: { subjects?: Record<string, number> } }>(
        "STREAM.INFO.KV_CR_SUBSCRIPTIONS",
        { subjects_filter: "$KV.CR_SUBSCRIPTIONS.lease.>" },
      );
      const holders = await Promise.all(
        Object.keys(state.subjects ?? {}).map(async (subject) => {
          const query = { last_by_subj: subject };
          const { message } = await jetStream.api<{ message: { data: string } }>(
            "STREAM.MSG.GET.KV_CR_SUBSCRIPTIONS",
            query,
          );
          return JSON.parse(Buffer.from(message.data, "base64").toString("utf8")).holder as string | null;
        }),
      );
      const counts = Map.groupBy(
        holders.filter((holder) => holder !== null),
        (holder) => holder,
      );
      return [...counts.values()].map(({ length }) => length).toSorted();
    },
    /** In each object a repetition may come only before anything newer has begun. */
    assertOrder() {
      for (const [object, handlings] of Map.groupBy(begun(), (each) => each.object)) {
        for (const [i, { number, pid }] of handlings.entries())
          assert.ok(
            number >= (handlings[i - 1]?.number ?? 0),
            `${object} ${number} began in ${pid} after ${handlings[i - 1]?.number}`,
          );
      }
    },
  };
}
