/** The census against a model: random lives of objects, restarts, lists that are older than the watch, and selections. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { watchedResource } from "../../../bridge/capture/resource.ts";
import type { KubeObject } from "../../../bridge/kube/kube-object.ts";
import type { IndexEntry } from "../../../bridge/log/event-log.ts";
import { eventSubject, objectSubject } from "../../../bridge/log/subject.ts";
import { type Census, createCensus } from "../../../bridge/metrics/census.ts";
import { countObjects, objectFamilies } from "../../../bridge/metrics/object-count.ts";
import { createRandom } from "../../kit/random.ts";

const KIND = { apiVersion: "demo.example.com/v1", kind: "Database" };
const RESOURCE = watchedResource("c", KIND, { plural: "databases", namespaced: true }, undefined);
const WISHES = {
  metrics: [{ name: "replicas", path: "spec.replicas", labels: { tier: "spec.tier" } }],
  diverged: [{ spec: "spec.replicas", status: "status.replicas" }],
};
/** Lives of a few objects; each is other random ones. */
const SEEDS = 200;
const PHASES = ["Pending", "Running", "Failed", undefined] as const;

interface ModelObject {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly createdAt: number;
  phase: string | undefined;
  phaseSince: number;
  replicas: number;
  told: number;
  version: number;
  terminating: boolean;
}

const timeOf = (seconds: number) => new Date(seconds * 1000).toISOString();

function asObject(model: ModelObject): KubeObject {
  return {
    ...KIND,
    metadata: {
      ...{ name: model.name, namespace: model.namespace, uid: model.uid, resourceVersion: String(model.version) },
      creationTimestamp: timeOf(model.createdAt),
      ...(model.terminating && { deletionTimestamp: timeOf(model.phaseSince) }),
    },
    spec: { replicas: model.replicas, tier: "gold" },
    status: {
      replicas: model.told,
      ...(model.phase && {
        phase: model.phase,
        conditions: [{ type: "Ready", status: model.phase === "Running" ? "True" : "False" }],
      }),
    },
  };
}

/** What should be counted, told as text. */
function expectedOf(models: Iterable<ModelObject>): readonly string[] {
  return [...models]
    .map((each) =>
      line(each.namespace, each.name, each.phase, each.phaseSince, each.replicas !== each.told, each.terminating),
    )
    .sort();
}

function foundIn(census: Census): readonly string[] {
  return [...census.objects()]
    .map(([namespace, name, { standing, phaseSince, diverged, terminatingSince }]) =>
      line(namespace, name, standing.phase, phaseSince, diverged === 1, terminatingSince > 0),
    )
    .sort();
}

function line(namespace: string, name: string, phase: string | undefined, since: number, ...flags: boolean[]): string {
  return `${namespace}/${name} ${phase ?? "-"} ${phase === undefined ? 0 : since} ${flags.join(" ")}`;
}

const open = (now: () => number, left: string[] = []) =>
  createCensus({
    title: "t",
    resource: RESOURCE,
    wishes: WISHES,
    now,
    onPhaseLeft: (phase, seconds) => left.push(`${phase} ${seconds}`),
  });

