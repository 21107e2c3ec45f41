/** Faults on demand: each does to the requests that it meets what it says, as often as it says, and to no others anything. */
import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Agent, request } from "undici";
import type { Fault, FaultEffect, FaultedRequest } from "../../../cli/embedded/embedded.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { until } from "../../kit/until.ts";

const LIST = databasePath("default");
const WATCH = `${LIST}?watch=true&resourceVersion=`;
const any = () => true;
const ofWatch = ({ isWatch }: FaultedRequest) => isWatch;
const refused = (status: number, times = 1): Fault => ({
  meets: any,
  times,
  effect: { type: "refuse", status, reason: "OnDemand" },
});

/** The server with one Database `a`, and a client that sees every byte. */
async function openScene(t: TestContext) {
  const stage = await openEmbedded(t);
  const agent = new Agent();
  t.after(() => agent.destroy());
  const create = (name: string) => stage.client.create(LIST, database(name, "default"));
  await create("a");
  return {
    server: stage.server,
    create,
    /** Where a watch starts that tells of `a` first. */
    watchPath: `${WATCH}${stage.absolute(0)}`,
    get: (path: string) => receive(agent, stage.server.url + path),
    status: async (path: string) => (await receive(agent, stage.server.url + path)).status,
  };
}

/** An answer, as it comes. Rejects when there is none. */
async function receive(agent: Agent, url: string) {
  const { statusCode, headers, body } = await request(url, { dispatcher: agent });
  const answer = { text: "", ending: "none yet" };
  body.on("data", (chunk: Buffer) => (answer.text += chunk.toString("latin1")));
  body.once("end", () => (answer.ending = "whole"));
  body.once("error", () => (answer.ending = "cut"));
  return {
    status: statusCode,
    headers,
    text: () => answer.text,
    ending: () => answer.ending,
    /** Resolves with how it ended. */
    ended: async () => {
      await until(() => answer.ending !== "none yet", { what: `an end of ${url}` });
      return answer.ending;
    },
  };
}

describe("a refusal", () => {
  const rows: readonly { readonly name: string; readonly effect: FaultEffect; readonly expected: object }[] = [
    {
      name: "is a Status with code and reason",
      effect: { type: "refuse", status: 503, reason: "ServiceUnavailable" },
      expected: {
        code: 503,
        reason: "ServiceUnavailable",
        message: "refused on demand (ServiceUnavailable)",
        details: {},
      },
    },
    {
      name: "says what it is told to say",
      effect: { type: "refuse", status: 403, reason: "Forbidden", message: "not you" },
      expected: { code: 403, reason: "Forbidden", message: "not you", details: {} },
    },
    {
      name: "says when to come again, in its header and its details",
      effect: { type: "refuse", status: 429, reason: "TooManyRequests", message: "later", retryAfterSeconds: 7 },
      expected: {
        code: 429,
        reason: "TooManyRequests",
        message: "later",
        details: { retryAfterSeconds: 7 },
        after: "7",
      },
    },
  ];
  for (const { name, effect, expected } of rows) {
    test(name, async (t) => {
      const { server, get, watchPath } = await openScene(t);
      for (const path of [LIST, watchPath, "/apis", "/healthz"]) {
        server.faults.add({ meets: any, effect });
        const { status, headers, text, ended } = await get(path);
        await ended();
        const { code, reason, message, details } = JSON.parse(text());
        const after = headers["retry-after"];
        assert.deepEqual({ code, reason, message, details, ...(after && { after }) }, expected);
        assert.equal(status, code);
      }
    });
  }

  test("leaves everything as it was", async (t) => {
    const { server, create, status } = await openScene(t);
    const { resourceVersion } = server;
    server.faults.add({ ...refused(500), meets: ({ method }) => method === "POST" });
    await assert.rejects(create("b"), { status: 500 });
    assert.equal(server.resourceVersion, resourceVersion);
    assert.equal(await status(databasePath("default", "b")), 404);
  });
});

test("a request that hangs gets no answer, and keeps nobody else from theirs", async (t) => {
  const { server, get, status } = await openScene(t);
  server.faults.add({ meets: any, effect: { type: "hang" } });
  let isAnswered = false;
  const hanging = get(LIST).finally(() => (isAnswered = true));
  hanging.catch(() => undefined);
  await until(async () => (await status(LIST)) === 200);
  assert.equal(isAnswered, false);
  server.restart();
  await assert.rejects(hanging);
});

test("a connection that is cut before the answer has no answer", async (t) => {
  const { server, get, watchPath } = await openScene(t);
  for (const path of [LIST, watchPath]) {
    server.faults.add({ meets: any, effect: { type: "cut", afterBytes: 0 } });
    await assert.rejects(get(path), { code: "UND_ERR_SOCKET" });
  }
});

