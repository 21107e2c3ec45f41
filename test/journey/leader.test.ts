/**
 * Two bridges as processes of their own on the real API server, with one Lease: who captures, how the other one takes over, and that
 * the log has every acknowledged write once, whatever happened to the leader.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { parseAllDocuments } from "yaml";
import { connectApiServer } from "../../bridge/kube/api-server.ts";
import { becomeLeader, type LeaderState } from "../../bridge/leader/leader.ts";
import { LeaderElectionSettings, openLease } from "../../bridge/leader/lease.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { mintUser, sharedKube, uniqueNamespace } from "../kit/shared-kube.ts";
import { until } from "../kit/until.ts";
import { type Journey, startJourney } from "./rig.ts";
import { assertComplete, keepWriting } from "./writing.ts";

/** Fast enough for a test, and long enough for a loaded machine to renew in time. */
const FAST = { leaseSeconds: 4, renewDeadlineSeconds: 3, retrySeconds: 0.5 };
/** A standby that waits for this Lease to expire misses the deadline of `until`. */
const SLOW = { leaseSeconds: 120, renewDeadlineSeconds: 60, retrySeconds: 0.5 };
const LEADS = /compared with the log|resuming behind the checkpoint/;
const READY = new RegExp(`${LEADS.source}|standby of`);

/** Starts two; the first one leads. */
async function startTwo(journey: Journey, times: object) {
  const leaderElection = { enabled: true, namespace: journey.namespace, name: "bridge", ...times };
  // The log must keep every event to be compared.
  const start = () => journey.startBridge({ leaderElection, streams: { eventsPerSubjectMax: 100_000 } }, READY);
  return { first: await start(), second: await start() };
}

const leaseOf = async ({ kube, namespace }: Journey) =>
  (await kube.client.get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/bridge`))["spec"];
const seen = (bridge: ServerProcess, line: RegExp) => until(() => line.test(bridge.logTail()), { what: String(line) });

describe("two bridges with one Lease", { concurrency: false }, () => {
  test("one captures; the other one is ready, watches nothing, and says whom it stands by for", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { first, second } = await startTwo(journey, FAST);
    const writer = keepWriting(journey);
    await until(() => writer.acknowledged.size >= 20);
    await writer.stop();
    await assertComplete(journey, writer.acknowledged);
    const { holderIdentity, leaseTransitions, renewTime } = await leaseOf(journey);
    assert.equal(leaseTransitions, 0);
    assert.match(renewTime, /\.\d{6}Z$/);
    const ask = async (bridge: ServerProcess, path: string) => {
      const [, port] = /"port":(\d+)/.exec(bridge.logTail()) ?? [];
      const answer = await fetch(`http://127.0.0.1:${port}${path}`);
      return { status: answer.status, text: await answer.text() };
    };
    const [leading, standing] = await Promise.all([ask(first, "/readyz"), ask(second, "/readyz")]);
    assert.deepEqual([leading.status, standing.status], [200, 200]);
    assert.deepEqual(JSON.parse(standing.text), {
      ready: true,
      nats: "connected",
      leaderElection: `standby of ${holderIdentity}`,
      watches: {},
    });
    assert.deepEqual(JSON.parse(leading.text).leaderElection, { type: "leader" });
    assert.match((await ask(first, "/metrics")).text, /^cr_reactor_is_leader 1$/m);
    const ofStandby = (await ask(second, "/metrics")).text;
    assert.match(ofStandby, /^cr_reactor_is_leader 0$/m);
    assert.doesNotMatch(ofStandby, /^cr_reactor_(objects|watch)/m, "what it does not watch, it does not tell");
  });

  test("SIGTERM hands over at once, without waiting for the Lease to expire, and nothing is lost or twice", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { first, second } = await startTwo(journey, SLOW);
    const writer = keepWriting(journey);
    await until(() => writer.acknowledged.size >= 20);
    const stoppedAt = performance.now();
    await first.kill("SIGTERM");
    await seen(second, LEADS);
    t.diagnostic(`SIGTERM to capturing: ${Math.round(performance.now() - stoppedAt)} ms`);
    const count = writer.acknowledged.size;
    await until(() => writer.acknowledged.size >= count + 20);
    await writer.stop();
    await assertComplete(journey, writer.acknowledged);
    assert.match(first.logTail(), /the Lease is released/);
    assert.match(first.logTail(), /the bridge has stopped/);
    assert.equal((await leaseOf(journey)).leaseTransitions, 1);
  });

  test("kill -9 hands over when the Lease expires, and what was changed meanwhile is told", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { first, second } = await startTwo(journey, FAST);
    const writer = keepWriting(journey);
    await until(() => writer.acknowledged.size >= 20);
    const killedAt = performance.now();
    await first.kill("SIGKILL");
    await seen(second, LEADS);
    t.diagnostic(
      `kill -9 to capturing: ${Math.round(performance.now() - killedAt)} ms, ${FAST.leaseSeconds} s of lease`,
    );
    await first.restart();
    await writer.stop();
    await assertComplete(journey, writer.acknowledged);
    assert.equal((await leaseOf(journey)).leaseTransitions, 1);
  });

  test("a leader that was paused until another one led ends when it goes on, and nothing is lost or twice", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { first, second } = await startTwo(journey, FAST);
    const writer = keepWriting(journey);
    const untilWritten = async (more: number) => {
      const count = writer.acknowledged.size + more;
      await until(() => writer.acknowledged.size >= count);
    };
    await untilWritten(20);
    await first.kill("SIGSTOP");
    await seen(second, LEADS);
    await untilWritten(20);
    await first.kill("SIGCONT");
    await until(() => first.pid === undefined, { what: "the paused leader ends" });
    assert.match(first.logTail(), /this bridge leads no longer: the Lease was not renewed for 3 s/);
    await first.restart();
    await untilWritten(20);
    assert.doesNotMatch(second.logTail(), /leads no longer/);
    await second.kill("SIGTERM");
    await seen(first, /standby of(.|\n)*resuming behind the checkpoint/);
    await untilWritten(20);
    await writer.stop();
    await assertComplete(journey, writer.acknowledged);
    assert.equal((await leaseOf(journey)).leaseTransitions, 2);
  });
});

