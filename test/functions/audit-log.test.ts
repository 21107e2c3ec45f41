import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { createChainCheck } from "../../functions/actions/audit/audit-chain.ts";
import { createAuditFile } from "../../functions/actions/audit/audit-file.ts";
import auditLog from "../../functions/audit-log.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { startReceiver } from "../kit/webhook-server.ts";
import { sampleContext, sampleEvent } from "./actions/sample-event.ts";
import { failureOf } from "./actions/thrown.ts";

const CLI = join(import.meta.dirname, "../../cli/main.ts");
const scaled = sampleEvent({
  before: { spec: { replicas: 3, size: "1Gi" }, status: { phase: "Running" } },
  after: { spec: { replicas: 5, size: "1Gi" }, status: { phase: "Failed" } },
});

function folderOf(t: TestContext) {
  const folder = createDataFolder("audit");
  t.after(() => folder.remove());
  return join(folder.path, "audit.ndjson");
}

const linesOf = (path: string) => readFileSync(path, "utf8").trimEnd().split("\n");

function breaches(path: string): string[] {
  const check = createChainCheck();
  return linesOf(path).flatMap((line) => {
    const problem = check.next(line);
    return problem?.type === "breach" ? [problem.message] : [];
  });
}

const idsIn = (path: string) =>
  linesOf(path).flatMap((line) => {
    try {
      return [String(JSON.parse(line)["event.id"])];
    } catch {
      return [];
    }
  });

const write = (file: ReturnType<typeof createAuditFile>, ...ids: string[]) =>
  Promise.all(ids.map((id) => file.write(id, { "event.id": id })));

test("a line tells who changed what of which object, in the Elastic Common Schema", async (t) => {
  const path = folderOf(t);
  const config = auditLog.config.parse({ target: { type: "file", path } });
  assert.equal(await auditLog.run(sampleContext(scaled, config)), "line 1");
  const { "event.hash": hash, "cr_reactor.audit.chain": chain, ...record } = JSON.parse(linesOf(path)[0] ?? "");
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.match(chain, /^[0-9a-f-]{36}$/);
  assert.deepEqual(record, {
    "@timestamp": scaled.time,
    "ecs.version": "8.17.0",
    "event.kind": "event",
    "event.category": ["configuration"],
    "event.type": ["change"],
    "event.action": "updated",
    "event.dataset": "cr-reactor.audit",
    "event.id": scaled.id,
    "event.created": scaled.recordedtime,
    "orchestrator.type": "kubernetes",
    "orchestrator.cluster.name": "eu-1",
    "orchestrator.namespace": "prod",
    "orchestrator.resource.type": "Database",
    "orchestrator.resource.name": "orders",
    "orchestrator.resource.id": scaled.data.object.metadata.uid,
    "orchestrator.api_version": "demo.example.com/v1",
    "user_agent.name": "kubectl-edit",
    ...(scaled.traceparent && { "trace.id": scaled.traceparent.split("-")[1] }),
    "cr_reactor.resource_version": "101",
    "cr_reactor.changed": ["spec", "status"],
    "cr_reactor.phase": "Failed",
    "cr_reactor.phase_before": "Running",
    "cr_reactor.fields": [
      { path: "spec.replicas", from: "3", to: "5" },
      { path: "status.phase", from: "Running", to: "Failed" },
    ],
    "event.sequence": 1,
    "cr_reactor.audit.previous": null,
  });
});

