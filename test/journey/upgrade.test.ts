/**
 * Upgrades and changed settings as the manifests make them: new processes, one after the other, while events flow. Of bridges under every fault
 * there is, `npm run chaos` has it (bridge-upgrade).
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type OtherBuild, otherBuild } from "../kit/other-build.ts";
import type { ServerProcess } from "../kit/server-process.ts";
import { until } from "../kit/until.ts";
import { databases, startJourney } from "./rig.ts";
import { startSharingScene } from "./sharing-scene.ts";
import { assertComplete, keepWriting } from "./writing.ts";

const PATIENT = { waitMsMax: 60_000 };
const SHARED = { when: { phase: { to: ["Failed", "Ready"] } }, partitions: 4 };

describe("a rolling update", () => {
  test("of functions to another build, and back, calls them once for each event, in order", async (t) => {
    const scene = await startSharingScene(t);
    if (scene === undefined) return;
    const next: OtherBuild = await otherBuild();
    const processes = [await scene.startProcess(SHARED), await scene.startProcess(SHARED)];
    scene.keepPublishing();
    for (const cli of [next.cli, undefined]) {
      for (const [index, old] of [...processes].entries()) {
        const count = scene.begun().length;
        await until(() => scene.begun().length > count + 100, PATIENT);
        processes[index] = await scene.startProcess(SHARED, cli);
        await old.kill("SIGTERM");
        assert.deepEqual(old.lastExit, { code: 0, signal: null });
      }
    }
    const pids = new Set(processes.map(({ pid }) => pid));
    await until(() => scene.begun().some(({ pid }) => pids.has(pid)), PATIENT);
    await scene.stopPublishing();
    const tags = (events: readonly { object: string; number: number }[]) =>
      events.map(({ object, number }) => `${object} ${number}`).toSorted();
    await until(() => scene.begun().length >= scene.published.length, PATIENT);
    assert.deepEqual(tags(scene.begun()), tags(scene.published));
    scene.assertOrder();
    assert.ok(new Set(scene.begun().map(({ pid }) => pid)).size >= 4, "of both builds some worked");
  });

  test("of the bridges to a configuration with one resource more goes on with the watch that was there, change by change", async (t) => {
    const journey = await startJourney(t);
    if (journey === undefined) return;
    const { namespace, kube } = journey;
    await kube.client.create(`/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: "known" } });
    const leaderElection = { enabled: true, namespace, name: "bridge", leaseSeconds: 30, renewDeadlineSeconds: 20 };
    const settings = { leaderElection, streams: { eventsPerSubjectMax: 100_000 } };
    const configMaps = { apiVersion: "v1", kind: "ConfigMap", namespaces: [namespace] };
    const resources = [databases(namespace), configMaps];
    const ready = /resuming behind the checkpoint|compared with the log|standby of/;
    const old = [await journey.startBridge(settings, ready), await journey.startBridge(settings, ready)];
    const writer = keepWriting(journey);
    await until(() => writer.acknowledged.size >= 30);
    t.after(() => writer.stop());
    const fresh: ServerProcess[] = [];
    for (const each of old) {
      fresh.push(await journey.startBridge({ ...settings, resources }, ready));
      await each.kill("SIGTERM");
      assert.deepEqual(each.lastExit, { code: 0, signal: null });
    }
    const newest = () => fresh.map(({ logTail }) => logTail()).join("\n");
    await until(() => /configmaps in [^\n]*compared with the log/.test(newest()), PATIENT);
    const count = writer.acknowledged.size;
    await until(() => writer.acknowledged.size >= count + 30);
    await writer.stop();
    await assertComplete(journey, writer.acknowledged);
    const events = await journey.events();
    assert.ok(events.every(({ kind, data }) => kind !== "Database" || !data.gap));
    const known = events.filter(({ name }) => name === "known").map(({ type }) => type);
    assert.deepEqual(known, ["dev.cr-reactor.resource.existing"]);
    assert.match(newest(), /databases[^\n]*resuming behind the checkpoint/);
    assert.doesNotMatch(newest(), /databases[^\n]*compared with the log/);
  });
});
