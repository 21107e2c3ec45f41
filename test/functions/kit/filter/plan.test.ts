import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { connectJetStream } from "../../../../bridge/jetstream.ts";
import { ensureStream, eventsStream, StreamSettings } from "../../../../bridge/stream.ts";
import {
  all,
  any,
  created,
  deleted,
  field,
  labels,
  namespaces,
  not,
  phase,
} from "../../../../functions/kit/filter/builder.ts";
import type { Filter, Selection } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter } from "../../../../functions/kit/filter/match.ts";
import { planSelection } from "../../../../functions/kit/filter/plan.ts";
import { needNats } from "../../../kit/shared-kube.ts";
import * as event from "../event-factory.ts";

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
const D = "cr.*.demo_example_com.Database";

const rows: { name: string; when?: Filter; over?: Partial<Selection>; expected: string[] }[] = [
  {
    name: "no filter: one pattern for whatever happens",
    expected: [`${D}.*.*.*.*.*.*.*`],
  },
  {
    name: "existing only when asked for",
    when: created(),
    over: { includeExisting: true },
    expected: [`${D}.*.*.created.*.*.*.*`, `${D}.*.*.existing.*.*.*.*`],
  },
  {
    name: "a phase: one pattern, because only creations and updates have a phase token",
    when: phase({ to: "Failed" }),
    expected: [`${D}.*.*.*.*.*.Failed.*`],
  },
  {
    name: "a phase, and what was already there: its subject does not tell its phase",
    when: phase({ to: "Failed" }),
    over: { includeExisting: true },
    expected: [`${D}.*.*.*.*.*.Failed.*`, `${D}.*.*.existing.*.*.*.*`],
  },
  {
    name: "any transition: creations and updates, not deletions",
    when: phase(),
    expected: [`${D}.*.*.created.*.*.*.*`, `${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "a phase with a space is encoded",
    when: phase({ from: "x", to: "Not Ready" }),
    expected: [`${D}.*.*.updated.*.*.Not=20Ready.*`],
  },
  { name: "leaving a phase: any update may be it", when: phase({ from: "x" }), expected: [`${D}.*.*.updated.*.*.*.*`] },
  {
    name: "a field of the spec in one namespace of one cluster",
    when: all(field({ path: "spec.replicas" }), namespaces("prod")),
    over: { cluster: "eu-1" },
    expected: ["cr.eu-1.demo_example_com.Database.prod.*.updated.spec.*.*.*"],
  },
  {
    name: "a field of the status that becomes a value",
    when: field({ path: "status.url", to: "x" }),
    expected: [`${D}.*.*.*.*.status.*.*`],
  },
  {
    name: "a field of the metadata",
    when: field({ path: "metadata.labels.a" }),
    expected: [`${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "the core group",
    when: deleted(),
    over: { apiVersion: "v1", kind: "Pod" },
    expected: ["cr.*.=.Pod.*.*.deleted.*.*.*.*"],
  },
  {
    name: "what another pattern covers is left out",
    when: any(field({ path: "spec" }), field({ path: "metadata" }), all(deleted(), namespaces("a", "*"))),
    expected: [`${D}.*.*.deleted.*.*.*.*`, `${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "labels and not are for the process",
    when: { ...labels({ a: "b" }), ...not(created()), ...deleted() },
    expected: [`${D}.*.*.deleted.*.*.*.*`],
  },
  { name: "what excludes itself can never match", when: all(created(), deleted()), expected: [] },
  {
    name: "too many phases are widened",
    when: phase({ from: "a", to: Array.from({ length: 5000 }, (_, i) => `p${i}`) }),
    expected: [`${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "too many combinations are widened where they differ most",
    when: all(namespaces(...Array.from({ length: 50 }, (_, i) => `n${i}`)), phase({ to: ["a", "b", "c"] })),
    expected: ["a", "b", "c"].map((p) => `${D}.*.*.*.*.*.${p}.*`),
  },
];

describe("planSelection", () => {
  for (const { name, when, over, expected } of rows) {
    test(name, () => {
      const { subjects } = planSelection({ ...kind, ...over, ...(when && { when }) });
      assert.deepEqual(subjects, expected);
    });
  }
});

const word = fc.constantFrom("a", "b", "Not Ready", "ü.x");
const words = fc.oneof(word, fc.uniqueArray(word, { minLength: 1, maxLength: 3 }));
const namespace = fc.constantFrom("prod", "dev", "");
const paths = fc.constantFrom("spec", "spec.size", "status", "status.phase", "metadata.labels.l", "data.x", "kind");
const value = fc.constantFrom("a", "b", 1);

const { filter } = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.record({ phase: fc.record({ from: words, to: words }, { requiredKeys: [] }) }),
    fc.record({ field: fc.record({ path: paths, from: value, to: value }, { requiredKeys: ["path"] }) }),
    fc.constant(created()),
    fc.constant(deleted()),
    fc.record({ labels: fc.record({ l: words }) }),
    fc.record({ namespaces: fc.array(fc.constantFrom("prod", "dev", "p*", "*"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ all: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("filter"), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie("filter") }),
    fc.tuple(tie("filter"), tie("filter")).map(([a, b]) => ({ ...a, ...b })),
  ),
}));
const selection = fc.record({
  apiVersion: fc.constant(kind.apiVersion),
  kind: fc.constant(kind.kind),
  when: filter,
  includeExisting: fc.boolean(),
});
const fields = fc.record(
  {
    phase: word,
    spec: fc.record({ size: value, other: value }, { requiredKeys: [] }),
    labels: fc.record({ l: word }),
  },
  { requiredKeys: [] },
);
const { created: born, existing, deleted: gone, unselected } = event;
const makers = { created: born, existing, deleted: gone, unselected };
const happened = fc
  .record({
    op: fc.constantFrom(
      "created" as const,
      "existing" as const,
      "updated" as const,
      "deleted" as const,
      "unselected" as const,
    ),
    before: fields,
    after: fields,
    namespace,
  })
  .map(({ op, before, after, namespace }) => {
    const [was, is] = [
      { ...before, namespace, annotations: { v: "1" } },
      { ...after, namespace, annotations: { v: "2" } },
    ];
    return op === "updated" ? event.updated(was, is) : makers[op](is);
  });

describe("a plan", () => {
  test("lets through every event that its filter matches", () => {
    let matched = 0;
    fc.assert(
      fc.property(selection, happened, (given, { envelope, subject }) => {
        if (compileFilter(given).match(envelope).type !== "matched") return;
        matched++;
        const { subjects } = planSelection(given);
        assert.ok(
          subjects.some((pattern) => subjectMatches(pattern, subject)),
          `${subject} gets through none of ${subjects.join(" ")}`,
        );
      }),
      { numRuns: 3000 },
    );
    assert.ok(matched > 300, `only ${matched} events matched: the property says little`);
  });

  test("has no pattern that covers another", () => {
    fc.assert(
      fc.property(selection, (given) => {
        const { subjects } = planSelection(given);
        for (const [i, a] of subjects.entries())
          for (const [j, b] of subjects.entries()) assert.ok(i === j || !subjectMatches(a, b), `${a} covers ${b}`);
      }),
      { numRuns: 1000 },
    );
  });

  test("is accepted by the server, whatever the filter", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "test");
    t.after(() => jetStream.close());
    await ensureStream(jetStream, eventsStream(StreamSettings.parse({})));
    const plans = [
      ...rows.map(({ when, over }) => planSelection({ ...kind, ...over, ...(when && { when }) })),
      ...fc.sample(selection, 200).map(planSelection),
    ];
    let accepted = 0;
    for (const { subjects } of plans) {
      if (subjects.length === 0) continue;
      const name = `plan-${accepted++}`;
      const config = { name, durable_name: name, ack_policy: "explicit", filter_subjects: subjects };
      await jetStream.api(`CONSUMER.CREATE.CR_EVENTS.${name}`, { stream_name: "CR_EVENTS", config, action: "" });
      await jetStream.api(`CONSUMER.DELETE.CR_EVENTS.${name}`);
    }
    assert.ok(accepted > 150);
  });
});

/** NATS's rule for `*`, which is one token. A pattern counts as a subject too, which tells covering. */
function subjectMatches(pattern: string, subject: string): boolean {
  const [wanted, found] = [pattern.split("."), subject.split(".")];
  return wanted.length === found.length && wanted.every((token, i) => token === "*" || token === found[i]);
}