describe("a file", () => {
  test("goes on with its chain after a restart, and has no event twice", async (t) => {
    const path = folderOf(t);
    await write(createAuditFile(path), "1", "2");
    const results = await write(createAuditFile(path), "2", "3");
    assert.deepEqual(
      results.map((end) => end?.sequence),
      [undefined, 3],
    );
    assert.deepEqual([idsIn(path), breaches(path)], [["1", "2", "3"], []]);
  });

  test("takes many lines at once, in one chain", async (t) => {
    const path = folderOf(t);
    const ids = Array.from({ length: 500 }, (_, number) => String(number));
    await write(createAuditFile(path), ...ids, "7");
    assert.deepEqual([idsIn(path), breaches(path)], [ids, []]);
  });

  for (const bytes of [1, 30, 200]) {
    test(`whose writer was killed ${bytes} bytes before a line's end goes on behind the last whole line`, async (t) => {
      const path = folderOf(t);
      await write(createAuditFile(path), "1", "2");
      truncateSync(path, readFileSync(path).length - bytes);
      await write(createAuditFile(path), "2", "3");
      // Only the line break was missing: the line is whole.
      assert.deepEqual([idsIn(path), breaches(path)], [["1", "2", "3"], []]);
    });
  }

  test("that is moved away goes on in a new one, behind the last line of the old one", async (t) => {
    const path = folderOf(t);
    const file = createAuditFile(path);
    await write(file, "1", "2");
    renameSync(path, `${path}.1`);
    await write(file, "3");
    const check = createChainCheck();
    for (const line of [...linesOf(`${path}.1`), ...linesOf(path)]) assert.equal(check.next(line), undefined);
    assert.deepEqual(
      check.ends.map(({ sequence }) => sequence),
      [3],
    );
  });

  test("that is copied and emptied goes on as well", async (t) => {
    const path = folderOf(t);
    const file = createAuditFile(path);
    await write(file, "1", "2");
    writeFileSync(path, "");
    await write(file, "3");
    assert.equal(JSON.parse(linesOf(path)[0] ?? "")["event.sequence"], 3);
  });

  test("to which somebody else writes is not written to any more", async (t) => {
    const path = folderOf(t);
    const file = createAuditFile(path);
    await write(file, "1");
    appendFileSync(path, "other\n");
    await assert.rejects(write(file, "2"), /somebody else writes to the audit log/);
    await assert.rejects(write(file, "2"), /Give each writer a file of its own/);
  });

  test("that cannot be opened is tried again", async () => {
    const path = join(import.meta.dirname, "no", "such", "folder");
    const config = auditLog.config.parse({ target: { type: "file", path } });
    assert.equal((await failureOf(async () => auditLog.run(sampleContext(scaled, config)))).treated, "retry");
  });
});

describe("a collector", () => {
  test("gets one line a request, in one chain, though events come at once", async (t) => {
    const receiver = await startReceiver(() => ({ status: 204 }));
    t.after(() => receiver.stop());
    const config = auditLog.config.parse({ target: { type: "http", url: receiver.origin } });
    await Promise.all([1, 2, 3].map(() => auditLog.run(sampleContext(scaled, config))));
    const check = createChainCheck();
    for (const { body, headers } of receiver.requests) {
      assert.equal(headers["content-type"], "application/x-ndjson");
      assert.equal(check.next(body.trimEnd()), undefined);
    }
    assert.deepEqual(
      check.ends.map(({ sequence }) => sequence),
      [3],
    );
  });

  test("whose answer was lost gets the event again, in a new chain", async (t) => {
    const receiver = await startReceiver(() => ({ status: 204 }));
    t.after(() => receiver.stop());
    const config = auditLog.config.parse({ target: { type: "http", url: receiver.origin } });
    receiver.next("lose-answer");
    assert.equal((await failureOf(async () => auditLog.run(sampleContext(scaled, config)))).treated, "retry");
    await auditLog.run(sampleContext(scaled, config));
    const check = createChainCheck();
    for (const { body } of receiver.requests) assert.equal(check.next(body.trimEnd()), undefined);
    assert.deepEqual(
      check.ends.map(({ sequence }) => sequence),
      [1, 1],
    );
  });
});

describe("cr-reactor audit verify", () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [CLI, "audit", "verify", ...args]).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      ({ code, stdout, stderr }) => ({ code, stdout, stderr }) as { code: number; stdout: string; stderr: string },
    );

  test("says that nothing was changed, how far it goes, and what was changed in which file", async (t) => {
    const path = folderOf(t);
    const file = createAuditFile(path);
    await write(file, "1", "2");
    renameSync(path, `${path}.1`);
    await write(file, "3");
    const good = await run(`${path}.1`, path);
    assert.match(
      good.stdout,
      /^chain \S+ goes to number 3, hash [0-9a-f]{64}\n3 lines, 1 chain: nothing was changed\n$/,
    );
    assert.equal(good.code, 0);
    writeFileSync(path, readFileSync(path, "utf8").replace('"event.id":"3"', '"event.id":"4"'));
    const bad = await run(`${path}.1`, path);
    assert.match(bad.stdout, /^breach \S+audit\.ndjson:1: its hash is not that of its content: it was changed\n/);
    assert.match(bad.stdout, /3 lines, 1 chain: 1 breach\n$/);
    assert.equal(bad.code, 1);
    const json = JSON.parse((await run("--json", `${path}.1`, path)).stdout);
    assert.deepEqual([json.ok, json.lines, json.breaches, json.problems[0].line], [false, 3, 1, 1]);
  });

  test("says which file cannot be read", async () => {
    const { code, stderr } = await run("no-such-file");
    assert.match(stderr, /error: the audit log cannot be read: .*no-such-file/);
    assert.equal(code, 2);
  });
});
