/** A NATS cluster that cannot decide anything for now is waited for, as one that cannot be reached is. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { awaitJetStream, connectJetStream, type JetStream, untilAnswered } from "../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../bridge/nats/stream.ts";
import { needNatsCluster } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";

test("a NATS cluster without a quorum is waited for, and told", async (t) => {
  const cluster = await needNatsCluster(t);
  if (cluster === undefined) return;
  // The leader itself goes on answering for a while.
  const leader = await cluster.untilReady();
  const stays = cluster.nodes.find((node) => node !== leader);
  const away = cluster.nodes.filter((node) => node !== stays);
  await Promise.all(away.map((node) => node.kill()));
  const told: string[] = [];
  const stop = new AbortController();
  let connected: JetStream | undefined;
  t.after(async () => {
    stop.abort();
    await connected?.close();
  });
  const settings = { servers: [stays?.url ?? ""] };
  const waiting = awaitJetStream(settings, "t", {
    signal: stop.signal,
    onWait: (error) => told.push(error.message),
  }).then((jetStream) => {
    connected = jetStream;
  });
  await Promise.race([waiting, until(() => told.length > 0, { what: "it says what it waits for" })]);
  assert.equal(connected, undefined);
  assert.match(told[0] ?? "", /^JetStream cannot be used at nats:\/\/127\.0\.0\.1:\d+: .*quorum/);
  await Promise.all(away.map((node) => node.restart()));
  await waiting;
  assert.notEqual(connected, undefined);
});

test("a stream that cannot be made without a quorum is made when there is one", async (t) => {
  const cluster = await needNatsCluster(t);
  if (cluster === undefined) return;
  const [stays, ...away] = cluster.nodes;
  const jetStream = await connectJetStream({ servers: [stays?.url ?? ""] }, "t");
  t.after(() => jetStream.close());
  await Promise.all(away.map((node) => node.kill()));
  const told: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const definition = eventsStream(StreamSettings.parse({ replicas: 3 }));
  const made = untilAnswered(() => ensureStream(jetStream, definition), {
    signal: stop.signal,
    onWait: (error) => told.push(error.message),
  });
  await Promise.race([made, until(() => told.length > 0, { what: "it says what it waits for" })]);
  assert.notDeepEqual(told, []);
  await Promise.all(away.map((node) => node.restart()));
  assert.deepEqual(await made, []);
});
