/** Following the log through what happens to a NATS server: it goes on where it was, and nobody has to start it again. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { connectJetStream } from "../../../bridge/nats/jetstream.ts";
import { follow } from "../../../bridge/nats/reader.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../bridge/nats/stream.ts";
import { needNats } from "../../kit/shared-kube.ts";
import { until } from "../../kit/until.ts";

test("following the log goes on when NATS is there again before its JetStream is", async (t) => {
  const nats = await needNats(t);
  if (nats === undefined) return;
  const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
  t.after(() => jetStream.close());
  await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
  const publish = (text: string) => jetStream.publish(`cr.c.g.K.ns.${text}.created._._._.00`, text, {});
  const seen: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const following = (async () => {
    const reading = { filter_subjects: ["cr.>"], deliver_policy: "all" } as const;
    for await (const { message } of follow(jetStream, reading, stop.signal))
      seen.push(Buffer.from(message.data).toString());
  })();
  following.catch(() => undefined); // told at the end
  await publish("a");
  await until(() => seen.length === 1);

  const withJetStream = readFileSync(nats.configPath, "utf8");
  writeFileSync(nats.configPath, withJetStream.replace(/jetstream \{[^}]*\}/, ""));
  await nats.restart();
  const ended = Promise.race([following.then(() => true), jetStream.whenConnected().then(() => false)]);
  assert.equal(await ended, false);
  // It asks for more of its consumer, removes it, and asks for a new one: nobody is there who knows of streams.
  await until(async () => (await sentBy(nats.monitorUrl)) >= 3, { what: "it asks for a new consumer" });

  writeFileSync(nats.configPath, withJetStream);
  await nats.restart();
  await jetStream.whenConnected();
  await until(() =>
    publish("b").then(
      () => true,
      () => false,
    ),
  );
  await Promise.race([following, until(() => seen.includes("b"), { what: "the event behind the restart" })]);
  assert.deepEqual(seen, ["a", "b"]);
});

/** Messages that this client has sent to the server as it is now. */
async function sentBy(monitorUrl: string): Promise<number> {
  const { connections } = (await (await fetch(`${monitorUrl}/connz`)).json()) as { connections: { in_msgs: number }[] };
  return Math.max(0, ...connections.map(({ in_msgs }) => in_msgs));
}
