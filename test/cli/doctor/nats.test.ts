import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connectJetStream, type JetStream } from "../../../bridge/nats/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings, schemasStream } from "../../../bridge/nats/stream.ts";
import { reduceSchema } from "../../../bridge/schema/kind-schema-reduction.ts";
import { databaseCrd } from "../../kit/database-crd.ts";
import type { NatsOptions } from "../../kit/nats-server.ts";
import { needNats } from "../../kit/shared-kube.ts";
import { AS_BRIDGE, bridgeText, doctor, file, NOWHERE, restricted, SECRET, subscriptionText } from "./doctor-run.ts";

interface NatsCase {
  readonly name: string;
  readonly server?: NatsOptions;
  /** Further lines of bridge.yaml. */
  readonly settings?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly given?: (jetStream: JetStream) => Promise<unknown>;
  readonly expected: readonly RegExp[];
  readonly ok?: true;
}

const natsCases: readonly NatsCase[] = [
  {
    name: "an old server is told with the version that is needed",
    server: { binary: "nats-server-2.11" },
    expected: [/failed: nats-server 2\.11\.11 at \S+ is too old \(needs 2\.12\.0\) → upgrade nats-server/],
  },
  {
    name: "wrong credentials are told, with the settings to look at",
    server: { auth: { user: "bridge", password: "right" } },
    settings: AS_BRIDGE,
    expected: [
      /ok: nats-server/,
      /failed: NATS at \S+ refused the credentials → check user and password/,
      /skipped: streams/,
    ],
  },
  {
    name: "a credentials file that is not there is told with its path",
    settings: "nats: { credsFile: /none/user.creds }",
    expected: [
      /failed: nats\.credsFile: \/none\/user\.creds cannot be read/,
      /failed: no sign-in: ENOENT: .*\/none\/user\.creds/,
    ],
  },
  {
    name: "an account without JetStream is told from a server without it",
    server: restricted("{}", ""),
    settings: AS_BRIDGE,
    expected: [/failed: JetStream is off for the account of this user → jetstream: enabled/],
  },
  {
    name: "a server without JetStream",
    server: { config: "jetstream: disabled" },
    expected: [/failed: JetStream is off on this server → nats-server -js/],
  },
  {
    name: "a password in a URL is not shown, and that it is not used is",
    env: { NATS_URL: `nats://user:${SECRET}@127.0.0.1:PORT` },
    expected: [/warning: user and password in the URL of nats:\/\/127\.0\.0\.1:\d+ are not used → set NATS_USER/],
    ok: true,
  },
  {
    name: "of several servers one that is away is told, and the others are used",
    env: { NATS_URL: `${NOWHERE}, nats://127.0.0.1:PORT` },
    expected: [/warning: no NATS at nats:\/\/127\.0\.0\.1:1:/, /ok: nats-server/, /ok: permissions/],
    ok: true,
  },
  {
    name: "the default max_payload is enough: what is larger goes another way",
    expected: [/ok: max_payload is 1 MiB: larger events go through the object store/],
    ok: true,
  },
  {
    name: "a max_payload that is too small even for an event's attributes is told with the setting",
    server: { config: "max_payload: 16KB" },
    expected: [/warning: max_payload is 16 KiB: the attributes .* may not fit → max_payload: 1MB in nats-server\.conf/],
    ok: true,
  },
  {
    name: "streams that are there are told with how full they are",
    given: (jetStream) => ensureStream(jetStream, eventsStream(StreamSettings.parse({}))),
    expected: [/ok: CR_EVENTS: 0 messages, 0 % of 4 GiB, 1 replica/, /ok: KV_CR_CHECKPOINTS: not there yet/],
    ok: true,
  },
  {
    name: "a stream with unsafe settings is refused as the bridge would refuse it",
    given: (jetStream) =>
      jetStream.api("STREAM.CREATE.CR_EVENTS", { name: "CR_EVENTS", subjects: ["cr.>"], max_age: 1e12 }),
    expected: [/failed: stream CR_EVENTS has (max_age|discard) .* → .*nats stream edit CR_EVENTS/],
  },
  {
    name: "a stream with other harmless settings is a warning",
    given: (jetStream) => ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsPerSubjectMax: 8 }))),
    expected: [
      /warning: stream CR_EVENTS has max_msgs_per_subject 8, the configuration says 32 → nats stream edit CR_EVENTS/,
    ],
    ok: true,
  },
  {
    name: "a log that is nearly full fails before the bridge stops",
    settings: "streams: { eventsBytesMax: 100000 }",
    given: async (jetStream) => {
      await ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsBytesMax: 100_000 })));
      await jetStream.publish("cr.dev.a", "x".repeat(99_300), {});
    },
    expected: [
      /failed: CR_EVENTS: 1 message, (99|100) % of 97\.7 KiB, 1 replica: the bridge stops → nats stream edit CR_EVENTS --max-bytes/,
    ],
  },
  {
    name: "three replicas on a server that stands alone",
    settings: "streams: { replicas: 3 }",
    expected: [
      /failed: CR_EVENTS is to have 3 replicas, and this nats-server stands alone → streams: \{ replicas: 1 \}/,
    ],
  },
  {
    name: "an account with too little room for the log",
    server: restricted("{}", "jetstream: { max_file: 1GB }"),
    settings: AS_BRIDGE,
    expected: [
      /failed: JetStream: CR_EVENTS and OBJ_CR_BLOBS and KV_CR_CHECKPOINTS need 5 GiB, and this account has 1 GiB left → streams:/,
    ],
  },
  {
    name: "an account that wants a limit on every stream",
    server: restricted("{}", "jetstream: { max_bytes_required: true }"),
    settings: AS_BRIDGE,
    expected: [/failed: JetStream: this account must limit each stream/],
  },
  {
    name: "missing permissions are named, with all that belong into nats-server.conf",
    server: restricted(`{ publish: ["$JS.API.>", "$SYS.REQ.USER.INFO"], subscribe: "_INBOX.>" }`),
    settings: AS_BRIDGE,
    expected: [
      /ok: signed in as bridge \(account A\)/,
      /failed: this user lacks what the bridge needs: publish cr\.dev\.>, publish \$KV\.CR_CHECKPOINTS\.>, publish \$O\.CR_BLOBS\.>, publish \$KV\.CR_SCHEMAS\.dev\.> → for this user in nats-server\.conf: permissions: \{ publish: \["cr\.dev\.>", /,
    ],
  },
  {
    name: "a denied subject counts as missing",
    server: restricted(`{ publish: { deny: "cr.dev.secret.>" } }`),
    settings: AS_BRIDGE,
    expected: [/failed: this user lacks what the bridge needs: publish cr\.dev\.> →/],
  },
  {
    name: "a user that may not ask what it may is tried with what changes nothing",
    server: restricted(`{ publish: ["$JS.API.INFO", "$JS.API.STREAM.INFO.CR_EVENTS"], subscribe: "_INBOX.>" }`),
    settings: AS_BRIDGE,
    expected: [
      /failed: this user lacks what the bridge needs: publish \$JS\.API\.STREAM\.INFO\.KV_CR_CHECKPOINTS, .*STREAM\.INFO\.OBJ_CR_BLOBS, .*STREAM\.INFO\.CR_DEAD_LETTERS, and 1 more →/,
    ],
  },
  {
    name: "what cannot be tried is told as not known",
    server: restricted(`{ publish: { deny: "$SYS.>" } }`),
    settings: AS_BRIDGE,
    expected: [/warning: permissions of the bridge: only reading could be tried, and is allowed → publish: allow/],
    ok: true,
  },
  {
    name: "a user that gets no answer at all is told which two permissions that takes",
    server: restricted(`{ publish: "cr.>" }`),
    settings: AS_BRIDGE,
    expected: [
      /failed: JetStream gives this user no answer: publish \$JS\.API\.INFO or subscribe _INBOX\.> is not allowed → .*"\$JS\.API\.INFO"/,
    ],
  },
];

describe("doctor about NATS", () => {
  for (const { name, server, settings, env = {}, given, expected, ok } of natsCases) {
    test(name, async (t) => {
      const nats = await needNats(t, server);
      if (nats === undefined) return;
      const jetStream = given && (await connectJetStream({ servers: [nats.url] }, "t"));
      t.after(() => jetStream?.close());
      await given?.(jetStream as JetStream);
      const before = await jetStream?.api("STREAM.LIST").then(streamsIn);
      const values = Object.entries(env).map(([key, value]) => [key, value.replace("PORT", `${nats.port}`)]);
      const { text } = await doctor(["--config", file(t, "bridge.yaml", bridgeText(settings))], {
        NATS_URL: nats.url,
        ...Object.fromEntries(values),
      });
      for (const line of expected) assert.match(text, line);
      assert.equal(/nats failed/.test(text), ok !== true, text);
      assert.deepEqual(await jetStream?.api("STREAM.LIST").then(streamsIn), before);
    });
  }
});

function streamsIn(answer: unknown): unknown {
  const { streams } = answer as { streams: { config: unknown; state: unknown }[] | null };
  return streams?.map(({ config, state }) => ({ config, state }));
}

describe("doctor about filters", () => {
  const subscriptions = `subscriptions:
  - { name: mistaken, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { field: { path: spec.replcas } }, config: { webhookUrl: { env: SECRET } } }
  - { name: right, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, when: { field: { path: spec.replicas } }, config: { webhookUrl: { env: SECRET } } }
`;

  test("tells what the kind does not have, as soon as a bridge has published its schema", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const subs = file(t, "subs.yaml", subscriptions);
    const look = () => doctor(["--subscriptions", subs], { NATS_URL: nats.url });
    assert.match((await look()).text, /nats skipped: filters: no bridge has published a schema of their kinds/);
    const jetStream = await connectJetStream({ servers: [nats.url] }, "t");
    t.after(() => jetStream.close());
    await ensureStream(jetStream, schemasStream({ replicas: 1 }));
    const schema = reduceSchema(databaseCrd.spec.versions[0]?.schema.openAPIV3Schema);
    const kind = {
      version: 1,
      cluster: "dev",
      apiVersion: "demo.example.com/v1",
      kind: "Database",
      plural: "databases",
    };
    const value = { ...kind, namespaced: true, phases: ["status.phase"], schema };
    await jetStream.publish("$KV.CR_SCHEMAS.dev.demo_example_com.v1.Database", JSON.stringify(value), {});
    const { text } = await look();
    assert.match(
      text,
      /nats warning: subscription mistaken: when\.field: spec\.replcas is not in .*\(did you mean "spec\.replicas"\?\).* → cr-reactor explain mistaken --subscriptions /,
    );
    assert.doesNotMatch(text, /subscription right/);
  });
});

describe("doctor about the bridge's and the functions' own users", () => {
  test("looks at NATS as each of them", async (t) => {
    const nats = await needNats(t, restricted(`{ publish: { deny: "crdead.>" } }`));
    if (nats === undefined) return;
    const bridge = file(t, "bridge.yaml", bridgeText("nats: { user: admin, password: { env: SECRET } }"));
    const subscriptions = file(t, "subs.yaml", subscriptionText(AS_BRIDGE));
    const { text } = await doctor(["--config", bridge, "--subscriptions", subscriptions], { NATS_URL: nats.url });
    assert.match(text, /nats-bridge ok: signed in as admin/);
    assert.match(text, /nats-bridge ok: permissions: all that the bridge needs/);
    assert.match(text, /nats-functions ok: signed in as bridge/);
    assert.match(text, /nats-functions failed: this user lacks what the functions need: publish crdead\.> →/);
  });
});
