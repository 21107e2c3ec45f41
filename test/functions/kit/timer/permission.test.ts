/** What waits, as a NATS user who may do what `cr-reactor doctor` prints for these subscriptions, and nothing else. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { z } from "zod";
import { connectJetStream } from "../../../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../../bridge/nats/stream.ts";
import { subscriptionRequirement } from "../../../../cli/doctor/subscription-permission.ts";
import { defineFunction } from "../../../../functions/kit/define.ts";
import { subscribe } from "../../../../functions/kit/delivery/subscribe.ts";
import { createMembership } from "../../../../functions/kit/ownership/membership.ts";
import { bind, Subscription } from "../../../../functions/kit/subscription.ts";
import { timersOfPartitions } from "../../../../functions/kit/timer/timer-backlog.ts";
import { needNats } from "../../../kit/shared-kube.ts";
import { QUICK, until } from "../delivery/rig.ts";
import { createHistory } from "./history.ts";

const TIMES = {
  held: { for: "2s" },
  gathered: { batch: { window: "2s" } },
  paced: { throttle: { max: 1, per: "2s" } },
  once: { oncePer: { key: "metadata.uid" } },
} as const;

test("for, batch, throttle and oncePer need no more than is printed, also when CR_TIMERS was lost", async (t) => {
  const { publish, subscribe: heard } = subscriptionRequirement(
    Object.keys(TIMES).map((name) => ({ name, partitions: 1 })),
  );
  const permissions = JSON.stringify({ publish: { allow: publish }, subscribe: { allow: heard } });
  process.env["TIMER_TEST_PASSWORD"] = "secret";
  const users = `[{ user: operator, password: secret }, { user: functions, password: secret, permissions: ${permissions} }]`;
  const nats = await needNats(t, { config: `authorization { users: ${users} }` });
  if (nats === undefined) return;
  const connect = async (user: string) => {
    const password = { env: "TIMER_TEST_PASSWORD" };
    const jetStream = await connectJetStream({ servers: [nats.url], user, password }, user);
    t.after(() => jetStream.close());
    return jetStream;
  };
  const [operator, functions] = [await connect("operator"), await connect("functions")];
  await ensureStream(operator, eventsStream(StreamSettings.parse({})));
  const log = pino({ enabled: false });
  const stop = new AbortController();
  const membership = createMembership(functions, { log });
  const told = new Map<string, Set<string>>();
  const definition = defineFunction({
    ...{ name: "told", description: "A test's.", config: z.looseObject({}), batches: true },
    async run({ events = [], subscription }) {
      const names = told.get(subscription) ?? new Set();
      told.set(subscription, names);
      for (const { name } of events) names.add(name);
    },
  });
  const about = { function: "told", apiVersion: "demo.example.com/v1", kind: "Database", start: "all" } as const;
  const running = Object.entries(TIMES).map(([name, time]) => {
    const subscription = Subscription.parse({ name, ...about, when: { phase: { to: "Failed" } }, ...time });
    const limits = { ...QUICK, overrunLookMs: 300 };
    return subscribe(functions, bind(subscription, definition), { log, membership, signal: stop.signal, limits });
  });
  const isToldOf = (...names: readonly string[]) =>
    until(() => Object.keys(TIMES).every((name) => names.every((each) => told.get(name)?.has(each))));
  const fail = async (...names: readonly string[]) => {
    for (const name of names) {
      const { subject, payload } = createHistory(name).moved("Failed");
      await operator.publish(subject, payload, {});
    }
  };
  await fail("a", "b");
  await isToldOf("a", "b");
  assert.ok(await timersOfPartitions(functions, "held", { held: [0], count: 1 }));
  await operator.api("STREAM.DELETE.CR_TIMERS");
  await fail("c", "d");
  await isToldOf("c", "d");
  stop.abort();
  await Promise.all(running.map(({ done }) => done));
  await membership.close();
  const violations = nats.logTail(2_000).match(/Violation - Subject "[^"]*"/g);
  assert.equal(violations, null);
});
