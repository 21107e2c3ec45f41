import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import type { Envelope } from "../../../../bridge/event/envelope.ts";
import { encodePhase } from "../../../../bridge/log/subject.ts";
import { connectJetStream, type JetStream } from "../../../../bridge/nats/jetstream.ts";
import { pull } from "../../../../bridge/nats/pull.ts";
import { EVENTS_STREAM, ensureStream, eventsStream, StreamSettings } from "../../../../bridge/nats/stream.ts";
import {
  all,
  any,
  cel,
  condition,
  created,
  deleted,
  diverged,
  exact,
  field,
  labels,
  manager,
  names,
  namespaces,
  not,
  op,
  phase,
  sql,
  suffix,
  terminating,
} from "../../../../functions/kit/filter/builder.ts";
import { scopeOf } from "../../../../functions/kit/filter/compile.ts";
import type { Filter, Selection } from "../../../../functions/kit/filter/filter.ts";
import { compileFilter, type Matcher } from "../../../../functions/kit/filter/match.ts";
import { planSelection } from "../../../../functions/kit/filter/plan.ts";
import { needNats } from "../../../kit/shared-kube.ts";
import { happened, type SealedSample, selection, tellingSelection } from "./arbitrary.ts";

const kind = { apiVersion: "demo.example.com/v1", kind: "Database" };
const D = "cr.*.demo_example_com.Database";