describe("the census of a watch", () => {
  test("is right after whatever happens, restarts included", () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = createRandom(seed).next;
      const pick = (count: number) => Math.floor(random() * count);
      let clock = 1_000_000;
      let version = 1;
      const models = new Map<string, ModelObject>();
      const index = new Map<string, IndexEntry>();
      let census = open(() => clock);
      let primes: (() => void)[] = [];
      const publish = (model: ModelObject, op: "created" | "updated" | "deleted", moved: boolean) => {
        const object = objectSubject({ ...RESOURCE, namespace: model.namespace, name: model.name });
        const subject = eventSubject(object, {
          op,
          spec: true,
          status: true,
          phase: moved && op !== "deleted" ? model.phase : undefined,
        });
        const absence = op === "deleted" ? op : undefined;
        index.delete(subject);
        index.set(subject, {
          object,
          subject,
          sequence: version,
          storedAtMs: clock * 1000,
          event: { uid: model.uid, resourceVersion: String(model.version), absence },
        });
      };
      const write = (key: string) => {
        const [namespace = "", name = ""] = key.split("/");
        const known = models.get(key);
        version++;
        if (known === undefined) {
          const phase = PHASES[pick(4)];
          const born = {
            namespace,
            name,
            uid: `u${version}`,
            createdAt: clock,
            phase,
            phaseSince: clock,
            replicas: 1,
            told: pick(2),
            version,
            terminating: false,
          };
          models.set(key, born);
          publish(born, "created", phase !== undefined);
          return census.saw(asObject(born));
        }
        if (random() < 0.2) {
          models.delete(key);
          publish({ ...known, version }, "deleted", false);
          return census.left(asObject({ ...known, version }));
        }
        const phase = random() < 0.5 ? known.phase : PHASES[pick(3)];
        const moved = phase !== known.phase;
        Object.assign(known, {
          version,
          phase,
          phaseSince: moved ? clock : known.phaseSince,
          replicas: pick(3),
          told: pick(3),
          terminating: known.terminating || random() < 0.05,
        });
        if (known.terminating && !moved) known.phaseSince = known.phaseSince || clock;
        publish(known, "updated", moved);
        census.saw(asObject(known));
      };
      /** The pages of a list as it is now, which come later. */
      const snapshot = () => {
        const objects = [...models.values()].map((each) => asObject({ ...each }));
        census.listing();
        primes = objects.map((object) => () => census.saw(object));
      };
      const finishList = () => {
        for (const page of primes) page();
        primes = [];
        census.listed();
      };
      const restart = () => {
        census = open(() => clock);
        for (const entry of [...index.values()].sort((a, b) => a.sequence - b.sequence)) census.indexed(entry);
        snapshot();
      };
      let listing = false;
      for (let step = 0; step < 120; step++) {
        clock += pick(5) + 1;
        const dice = random();
        if (dice < 0.04 && !listing) {
          restart();
          listing = true;
        } else if (dice < 0.2 && listing) {
          finishList();
          listing = false;
        } else if (listing && dice < 0.5) primes.shift()?.();
        else write(`${["a", "b"][pick(2)]}/${["x", "y", "z"][pick(3)]}`);
        if (!listing) assert.deepEqual(foundIn(census), expectedOf(models.values()), `seed ${seed}, step ${step}`);
      }
    }
  });

  test("tells how long a phase was held that an object left, by a change or by its deletion", () => {
    let clock = 100;
    const left: string[] = [];
    const census = open(() => clock, left);
    const model = {
      namespace: "a",
      name: "x",
      uid: "u",
      createdAt: 1,
      phase: "Pending" as string | undefined,
      phaseSince: 0,
      replicas: 1,
      told: 1,
      version: 1,
      terminating: false,
    };
    census.saw(asObject(model));
    clock = 130;
    census.saw(asObject({ ...model, phase: "Running", version: 2 }));
    clock = 190;
    census.left(asObject({ ...model, phase: "Running", version: 3 }));
    assert.deepEqual(left, ["Pending 30", "Running 60"]);
  });

  test("is forgotten when versions go back, and what a list does not have is not counted", () => {
    const census = open(() => 100);
    const model = {
      namespace: "a",
      name: "x",
      uid: "u",
      createdAt: 1,
      phase: "Pending",
      phaseSince: 0,
      replicas: 1,
      told: 1,
      version: 9,
      terminating: false,
    };
    census.saw(asObject(model));
    census.rewound();
    census.listing();
    census.saw(asObject({ ...model, version: 3 }));
    census.saw(asObject({ ...model, name: "y", version: 4 }));
    census.listed();
    assert.equal(foundIn(census).length, 2);
    census.listing();
    census.saw(asObject({ ...model, version: 3 }));
    census.listed();
    assert.equal(foundIn(census).length, 1);
  });
});

describe("the metrics of objects", () => {
  test("stay few however many phases and namespaces there are, and lose no object", () => {
    const census = open(() => 100);
    for (let i = 0; i < 2_000; i++) {
      const at = { namespace: `n${i % 200}`, name: `o${i}`, uid: `u${i}`, createdAt: 1, phase: `phase ${i % 90}` };
      census.saw(asObject({ ...at, phaseSince: 0, replicas: 1, told: 1, version: i + 1, terminating: false }));
    }
    const [objects] = objectFamilies([census], 200).filter(({ name }) => name === "cr_reactor_objects");
    const samples = objects?.samples ?? [];
    assert.equal(
      samples.reduce((sum, { value }) => sum + value, 0),
      2_000,
    );
    assert.ok(new Set(samples.map(({ labels }) => labels["phase"])).size <= 21);
    assert.ok(new Set(samples.map(({ labels }) => labels["namespace"])).size <= 51);
    assert.equal(countObjects([census])[0]?.objects, 2_000);
  });

  test("give configured values with their labels, and go with their object", () => {
    const census = open(() => 100);
    const model = {
      namespace: "a",
      name: "x",
      uid: "u",
      createdAt: 1,
      phase: "Pending",
      phaseSince: 0,
      replicas: 3,
      told: 1,
      version: 1,
      terminating: false,
    };
    const seriesOf = (name: string) => objectFamilies([census], 200).find((each) => each.name === name)?.samples ?? [];
    census.saw(asObject(model));
    const labels = { resource: "databases.demo.example.com", namespace: "a", name: "x", tier: "gold" };
    assert.deepEqual(seriesOf("cr_reactor_resource_replicas"), [{ labels, value: 3 }]);
    assert.equal(seriesOf("cr_reactor_objects_diverged")[0]?.value, 1);
    census.left(asObject({ ...model, version: 2 }));
    assert.deepEqual(seriesOf("cr_reactor_resource_replicas"), []);
    assert.equal(seriesOf("cr_reactor_objects_diverged")[0]?.value, 0);
  });
});