describe("the Lease of the manifests", () => {
  const access = readFileSync(join(import.meta.dirname, "../../manifests/base/bridge-access.yaml"), "utf8");
  const rules = parseAllDocuments(access)
    .map((each) => each.toJS())
    .find(({ kind }) => kind === "Role").rules;

  test("can be made, kept, made again and released with the rights that they give; without them the rule is told", async (t) => {
    const kube = await sharedKube(t);
    if (kube === undefined) return;
    const namespace = await uniqueNamespace(kube);
    const { user, token } = await mintUser(kube, namespace);
    const folder = createDataFolder("leader");
    t.after(() => folder.remove());
    const kubeconfig = join(folder.path, "kubeconfig");
    writeFileSync(kubeconfig, kube.kubeconfig().replaceAll(kube.adminToken, token));
    const apiServer = await connectApiServer({ kubeconfig });
    t.after(() => apiServer.close());
    const states: LeaderState[] = [];
    const stop = new AbortController();
    t.after(() => stop.abort());
    const winning = becomeLeader(
      {
        lease: openLease(apiServer, { namespace, name: "bridge" }, 5_000),
        settings: LeaderElectionSettings.parse(FAST),
        onState: (state) => states.push(state),
      },
      stop.signal,
    );
    await until(() => states.some((state) => state.type === "waiting"));
    assert.match(JSON.stringify(states), /forbidden \(403\)\. Add this rule to a Role in test-/);

    const rights = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "leader" };
    const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }];
    await kube.client.create(`${rights}/roles`, { metadata: { name: "leader" }, rules });
    await kube.client.create(`${rights}/rolebindings`, { metadata: { name: "leader" }, roleRef, subjects });
    const leadership = await winning;
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/bridge`;
    const { metadata, spec } = await kube.client.get(lease);
    await kube.client.waitFor(lease, (object) => object?.["spec"].renewTime > spec.renewTime);
    await kube.client.delete(lease);
    const again = await kube.client.waitFor(lease, (object) => object !== undefined);
    assert.notEqual(again.metadata.uid, metadata.uid);
    leadership.check();
    await leadership.release();
    const released = (await kube.client.get(lease))["spec"];
    assert.deepEqual([released.holderIdentity ?? "", released.leaseDurationSeconds], ["", 1]);
    assert.deepEqual(states.at(-1), { type: "released" });
  });
});