const rows: { name: string; when?: Filter; over?: Partial<Selection>; expected: string[]; exact?: true }[] = [
  {
    name: "no filter: one pattern for whatever happens",
    expected: [`${D}.*.*.*.*.*.*.*`],
  },
  {
    name: "existing only when asked for",
    when: created(),
    over: { includeExisting: true },
    expected: [`${D}.*.*.created.*.*.*.*`, `${D}.*.*.existing.*.*.*.*`],
    exact: true,
  },
  {
    name: "a phase: one pattern, because only creations and updates have a phase token",
    when: phase({ to: "Failed" }),
    expected: [`${D}.*.*.*.*.*.Failed.*`],
    exact: true,
  },
  {
    name: "incidents: what opens one and what resolves one, deletions and first sights too",
    when: phase({ to: "Failed" }),
    over: { resolve: phase({ to: "Running" }) },
    expected: [
      `${D}.*.*.*.*.*.Failed.*`,
      `${D}.*.*.*.*.*.Running.*`,
      `${D}.*.*.deleted.*.*.*.*`,
      `${D}.*.*.existing.*.*.*.*`,
    ],
  },
  {
    name: "incidents that only a deletion resolves",
    when: phase({ to: "Failed" }),
    over: { resolve: deleted() },
    expected: [`${D}.*.*.*.*.*.Failed.*`, `${D}.*.*.deleted.*.*.*.*`],
    exact: true,
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
    exact: true,
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
  {
    name: "names and namespaces without globs",
    when: all(names("orders", "o.x"), namespaces("prod"), op("updated")),
    expected: [`${D}.prod.o_x.updated.*.*.*.*`, `${D}.prod.orders.updated.*.*.*.*`],
    exact: true,
  },
  { name: "any name", when: all(names("x*", "*"), deleted()), expected: [`${D}.*.*.deleted.*.*.*.*`], exact: true },
  { name: "names with globs", when: all(names("x*"), deleted()), expected: [`${D}.*.*.deleted.*.*.*.*`] },
  {
    name: "not what happened: everything else that can happen",
    when: not(any(created(), deleted())),
    expected: [`${D}.*.*.updated.*.*.*.*`],
    exact: true,
  },
  {
    name: "not of more than what happened stays for the process",
    when: not(all(created(), names("orders"))),
    expected: [`${D}.*.*.*.*.*.*.*`],
  },
  {
    name: "what left the bridge's selection",
    when: op("unselected", "deleted"),
    expected: [`${D}.*.*.deleted.*.*.*.*`, `${D}.*.*.unselected.*.*.*.*`],
    exact: true,
  },
  {
    name: "a first sight that is asked for but not considered can never match",
    when: op("existing"),
    expected: [],
    exact: true,
  },
  {
    name: "a phase that is cut may stand for another one",
    when: all(phase({ to: "L".repeat(70) }), op("updated")),
    expected: [`${D}.*.*.updated.*.*.${encodePhase("L".repeat(70))}.*`],
  },
  {
    name: "a condition: the status changed",
    when: condition({ type: "Ready", to: "False" }),
    expected: [`${D}.*.*.*.*.status.*.*`],
  },
  {
    name: "a divergence: the spec changed or the status did; a birth needs a spec that asks",
    when: diverged({ spec: "spec.replicas", status: "status.replicas" }),
    expected: [`${D}.*.*.*.spec.*.*.*`, `${D}.*.*.updated.*.status.*.*`],
  },
  {
    name: "a beginning deletion, which is told in the metadata",
    when: terminating(),
    expected: [`${D}.*.*.created.*.*.*.*`, `${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "a field manager is told of creations and updates",
    when: manager("kubectl*"),
    expected: [`${D}.*.*.created.*.*.*.*`, `${D}.*.*.updated.*.*.*.*`],
  },
  {
    name: "attributes that are in the subject",
    when: exact({ type: "dev.cr-reactor.resource.deleted", name: "orders", source: "/clusters/eu", kind: "Database" }),
    expected: ["cr.eu.demo_example_com.Database.*.orders.deleted.*.*.*.*"],
    exact: true,
  },
  {
    name: "the end of a type",
    when: suffix({ type: "eated" }),
    expected: [`${D}.*.*.created.*.*.*.*`],
    exact: true,
  },
  { name: "another kind can never match", when: exact({ kind: "Cache" }), expected: [], exact: true },
  {
    name: "expressions are for the process",
    when: all(cel("object.spec.replicas > 3"), sql("phase = 'x'"), field({ path: "spec.replicas" })),
    expected: [`${D}.*.*.updated.spec.*.*.*`],
  },
  { name: "what excludes itself can never match", when: all(created(), deleted()), expected: [], exact: true },
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
  for (const { name, when, over, expected, exact = false } of rows) {
    test(`${name}${exact ? ", which decides" : ""}`, () => {
      const plan = planSelection({ ...kind, ...over, ...(when && { when }) });
      assert.deepEqual(plan.subjects, expected);
      assert.equal(plan.exact, exact);
    });
  }
});

describe("a plan", () => {
  test("lets through every event that its filter matches, and nothing else where it says so", () => {
    const seen = { matched: 0, exact: 0, refused: 0 };
    const agrees = (given: Selection, { envelope, subject }: SealedSample) => {
      const { subjects, exact } = planSelection(given);
      const isThrough = subjects.some((pattern) => subjectMatches(pattern, subject));
      const isMatched = isWanted(compileFilter(given), envelope);
      if (isMatched) seen.matched++;
      if (exact) seen.exact++;
      if (!isThrough) seen.refused++;
      assert.ok(isThrough || !isMatched, `${subject} gets through none of ${subjects.join(" ")}`);
      if (exact)
        assert.equal(isThrough, isMatched, `${subject} gets through ${subjects.join(" ")}, which is not exact`);
    };
    fc.assert(fc.property(selection, happened, agrees), { numRuns: 3000 });
    fc.assert(fc.property(tellingSelection, happened, agrees), { numRuns: 3000 });
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 200, `${what}: only ${count}`);
  });

  test("together with what it leaves to the process says the same as the whole filter", () => {
    fc.assert(
      fc.property(fc.oneof(selection, tellingSelection), happened, (given, { envelope, subject }) => {
        const { subjects, remainder } = planSelection(given);
        if (!subjects.some((pattern) => subjectMatches(pattern, subject))) return;
        const considered: Filter = { op: [...scopeOf(given).ops] };
        const when = remainder === undefined ? considered : all(considered, remainder);
        const left = compileFilter({ ...given, when }).match(envelope).type;
        const whole = compileFilter(given).match(envelope).type;
        assert.equal(left === "matched", whole === "matched");
      }),
      { numRuns: 3000 },
    );
  });

  test("has no pattern that covers another", () => {
    fc.assert(
      fc.property(selection, (given) => {
        const { subjects } = planSelection(given);
        assert.ok(subjects.length <= 64);
        for (const [i, a] of subjects.entries())
          for (const [j, b] of subjects.entries()) assert.ok(i === j || !subjectMatches(a, b), `${a} covers ${b}`);
      }),
      { numRuns: 2000 },
    );
  });

  test("is a consumer on the server that delivers what the filter matches, each event once", async (t) => {
    const nats = await needNats(t);
    if (nats === undefined) return;
    const jetStream = await connectJetStream({ servers: [nats.url] }, "test");
    t.after(() => jetStream.close());
    await ensureStream(jetStream, eventsStream(StreamSettings.parse({ eventsPerSubjectMax: 10_000 })));
    const events = fc.sample(happened, { numRuns: 400, seed: 7 });
    const sequences: number[] = [];
    for (const { subject, payload } of events) {
      sequences.push((await jetStream.publish(subject, payload, {})).seq);
    }
    const given: Selection[] = [
      ...rows.map(({ when, over }) => ({ ...kind, ...over, ...(when && { when }) })),
      ...fc.sample(fc.oneof(selection, tellingSelection), { numRuns: 150, seed: 7 }),
    ];
    let delivering = 0;
    for (const [number, selected] of given.entries()) {
      const { subjects, exact } = planSelection(selected);
      if (subjects.length === 0) continue;
      const delivered = await deliveredTo(jetStream, `plan-${number}`, subjects);
      const matcher = compileFilter(selected);
      const matched = sequences.filter((_, i) => isWanted(matcher, events[i]?.envelope ?? assert.fail()));
      const missing = matched.filter((sequence) => !delivered.includes(sequence));
      assert.deepEqual(missing, [], `lost by ${subjects.join(" ")} of ${JSON.stringify(selected)}`);
      assert.equal(new Set(delivered).size, delivered.length);
      if (exact) assert.deepEqual(delivered, matched);
      if (delivered.length < events.length) delivering++;
    }
    assert.ok(delivering > 80, `only ${delivering} plans let NATS decide anything`);
  });
});

/** By either of the two filters. */
function isWanted({ match }: Matcher, envelope: Envelope): boolean {
  return ["matched", "resolving"].includes(match(envelope).type);
}

/** The stream sequences that a consumer with these subjects gets, from the beginning. */
async function deliveredTo(jetStream: JetStream, name: string, subjects: readonly string[]): Promise<number[]> {
  const config = { name, durable_name: name, ack_policy: "none", deliver_policy: "all", filter_subjects: subjects };
  const made = await jetStream.api(`CONSUMER.CREATE.${EVENTS_STREAM}.${name}`, {
    stream_name: EVENTS_STREAM,
    config,
    action: "",
  });
  const { num_pending } = z.object({ num_pending: z.number() }).parse(made);
  const sequences: number[] = [];
  const done = new AbortController();
  if (num_pending > 0) {
    const options = { stream: EVENTS_STREAM, consumer: name, signal: done.signal };
    for await (const { streamSequence, pendingCount } of pull(jetStream, options)) {
      sequences.push(streamSequence);
      if (pendingCount === 0) break;
    }
  }
  await jetStream.api(`CONSUMER.DELETE.${EVENTS_STREAM}.${name}`);
  return sequences;
}

/** NATS's rule for `*`, which is one token. A pattern counts as a subject too, which tells covering. */
function subjectMatches(pattern: string, subject: string): boolean {
  const [wanted, found] = [pattern.split("."), subject.split(".")];
  return wanted.length === found.length && wanted.every((token, i) => token === "*" || token === found[i]);
}
