import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decide, type Sighting } from "../../../bridge/event/occurrence.ts";
import type { KubeObject } from "../../../bridge/kube/kube-object.ts";
import type { Absence, KnownObject } from "../../../bridge/log/store.ts";

const object = (uid: string, resourceVersion: string): KubeObject => ({
  apiVersion: "v1",
  kind: "K",
  metadata: { name: "a", uid, resourceVersion },
});
const known = (uid: string, resourceVersion: string, absence?: Absence): KnownObject => ({
  uid,
  resourceVersion,
  sequence: 7,
  fence: 7,
  absence,
});
const live = known("one", "100");
const dead = known("one", "104", "deleted");
const left = known("one", "104", "unselected");

/** Seen after etcd was restored from a backup. */
const restored = (seen: Sighting): Sighting => ({ ...seen, epoch: 2 });

function sighting(
  type: "initial" | "added" | "modified" | "deleted" | "unselected",
  uid: string,
  resourceVersion: string,
  firstSight = false,
): Sighting {
  return type === "initial"
    ? { type, object: object(uid, resourceVersion), firstSight }
    : { type, object: object(uid, resourceVersion) };
}

describe("what a sighting means", () => {
  const rows = [
    {
      name: "the first list finds what was there before us",
      known: undefined,
      sighting: sighting("initial", "one", "5", true),
      expected: { op: "existing", gap: false },
    },
    {
      name: "a first list behind a log that has lost events says that something may be missing",
      known: undefined,
      sighting: { type: "initial", object: object("one", "5"), firstSight: true, afterLoss: true },
      expected: { op: "existing", gap: true },
    },
    {
      name: "a later list finds what was created meanwhile",
      known: undefined,
      sighting: sighting("initial", "one", "5"),
      expected: { op: "created", gap: true },
    },
    {
      name: "an older state in a restored etcd is what the object is now",
      known: live,
      sighting: restored(sighting("initial", "one", "50")),
      expected: { op: "updated", gap: true },
    },
    {
      name: "a change in a restored etcd, although its version was given before",
      known: live,
      sighting: restored(sighting("modified", "one", "100")),
      expected: { op: "updated", gap: false },
    },
    {
      name: "an object that a restored etcd has not yet seen deleted is there again",
      known: dead,
      sighting: restored(sighting("initial", "one", "50")),
      expected: { op: "created", gap: true },
    },
    {
      name: "the deletion of an object that was dead before is nothing new, in a restored etcd neither",
      known: dead,
      sighting: restored(sighting("deleted", "one", "50")),
      expected: undefined,
    },
    {
      name: "a live creation",
      known: undefined,
      sighting: sighting("added", "one", "5"),
      expected: { op: "created", gap: false },
    },
    {
      name: "a change of an object without history is no creation",
      known: undefined,
      sighting: sighting("modified", "one", "5"),
      expected: { op: "existing", gap: true },
    },
    {
      name: "a deletion of an object without history is told all the same",
      known: undefined,
      sighting: sighting("deleted", "one", "5"),
      expected: { op: "deleted", gap: true },
    },
    {
      name: "a live change",
      known: live,
      sighting: sighting("modified", "one", "101"),
      expected: { op: "updated", gap: false },
    },
    {
      name: "a change that a list reveals",
      known: live,
      sighting: sighting("initial", "one", "101"),
      expected: { op: "updated", gap: true },
    },
    {
      name: "an unchanged object in a list",
      known: live,
      sighting: sighting("initial", "one", "100"),
      expected: undefined,
    },
    {
      name: "a watch event that the log already has",
      known: live,
      sighting: sighting("modified", "one", "100"),
      expected: undefined,
    },
    {
      name: "a watch event older than the log",
      known: live,
      sighting: sighting("modified", "one", "99"),
      expected: undefined,
    },
    {
      name: "versions are numbers, not text",
      known: known("one", "99"),
      sighting: sighting("modified", "one", "100"),
      expected: { op: "updated", gap: false },
    },
    {
      name: "a change that comes as an addition",
      known: live,
      sighting: sighting("added", "one", "101"),
      expected: { op: "updated", gap: false },
    },
    {
      name: "a live deletion",
      known: live,
      sighting: sighting("deleted", "one", "101"),
      expected: { op: "deleted", gap: false },
    },
    {
      name: "a late event of an object that is gone",
      known: dead,
      sighting: sighting("modified", "one", "101"),
      expected: undefined,
    },
    {
      name: "a deletion that was already told",
      known: dead,
      sighting: sighting("deleted", "one", "101"),
      expected: undefined,
    },
    {
      name: "another object under the name: first the old one is gone",
      known: live,
      sighting: sighting("added", "two", "105"),
      expected: { op: "gone", gap: true },
    },
    {
      name: "… and then the new one is created",
      known: dead,
      sighting: sighting("added", "two", "105"),
      expected: { op: "created", gap: false },
    },
    {
      name: "… with a gap, if a list revealed it",
      known: dead,
      sighting: sighting("initial", "two", "105"),
      expected: { op: "created", gap: true },
    },
    {
      name: "… with a gap, if its creation was missed",
      known: dead,
      sighting: sighting("modified", "two", "105"),
      expected: { op: "created", gap: true },
    },
    {
      name: "an earlier object of the name, replayed after its successor was created",
      known: known("two", "105"),
      sighting: sighting("modified", "one", "99"),
      expected: undefined,
    },
    {
      name: "an earlier object of the name, replayed after its successor was deleted",
      known: known("two", "120", "deleted"),
      sighting: sighting("added", "one", "99"),
      expected: undefined,
    },
    {
      name: "an earlier deletion, replayed after the successor was created",
      known: known("two", "105"),
      sighting: sighting("deleted", "one", "104"),
      expected: undefined,
    },
    {
      name: "a deletion that carries the object's last version",
      known: live,
      sighting: sighting("deleted", "one", "100"),
      expected: { op: "deleted", gap: false },
    },
    {
      name: "a recreated object that is already gone again",
      known: dead,
      sighting: sighting("deleted", "two", "105"),
      expected: { op: "deleted", gap: true },
    },
    {
      name: "an object that a list did not have",
      known: live,
      sighting: { type: "absent", uid: "one", resourceVersion: "200" },
      expected: { op: "gone", gap: true },
    },
    {
      name: "an absence that was already told",
      known: dead,
      sighting: { type: "absent", uid: "one", resourceVersion: "200" },
      expected: undefined,
    },
    {
      name: "an object that leaves the selection",
      known: live,
      sighting: sighting("unselected", "one", "101"),
      expected: { op: "unselected", gap: false },
    },
    {
      name: "a leaving that was already told",
      known: left,
      sighting: sighting("unselected", "one", "104"),
      expected: undefined,
    },
    {
      name: "a leaving that was already told, looked up again when the object is gone for good",
      known: left,
      sighting: sighting("deleted", "one", "104"),
      expected: undefined,
    },
    {
      name: "a leaving that is replayed after the object came back",
      known: live,
      sighting: sighting("unselected", "one", "99"),
      expected: undefined,
    },
    {
      name: "the leaving of an object without history is told all the same",
      known: undefined,
      sighting: sighting("unselected", "one", "5"),
      expected: { op: "unselected", gap: true },
    },
    {
      name: "an object that a list did not have, and that is there",
      known: live,
      sighting: { type: "absent", uid: "one", resourceVersion: "200", isThere: true },
      expected: { op: "unselected", gap: true },
    },
    {
      name: "the absence of an object that had left",
      known: left,
      sighting: { type: "absent", uid: "one", resourceVersion: "200", isThere: true },
      expected: undefined,
    },
    {
      name: "an object that comes back into the selection",
      known: left,
      sighting: sighting("added", "one", "105"),
      expected: { op: "existing", gap: false },
    },
    {
      name: "… with a gap, if a list revealed it",
      known: left,
      sighting: sighting("initial", "one", "105"),
      expected: { op: "existing", gap: true },
    },
    {
      name: "a state from before it left, replayed",
      known: left,
      sighting: sighting("added", "one", "103"),
      expected: undefined,
    },
    {
      name: "an object that another selection has as it was when it left",
      known: left,
      sighting: { type: "initial", object: object("one", "103"), firstSight: false, newSelection: true },
      expected: { op: "existing", gap: true },
    },
    {
      name: "an object that had left, back in an etcd that was restored",
      known: left,
      sighting: restored(sighting("initial", "one", "50")),
      expected: { op: "existing", gap: true },
    },
    {
      name: "a deletion after a return that nobody saw",
      known: left,
      sighting: sighting("deleted", "one", "110"),
      expected: { op: "deleted", gap: true },
    },
    {
      name: "another object under the name of one that had left: the end of that is not known",
      known: left,
      sighting: sighting("added", "two", "110"),
      expected: { op: "created", gap: false },
    },
    {
      name: "an object that comes into the selection and is older than that",
      known: undefined,
      sighting: { type: "added", object: object("one", "5"), entered: true },
      expected: { op: "existing", gap: false },
    },
    {
      name: "… as a list reveals it",
      known: undefined,
      sighting: { type: "initial", object: object("one", "5"), firstSight: false, entered: true },
      expected: { op: "existing", gap: false },
    },
    {
      name: "… under the name of a dead one",
      known: dead,
      sighting: { type: "added", object: object("two", "110"), entered: true },
      expected: { op: "existing", gap: false },
    },
    {
      name: "an absence of another object of the name",
      known: live,
      sighting: { type: "absent", uid: "two", resourceVersion: "200" },
      expected: undefined,
    },
  ] satisfies { name: string; known: KnownObject | undefined; sighting: Sighting; expected: unknown }[];
  for (const { name, known, sighting, expected } of rows) {
    test(name, () => assert.deepEqual(decide(known, sighting), expected));
  }
});
