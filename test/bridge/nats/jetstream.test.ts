import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { awaitJetStream, connectJetStream } from "../../../bridge/nats/jetstream.ts";
import {
  JetStreamApiError,
  NatsUnreachableError,
  NatsUnusableError,
  RequestLostError,
} from "../../../bridge/nats/jetstream-error.ts";
import { needNats } from "../../kit/shared-kube.ts";

const stream = { name: "S", subjects: ["s.>"], storage: "memory" };

describe("connecting to NATS", () => {
  test("says where it looked when nobody is there", async () => {
    await assert.rejects(connectJetStream({ servers: ["nats://user:hunter2@127.0.0.1:1"] }, "t"), (error) => {
      assert.ok(error instanceof NatsUnreachableError);
      assert.match(error.message, /nats:\/\/127\.0\.0\.1:1 .*start it, or set nats\.servers or NATS_URL/);
      assert.doesNotMatch(error.message, /hunter2/);
      return true;
    });
  });

  const wrong = [
    {
      name: "a wrong password",
      auth: { user: "bridge", password: "right" },
      settings: { user: "bridge", password: { env: "WRONG_SECRET" } },
    },
    { name: "a wrong token", auth: { token: "right" }, settings: { token: { env: "WRONG_SECRET" } } },
    { name: "no credentials at all", auth: { token: "right" }, settings: {} },
  ];
  for (const { name, auth, settings } of wrong) {
    test(`with ${name} names the settings to check, not the secret`, async (t) => {
      const nats = await needNats(t, { auth });
      if (nats === undefined) return;
      process.env["WRONG_SECRET"] = "hunter2";
      await assert.rejects(connectJetStream({ servers: [nats.url], ...settings }, "t"), (error) => {
        assert.ok(error instanceof NatsUnusableError);
        assert.match(error.message, /refused the credentials: check user and password, token or credsFile/);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      });
    });
  }

  test("with the right credentials from a secret works", async (t) => {
    const nats = await needNats(t, { auth: { user: "bridge", password: "right" } });
    if (nats === undefined) return;
    process.env["RIGHT_SECRET"] = "right";
    const jetStream = await connectJetStream(
      { servers: [nats.url], user: "bridge", password: { env: "RIGHT_SECRET" } },
      "t",
    );
    assert.equal(jetStream.connected, true);
    await jetStream.close();
  });

  test("as a user without JetStream says how to turn it on", async (t) => {
    const nats = await needNats(t, {
      config: "accounts { PLAIN { users: [{ user: u, password: p }] } }\nno_auth_user: u",
    });
    if (nats === undefined) return;
    await assert.rejects(connectJetStream({ servers: [nats.url] }, "t"), /JetStream cannot be used.*-js/);
  });

  test("to a server that is too old names both versions", async (t) => {
    const nats = await needNats(t, { binary: "nats-server-2.11" });
    if (nats === undefined) return;
    await assert.rejects(
      connectJetStream({ servers: [nats.url] }, "t"),
      /nats-server 2\.11\.11 is too old: cr-reactor needs 2\.12\.0/,
    );
  });

  test("can wait for a server that comes later, and says so meanwhile", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    await nats.kill();
    const waits: string[] = [];
    const connecting = awaitJetStream({ servers: [nats.url] }, "t", {
      signal: AbortSignal.timeout(60_000),
      onWait: (error) => {
        waits.push(error.message);
        if (waits.length === 1) void nats.restart();
      },
    });
    await (await connecting).close();
    assert.match(waits[0] ?? "", /no connection to NATS/);
  });
});

describe("the seam to JetStream", () => {
  test("stores messages with many in flight, each acknowledged by itself", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    await jetStream.api("STREAM.CREATE.S", stream);
    const acks = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => jetStream.publish(`s.${i}`, `${i}`, { "Nats-Msg-Id": `${i}` })),
    );
    assert.deepEqual(
      acks.map((ack) => ack.seq),
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    );
    assert.equal((await jetStream.publish("s.0", "0", { "Nats-Msg-Id": "0" })).duplicate, true);
  });

  test("tells a refusal by JetStream's own number", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    await assert.rejects(
      jetStream.api("STREAM.INFO.NONE"),
      (error) => error instanceof JetStreamApiError && error.errCode === 10059,
    );
    await assert.rejects(
      jetStream.publish("nobody.listens", "", {}),
      (error) => error instanceof JetStreamApiError && error.status === 503,
    );
  });

  test("loses no question silently: when the connection breaks, each ends with an error, and later ones work again", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    await jetStream.api("STREAM.CREATE.S", { ...stream, storage: "file" });
    await nats.kill("SIGSTOP");
    const asked = Promise.allSettled(Array.from({ length: 20 }, (_, i) => jetStream.publish(`s.${i}`, "x", {})));
    await nats.kill();
    for (const result of await asked)
      assert.ok(result.status === "rejected" && result.reason instanceof RequestLostError);
    await assert.rejects(jetStream.publish("s.1", "x", {}), RequestLostError);
    await nats.restart();
    await jetStream.whenConnected(AbortSignal.timeout(60_000));
    assert.equal((await jetStream.publish("s.1", "x", {})).stream, "S");
  });

  test("waiting for a connection ends when it is told to stop, or when it is closed", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    const gone = Promise.withResolvers<void>();
    jetStream.onConnection(({ type }) => type === "disconnected" && gone.resolve());
    await nats.kill();
    await gone.promise;
    await assert.rejects(jetStream.whenConnected(AbortSignal.abort(new Error("stopped"))), /stopped/);
    const waiting = assert.rejects(jetStream.whenConnected(), RequestLostError);
    await jetStream.close();
    await waiting;
  });
});
