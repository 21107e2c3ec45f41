/**
 * What is stored in NATS outlives the process that wrote it, and is read by the next version. `golden/<version>.yaml` has what each version
 * stored: today's code reads all of them, and a change of what it stores itself is noticed. Then `UPDATE_GOLDEN=1` writes the file of this
 * version, and those of released ones stay as they are. `before-0.1.0.yaml` is of a day when batches and timers were stored differently.
 */
import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { pino } from "pino";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { connectJetStream, type JetStream, parseSent } from "../../bridge/contract.ts";
import { loadCheckpoints } from "../../bridge/log/checkpoint.ts";
import { openEventLog } from "../../bridge/log/event-log.ts";
import { read } from "../../bridge/nats/reader.ts";
import { parseKindSchema } from "../../bridge/schema/kind-schema.ts";
import { readLetters, readRetryOrder } from "../../functions/kit/delivery/dead-letter-box.ts";
import { surveySubscriptions } from "../../functions/kit/delivery/survey.ts";
import { createNatsIncidents } from "../../functions/kit/incident/nats-memory.ts";
import { Lease } from "../../functions/kit/ownership/lease.ts";
import { createMembership } from "../../functions/kit/ownership/membership.ts";
import { keptSteps } from "../../functions/kit/step/kept-step.ts";
import { readTimer } from "../../functions/kit/timer/timer.ts";
import { needNats } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { ensureStored, record, type StoredRecord } from "./recording.ts";

const FOLDER = join(import.meta.dirname, "golden");
const { version: VERSION } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  version: string;
};
const Golden = z.object({
  shapes: z.record(z.string(), z.array(z.string())),
  records: z.array(z.object({ subject: z.string(), headers: z.record(z.string(), z.string()), data: z.string() })),
});
/** What tells the server what to do with a message, and would be wrong for a copy. */
const ORDERS = /^Nats-(Expected-|Schedule|TTL)/;
const silent = pino({ level: "silent" });
const soon = () => AbortSignal.timeout(60_000);

/** A NATS that has what was stored. */
async function restore(t: TestContext, records: readonly StoredRecord[]): Promise<JetStream | undefined> {
  const nats = await needNats(t);
  if (nats === undefined) return undefined;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "stored");
  t.after(() => jetStream.close());
  await ensureStored(jetStream);
  for (const { subject, headers, data } of records) {
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !ORDERS.test(name)));
    await jetStream.publish(subject, data, kept);
  }
  return jetStream;
}

describe("what is stored in NATS", () => {
  test("has the form that it had: another one has to be read from both versions", async (t) => {
    const today = await record(t);
    if (today === undefined) return;
    const file = join(FOLDER, `${VERSION}.yaml`);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, stringify(today, { lineWidth: 0 }));
    const golden = Golden.parse(parse(readFileSync(file, "utf8")));
    assert.deepEqual(today.shapes, golden.shapes, "UPDATE_GOLDEN=1 writes it anew, if no version with it is released");
  });

  for (const file of globSync("*.yaml", { cwd: FOLDER })) {
    test(`by version ${file.replace(".yaml", "")} is read`, async (t) => {
      const { records } = Golden.parse(parse(readFileSync(join(FOLDER, file), "utf8")));
      const jetStream = await restore(t, records);
      if (jetStream === undefined) return;
      const keysOf = (root: string) =>
        records.flatMap(({ subject }) => (subject.startsWith(root) ? [subject.slice(root.length)] : []));
      const jsonOf = (subject: string): unknown =>
        JSON.parse(records.find((each) => each.subject === subject)?.data ?? "");

      await t.test("by the bridge: events, checkpoints, schemas", async () => {
        const sent = records.filter(({ subject }) => subject.startsWith("cr."));
        for (const { data } of sent) assert.equal(parseSent(data).specversion, "1.0");
        const index = await Array.fromAsync(openEventLog(jetStream).readIndex("cr.>", soon()));
        const ofBridge = sent.filter(({ headers }) => headers["Cr-Resource-Version"] !== undefined);
        assert.equal(index.filter(({ event }) => event !== undefined).length, ofBridge.length);
        assert.equal(ofBridge.length, 1);
        const checkpoints = keysOf("$KV.CR_CHECKPOINTS.");
        assert.deepEqual([...(await loadCheckpoints(jetStream, ">")).keys()], checkpoints);
        const schemas = keysOf("$KV.CR_SCHEMAS.").map((key) =>
          parseKindSchema(JSON.stringify(jsonOf(`$KV.CR_SCHEMAS.${key}`))),
        );
        assert.deepEqual(
          schemas.map((schema) => schema?.kind),
          ["Database"],
        );
        assert.equal(checkpoints.length, 1);
      });

      await t.test("by functions: subscriptions, leases, and who was there", async (t) => {
        const survey = await surveySubscriptions(jetStream);
        assert.deepEqual(
          survey.map(({ name, partitions }) => [name, partitions]),
          [
            ["batched", 1],
            ["held", 1],
            ["incident", 2],
          ],
        );
        const leases = keysOf("$KV.CR_SUBSCRIPTIONS.lease.").map((key) => jsonOf(`$KV.CR_SUBSCRIPTIONS.lease.${key}`));
        assert.equal(leases.length, 4);
        for (const lease of leases) assert.ok(Lease.parse(lease).finished);
        const membership = createMembership(jetStream, { log: silent });
        t.after(() => membership.close());
        membership.open(1);
        await until(() => membership.tenure !== undefined);
        const processes = keysOf("$KV.CR_SUBSCRIPTIONS.process.");
        assert.equal(processes.length, 3);
        for (const id of processes) assert.equal(await membership.isGone(id), true);
      });

      await t.test("by functions: steps, incidents, timers, dead letters, and orders to retry them", async () => {
        const [step = ""] = keysOf("$KV.CR_STEPS.incident.");
        const eventId = step.split(".")[0]?.replaceAll("_", ".") ?? "";
        assert.deepEqual(await keptSteps(jetStream, "incident", eventId), [{ step: "post", state: "done" }]);
        const incidents = createNatsIncidents(jetStream, silent);
        const key = { subscription: "incident", cluster: "lab", uid: "uid-prod-a" };
        const { newest, previous } = (await incidents.read(key, soon())).record ?? {};
        assert.deepEqual([newest?.receipts, newest?.resolvedAt], [{ thread: { ts: "1.2" } }, undefined]);
        assert.ok(previous?.resolvedAt);
        const waiting = {
          filter_subjects: ["crtimer.wait.held.>", "crtimer.member.>"],
          deliver_policy: "all",
        } as const;
        const timers = await Array.fromAsync(read(jetStream, waiting, soon(), false, "CR_TIMERS"));
        assert.equal(timers.length, 5);
        for (const { message } of timers) assert.ok(readTimer(message)?.order);
        const letters = await Array.fromAsync(readLetters(jetStream, {}, soon()));
        assert.deepEqual(
          letters.map(({ letter }) => [letter.subscription, letter.reason, letter.causes, letter.retryOf]),
          [["incident", "never", "Error: why", 1]],
        );
        const orders = { filter_subjects: ["crretry.>"], deliver_policy: "all" } as const;
        const [order] = await Array.fromAsync(read(jetStream, orders, soon(), false, "CR_RETRIES"));
        assert.equal(order && readRetryOrder(order.message)?.letter, 1);
      });
    });
  }
});