describe("an answer that goes wrong behind so many bytes", () => {
  const lists: readonly { readonly name: string; readonly type: "cut" | "end"; readonly expected: string }[] = [
    { name: "is cut there", type: "cut", expected: "cut" },
    { name: "ends there as if it were whole", type: "end", expected: "whole" },
  ];
  for (const { name, type, expected } of lists) {
    for (const kind of ["list", "watch"]) {
      test(`${name}: a ${kind}`, async (t) => {
        const { server, get, watchPath } = await openScene(t);
        const path = kind === "list" ? LIST : watchPath;
        server.faults.add({ meets: any, effect: { type, afterBytes: 100 } });
        const { status, text, ended } = await get(path);
        assert.deepEqual([status, await ended(), text().length], [200, expected, 100]);
        assert.throws(() => JSON.parse(text()), SyntaxError);
      });
    }
  }

  for (const afterBytes of [0, 100]) {
    test(`says nothing more and stays open behind ${afterBytes} bytes: a list, and a watch whatever happens`, async (t) => {
      const { server, get, create, watchPath } = await openScene(t);
      for (const path of [LIST, watchPath]) {
        server.faults.add({ meets: any, effect: { type: "stall", afterBytes } });
        const { status, text, ending, ended } = await get(path);
        await until(() => text().length >= afterBytes);
        // Whoever is not stalled hears of it.
        const other = await get(`${WATCH}${server.resourceVersion}`);
        await create(`while-${path.length}-stalls`);
        await until(() => other.text().includes("-stalls"));
        assert.deepEqual([status, text().length, ending()], [200, afterBytes, "none yet"]);
        server.restart();
        assert.equal(await ended(), "cut");
      }
    });
  }

  test("comes as far as it goes: a watch goes on to the byte, whatever its lines are", async (t) => {
    const { server, get, create, watchPath } = await openScene(t);
    const whole = await get(watchPath);
    await until(() => whole.text().endsWith("\n"));
    const line = whole.text().length;
    server.faults.add({ meets: any, effect: { type: "cut", afterBytes: line + 10 } });
    const { text, ending, ended } = await get(watchPath);
    await until(() => text().length === line);
    assert.equal(ending(), "none yet");
    await create("b");
    assert.equal(await ended(), "cut");
    assert.equal(text(), whole.text().slice(0, line + 10));
  });

  test("is whole when it is shorter", async (t) => {
    const { server, get } = await openScene(t);
    server.faults.add({ meets: any, effect: { type: "cut", afterBytes: 1_000_000 } });
    const { text, ended } = await get(LIST);
    assert.equal(await ended(), "whole");
    assert.equal(JSON.parse(text()).items.length, 1);
  });
});

describe("a rewritten answer", () => {
  test("of a watch is rewritten line by line", async (t) => {
    const { server, get, create, watchPath } = await openScene(t);
    const rewrite = (line: string) => (line.includes('"name":"b"') ? "" : `${JSON.parse(line).object.metadata.name}\n`);
    server.faults.add({ meets: ofWatch, effect: { type: "rewrite", text: rewrite } });
    const { text } = await get(watchPath);
    await create("b");
    await create("c");
    await until(() => text().includes("c"));
    assert.equal(text(), "a\nc\n");
  });

  test("of a list is rewritten as a whole", async (t) => {
    const { server, get } = await openScene(t);
    server.faults.add({
      meets: any,
      effect: { type: "rewrite", text: (text) => `${JSON.parse(text).items.length} ä` },
    });
    const { text, ended } = await get(LIST);
    assert.equal(await ended(), "whole");
    assert.equal(Buffer.from(text(), "latin1").toString(), "1 ä");
  });
});

describe("a fault", () => {
  const rows: readonly {
    readonly name: string;
    readonly faults: readonly Fault[];
    readonly expected: readonly number[];
  }[] = [
    { name: "meets one request when nothing else is said", faults: [refused(500)], expected: [500, 200, 200] },
    { name: "meets as many as it says", faults: [refused(500, 2)], expected: [500, 500, 200] },
    { name: "may meet all of them", faults: [refused(500, Infinity)], expected: [500, 500, 500] },
    {
      name: "that was there first meets first, and a request is met by one",
      faults: [refused(500), refused(501), refused(502)],
      expected: [500, 501, 502],
    },
    {
      name: "passes over what it is not about",
      faults: [
        { ...refused(500), meets: ofWatch },
        { ...refused(501), meets: ({ query }) => query.has("limit") },
        refused(502),
      ],
      expected: [502, 200, 200],
    },
  ];
  for (const { name, faults, expected } of rows) {
    test(name, async (t) => {
      const { server, status } = await openScene(t);
      for (const fault of faults) server.faults.add(fault);
      assert.deepEqual([await status(LIST), await status(LIST), await status(LIST)], expected);
    });
  }

  test("sees method, path and query of the request, and whether it is a watch", async (t) => {
    const { server, status, create } = await openScene(t);
    const seen: string[] = [];
    const meets = ({ method, path, query, isWatch }: FaultedRequest) => {
      seen.push([method, path, query.get("limit"), isWatch].join(" "));
      return false;
    };
    server.faults.add({ ...refused(500), meets });
    await create("b");
    await status(`${LIST}?limit=3`);
    await status(`${WATCH}0`);
    assert.deepEqual(seen, [`POST ${LIST}  false`, `GET ${LIST} 3 false`, `GET ${LIST}  true`]);
  });

  test("can be taken away again, alone or with all others", async (t) => {
    const { server, status } = await openScene(t);
    const forget = server.faults.add(refused(500, Infinity));
    server.faults.add(refused(501, Infinity));
    server.faults.add(refused(502, Infinity));
    assert.equal(await status(LIST), 500);
    forget();
    assert.equal(await status(LIST), 501);
    server.faults.clear();
    assert.equal(await status(LIST), 200);
  });
});
