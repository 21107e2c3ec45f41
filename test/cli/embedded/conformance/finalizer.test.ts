/** The deleted object that stays until its last finalizer is taken away, and what may be done with it until then. */
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { isThere, patch, put, remove } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "finalizer.conformance.example.com";

const FINALIZER = "conformance.example.com/hold";

const held = (desk: Desk) => desk.given({ size: 1 }, { metadata: { finalizers: [FINALIZER] } });

conformCases("Finalizers", GROUP, [
  {
    name: "with a finalizer it stays, marked and with one generation more",
    run: async (desk) => {
      const before = await held(desk);
      const { kind, metadata } = accepted(await remove(desk));
      return {
        kind,
        isMarked: /^\d{4}-.*Z$/.test(String(metadata["deletionTimestamp"])),
        grace: metadata["deletionGracePeriodSeconds"],
        generation: metadata.generation,
        isNewVersion: Number(metadata.resourceVersion) > Number(before.metadata.resourceVersion),
        isThere: await isThere(desk),
      };
    },
    expected: { kind: "Widget", isMarked: true, grace: 0, generation: 2, isNewVersion: true, isThere: true },
  },
  {
    name: "deleting it again changes nothing",
    run: async (desk) => {
      await held(desk);
      const first = accepted(await remove(desk));
      const second = accepted(await remove(desk));
      return { isSame: JSON.stringify(first.metadata) === JSON.stringify(second.metadata) };
    },
    expected: { isSame: true },
  },
  {
    name: "it is gone when a patch takes the last finalizer away",
    run: async (desk) => {
      await held(desk);
      await remove(desk);
      const last = accepted(await patch(desk, { metadata: { finalizers: null } }));
      return {
        finalizers: last.metadata["finalizers"] ?? "none",
        isMarked: last.metadata["deletionTimestamp"] !== undefined,
        isThere: await isThere(desk),
      };
    },
    expected: { finalizers: "none", isMarked: true, isThere: false },
  },
  {
    name: "it is gone when a PUT takes the last finalizer away",
    run: async (desk) => {
      await held(desk);
      const { metadata, ...rest } = accepted(await remove(desk));
      const status = (await put(desk, { ...rest, metadata: { ...metadata, finalizers: [] } })).status;
      return { status, isThere: await isThere(desk) };
    },
    expected: { status: 200, isThere: false },
  },
  {
    name: "it stays while one of two finalizers is left",
    run: async (desk) => {
      await desk.given({ size: 1 }, { metadata: { finalizers: [FINALIZER, "conformance.example.com/other"] } });
      await remove(desk);
      const { metadata } = accepted(await patch(desk, { metadata: { finalizers: [FINALIZER] } }));
      return { finalizers: metadata["finalizers"], isThere: await isThere(desk) };
    },
    expected: { finalizers: ["conformance.example.com/hold"], isThere: true },
  },
  {
    name: "a finalizer cannot be added while it is being deleted",
    run: async (desk) => {
      await held(desk);
      await remove(desk);
      return refusal(await patch(desk, { metadata: { finalizers: [FINALIZER, "conformance.example.com/late"] } }));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.finalizer.conformance.example.com "one" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"conformance.example.com/late"}',
      about: "Widget.finalizer.conformance.example.com one",
      causes: ["FieldValueForbidden metadata.finalizers"],
    },
  },
  {
    name: "spec, status and labels can be changed while it is being deleted",
    run: async (desk) => {
      await held(desk);
      await remove(desk);
      accepted(await patch(desk, { spec: { size: 2 }, metadata: { labels: { a: "b" } } }));
      accepted(await patch(desk, { status: { phase: "Failed" } }, { subresource: "status" }));
      const { metadata, spec, status } = await desk.now();
      return { spec, status, labels: metadata.labels, generation: metadata.generation };
    },
    expected: { spec: { color: "green", size: 2 }, status: { phase: "Failed" }, labels: { a: "b" }, generation: 3 },
  },
  {
    name: "the mark cannot be taken back",
    run: async (desk) => {
      await held(desk);
      await remove(desk);
      const answer = await patch(desk, { metadata: { deletionTimestamp: null } });
      return { status: answer.status, isMarked: (await desk.now()).metadata["deletionTimestamp"] !== undefined };
    },
    expected: { status: 200, isMarked: true },
  },
  {
    name: "its name is taken until it is gone",
    run: async (desk) => {
      await held(desk);
      await remove(desk);
      return refusal(await desk.send("POST", desk.path(), { body: desk.widget() }));
    },
    expected: {
      code: 409,
      reason: "AlreadyExists",
      message: 'object is being deleted: widgets.finalizer.conformance.example.com "one" already exists',
      about: "widgets.finalizer.conformance.example.com one",
    },
  },
  {
    name: "taking a finalizer away from what is not being deleted keeps it",
    run: async (desk) => {
      await held(desk);
      accepted(await patch(desk, { metadata: { finalizers: null } }));
      return isThere(desk);
    },
    expected: true,
  },
]);
