/**
 * Golden events: what becomes of objects as people really have them, family by family. Each `golden/<family>.yaml` has the settings and
 * the states of one object, one after the other; `golden/<family>.json` the events, as they were read and found right by a person.
 * `GOLDEN=write node --test test/bridge/golden.test.ts` writes them anew: read the difference before it is kept.
 */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { z } from "zod";
import { watchedResource } from "../../bridge/capture/resource.ts";
import { beforeOf } from "../../bridge/event/change.ts";
import { diff } from "../../bridge/event/diff.ts";
import { opOf, parseEnvelope } from "../../bridge/event/envelope.ts";
import { type ObservedState, seal } from "../../bridge/event/seal.ts";
import { type Json, KubeObject } from "../../bridge/kube/kube-object.ts";
import { COMMON_SHAPE, OpenApiDocument, shapeOf } from "../../bridge/kube/list-shape.ts";

const FOLDER = join(import.meta.dirname, "golden");
const SEEN_AT_MS = Date.parse("2026-06-01T00:00:00Z");

const Family = z.strictObject({
  apiVersion: z.string(),
  kind: z.string(),
  plural: z.string(),
  /** The part of its schema that says how lists are compared. */
  shape: z.record(z.string(), z.unknown()).optional(),
  ignore: z.array(z.string()).optional(),
  critical: z.array(z.string()).optional(),
  redact: z.array(z.string()).optional(),
  states: z.array(z.looseObject({ metadata: z.looseObject({ resourceVersion: z.string() }) })).min(2),
});
type Family = z.infer<typeof Family>;

/** The object is created in its first state, and then goes through the others. */
function eventsOf(family: Family) {
  const { apiVersion, kind, plural, shape: properties } = family;
  const [group = "", version = ""] = apiVersion.split("/");
  const schema = { "x-kubernetes-group-version-kind": [{ group, version, kind }], properties };
  const document = OpenApiDocument.parse({ components: { schemas: { [kind]: schema } } });
  const shape = shapeOf(document, { group, version, kind }) ?? COMMON_SHAPE;
  const { ignore = [], critical = [], redact = [] } = family;
  const settings = { apiVersion, kind, ignore, critical, redact };
  const keys = { redactionKeys: { current: "the key of the golden events" }, shape: { current: shape } };
  const resource = watchedResource("golden", settings, { plural, namespaced: true }, undefined, keys);
  let before: ObservedState | undefined;
  return family.states.map((state) => {
    const object = resource.redaction.redact(KubeObject.parse({ apiVersion, kind, ...state }));
    const { resourceVersion } = object.metadata;
    const op = before === undefined ? "created" : "updated";
    const sealed = seal(resource, { op, object, before, resourceVersion, gap: false, seenAtMs: SEEN_AT_MS });
    assert.ok(sealed, `${resourceVersion}: there is something to tell`);
    const envelope = parseEnvelope(sealed.payload);
    const undone = beforeOf(opOf(envelope), envelope.data);
    if (before !== undefined) assert.deepEqual(diff(undone as Json, before.object as Json, { ...resource, shape }), []);
    before = sealed.after;
    const { object: _, ...data } = envelope.data;
    return { natsSubject: sealed.subject, ...envelope, data };
  });
}

describe("golden events of", () => {
  const files = globSync("*.yaml", { cwd: FOLDER }).toSorted();
  assert.ok(files.length >= 10);
  for (const file of files) {
    test(basename(file, ".yaml"), () => {
      const text = readFileSync(join(FOLDER, file), "utf8");
      const events = eventsOf(Family.parse(parse(text)));
      const path = join(FOLDER, `${basename(file, ".yaml")}.json`);
      if (process.env["GOLDEN"] === "write") writeFileSync(path, `${JSON.stringify(events, null, 2)}\n`);
      assert.ok(existsSync(path), "there are golden events to compare with");
      assert.deepEqual(events, JSON.parse(readFileSync(path, "utf8")));
      for (const secret of ["hunter2", "hunter3"]) assert.doesNotMatch(JSON.stringify(events), new RegExp(secret));
    });
  }
});
