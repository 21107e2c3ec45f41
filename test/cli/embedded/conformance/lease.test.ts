/** Leases, which leader election stands on, and Events, which tell people what happened. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { MERGE } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "lease.conformance.example.com";

const leases = (desk: Desk, name?: string) =>
  [`/apis/coordination.k8s.io/v1/namespaces/${desk.namespace}/leases`, name].filter(Boolean).join("/");
const lease = (spec: object, metadata: object = {}) => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "lock", ...metadata },
  spec,
});

const events = (desk: Desk, name?: string) =>
  [`/api/v1/namespaces/${desk.namespace}/events`, name].filter(Boolean).join("/");
const event = (desk: Desk, parts: object = {}) => ({
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "one" },
  involvedObject: { apiVersion: desk.apiVersion, kind: "Widget", namespace: desk.namespace, name: "one" },
  reason: "Tested",
  message: "a message",
  type: "Normal",
  source: { component: "conformance" },
  ...parts,
});

conformCases("Leases", GROUP, [
  {
    name: "a lease is created as it is written, with microseconds",
    run: async (desk) => {
      const spec = {
        holderIdentity: "a",
        leaseDurationSeconds: 15,
        acquireTime: "2026-01-02T03:04:05.000006Z",
        renewTime: "2026-01-02T03:04:05.123456Z",
        leaseTransitions: 1,
      };
      return accepted(await desk.send("POST", leases(desk), { body: lease(spec) }), 201)["spec"];
    },
    expected: {
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: "2026-01-02T03:04:05.000006Z",
      renewTime: "2026-01-02T03:04:05.123456Z",
      leaseTransitions: 1,
    },
  },
  {
    name: "a time with milliseconds is refused, as it needs six digits",
    run: async (desk) => {
      const body = lease({ renewTime: "2026-01-02T03:04:05.123Z" });
      const { code, reason } = refusal(await desk.send("POST", leases(desk), { body }));
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "of several that create it exactly one wins",
    run: async (desk) => {
      const answers = await Promise.all(
        ["a", "b", "c"].map((holderIdentity) => desk.send("POST", leases(desk), { body: lease({ holderIdentity }) })),
      );
      return answers.map(({ status }) => status).sort();
    },
    expected: [201, 409, 409],
  },
  {
    name: "of several that take it over with the same resourceVersion exactly one wins, and the others are told of a conflict",
    run: async (desk) => {
      const before = accepted(await desk.send("POST", leases(desk), { body: lease({ holderIdentity: "old" }) }), 201);
      const take = (holderIdentity: string) =>
        desk.send("PUT", leases(desk, "lock"), { body: { ...before, spec: { holderIdentity } } });
      const answers = await Promise.all(["a", "b", "c"].map(take));
      const winner = answers.find(({ status }) => status === 200)?.body["spec"].holderIdentity;
      const loser = answers.find(({ status }) => status !== 200);
      const kept = accepted(await desk.send("GET", leases(desk, "lock")))["spec"].holderIdentity;
      return {
        statuses: answers.map(({ status }) => status).sort(),
        loser: loser && refusal(loser),
        isKept: kept === winner,
      };
    },
    expected: {
      statuses: [200, 409, 409],
      loser: {
        code: 409,
        reason: "Conflict",
        message:
          'Operation cannot be fulfilled on leases.coordination.k8s.io "lock": the object has been modified; please apply your changes to the latest version and try again',
        about: "leases.coordination.k8s.io lock",
      },
      isKept: true,
    },
  },
  {
    name: "a PUT creates it",
    run: async (desk) => {
      const { metadata, spec } = accepted(
        await desk.send("PUT", leases(desk, "lock"), { body: lease({ holderIdentity: "a" }) }),
        201,
      );
      return { name: metadata.name, spec };
    },
    expected: { name: "lock", spec: { holderIdentity: "a" } },
  },
  {
    name: "a PUT creates it even with a resourceVersion",
    run: async (desk) => {
      const body = lease({ holderIdentity: "a" }, { resourceVersion: "5" });
      return (await desk.send("PUT", leases(desk, "lock"), { body })).status;
    },
    expected: 201,
  },
  {
    name: "a PUT without a resourceVersion does not replace it",
    run: async (desk) => {
      accepted(await desk.send("POST", leases(desk), { body: lease({ holderIdentity: "a" }) }), 201);
      return refusal(await desk.send("PUT", leases(desk, "lock"), { body: lease({ holderIdentity: "b" }) }));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'leases.coordination.k8s.io "lock" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
      about: "leases.coordination.k8s.io lock",
      causes: ["FieldValueInvalid metadata.resourceVersion"],
    },
  },
  {
    name: "a duration of zero is refused",
    run: async (desk) => refusal(await desk.send("POST", leases(desk), { body: lease({ leaseDurationSeconds: 0 }) })),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Lease.coordination.k8s.io "lock" is invalid: spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
      about: "Lease.coordination.k8s.io lock",
      causes: ["FieldValueInvalid spec.leaseDurationSeconds"],
    },
  },
  {
    name: "a time that is none is refused",
    run: async (desk) => (await desk.send("POST", leases(desk), { body: lease({ renewTime: "now" }) })).status,
    expected: 400,
  },
  {
    name: "it is given back by a merge patch",
    run: async (desk) => {
      accepted(
        await desk.send("POST", leases(desk), { body: lease({ holderIdentity: "a", leaseDurationSeconds: 5 }) }),
        201,
      );
      return accepted(
        await desk.send("PATCH", leases(desk, "lock"), {
          body: { spec: { holderIdentity: null } },
          contentType: MERGE,
        }),
      )["spec"];
    },
    expected: { leaseDurationSeconds: 5 },
  },
]);

conformCases("Events", GROUP, [
  {
    name: "an event is kept as it is written",
    run: async (desk) => {
      const {
        metadata: _,
        involvedObject,
        ...rest
      } = accepted(await desk.send("POST", events(desk), { body: event(desk) }), 201);
      return { ...rest, about: involvedObject.kind };
    },
    expected: {
      kind: "Event",
      apiVersion: "v1",
      reason: "Tested",
      message: "a message",
      source: { component: "conformance" },
      firstTimestamp: null,
      lastTimestamp: null,
      type: "Normal",
      eventTime: null,
      reportingComponent: "",
      reportingInstance: "",
      about: "Widget",
    },
  },
  {
    name: "an event about an object of another namespace is refused",
    run: async (desk) =>
      refusal(
        await desk.send("POST", events(desk), {
          body: event(desk, { involvedObject: { kind: "Widget", namespace: "elsewhere", name: "one" } }),
        }),
      ),
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Event "one" is invalid: involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace',
      about: "Event one",
      causes: ["FieldValueInvalid involvedObject.namespace"],
    },
  },
  {
    name: "a PUT creates an event",
    run: async (desk) => (await desk.send("PUT", events(desk, "one"), { body: event(desk) })).status,
    expected: 201,
  },
  {
    name: "a patch counts it up",
    run: async (desk) => {
      accepted(await desk.send("POST", events(desk), { body: event(desk, { count: 1 }) }), 201);
      return accepted(await desk.send("PATCH", events(desk, "one"), { body: { count: 2 }, contentType: MERGE }))[
        "count"
      ];
    },
    expected: 2,
  },
  {
    name: "events are found by what they are about",
    run: async (desk) => {
      accepted(await desk.send("POST", events(desk), { body: event(desk) }), 201);
      const other = { kind: "Widget", namespace: desk.namespace, name: "two" };
      accepted(
        await desk.send("POST", events(desk), {
          body: event(desk, { metadata: { name: "two" }, involvedObject: other }),
        }),
        201,
      );
      const fieldSelector = "involvedObject.name=two,involvedObject.kind=Widget";
      const { items } = accepted(await desk.send("GET", events(desk), { query: { fieldSelector } }));
      return items.map(({ metadata }: { metadata: { name: string } }) => metadata.name);
    },
    expected: ["two"],
  },
  {
    name: "an event of events.k8s.io is read as one of the core",
    run: async (desk) => {
      const body = {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "new" },
        eventTime: "2026-01-02T03:04:05.000006Z",
        regarding: { kind: "Widget", namespace: desk.namespace, name: "one" },
        reason: "Tested",
        note: "a note",
        action: "Testing",
        type: "Normal",
        reportingController: "conformance.example.com/test",
        reportingInstance: "test-1",
      };
      accepted(await desk.send("POST", `/apis/events.k8s.io/v1/namespaces/${desk.namespace}/events`, { body }), 201);
      const { apiVersion, message, involvedObject, eventTime } = accepted(await desk.send("GET", events(desk, "new")));
      return { apiVersion, message, about: involvedObject.name, eventTime };
    },
    expected: { apiVersion: "v1", message: "a note", about: "one", eventTime: "2026-01-02T03:04:05.000006Z" },
  },
  {
    name: "an event that is deleted is gone",
    run: async (desk) => {
      accepted(await desk.send("POST", events(desk), { body: event(desk) }), 201);
      const deleted = (await desk.send("DELETE", events(desk, "one"))).status;
      return { deleted, after: (await desk.send("GET", events(desk, "one"))).status };
    },
    expected: { deleted: 200, after: 404 },
  },
]);
