/** Deleting custom objects and collections of them: answers, options and preconditions. */
import { conformCases } from "./case.ts";
import { accepted, type RawOptions, refusal } from "./raw.ts";
import { isThere, patch, remove } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "delete.conformance.example.com";

const FINALIZER = "conformance.example.com/hold";

const held = (desk: Desk) => desk.given({ size: 1 }, { metadata: { finalizers: [FINALIZER] } });

const deleteOptions = (options: object) => ({ kind: "DeleteOptions", apiVersion: "v1", ...options });

/** What a DELETE with these options answers, and whether the object is there after it. */
const removed = (options: RawOptions) => async (desk: Desk) => {
  await desk.given();
  const answer = await remove(desk, options);
  return { answer: answer.status < 300 ? answer.status : refusal(answer), isThere: await isThere(desk) };
};

conformCases("Deleting", GROUP, [
  {
    name: "it is answered with a Status that names the object",
    run: async (desk) => {
      const { metadata } = await desk.given();
      const { details, ...status } = accepted(await remove(desk));
      const { uid, ...rest } = details;
      return { ...status, details: rest, isItsUid: uid === metadata.uid };
    },
    expected: {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "one", group: "delete.conformance.example.com", kind: "widgets" },
      isItsUid: true,
    },
  },
  { name: "the object is gone", run: removed({}), expected: { answer: 200, isThere: false } },
  {
    name: "deleting twice is answered with 404",
    run: async (desk) => {
      await desk.given();
      await remove(desk);
      return refusal(await remove(desk));
    },
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.delete.conformance.example.com "one" not found',
      about: "widgets.delete.conformance.example.com one",
    },
  },
  {
    name: "an object of the same name has another uid and begins at generation 1",
    run: async (desk) => {
      const first = await desk.given();
      accepted(await patch(desk, { spec: { size: 2 } }));
      await remove(desk);
      const { metadata } = await desk.given();
      return {
        isOther: metadata.uid !== first.metadata.uid,
        generation: metadata.generation,
        isLater: Number(metadata.resourceVersion) > Number(first.metadata.resourceVersion),
      };
    },
    expected: { isOther: true, generation: 1, isLater: true },
  },
  {
    name: "options in the body are accepted",
    run: removed({ body: deleteOptions({ propagationPolicy: "Background", gracePeriodSeconds: 0 }) }),
    expected: { answer: 200, isThere: false },
  },
  {
    name: "options in the query are accepted",
    run: removed({ query: { propagationPolicy: "Background", gracePeriodSeconds: "0" } }),
    expected: { answer: 200, isThere: false },
  },
  {
    name: "a grace period has no meaning for a custom object",
    run: removed({ query: { gracePeriodSeconds: "30" } }),
    expected: { answer: 200, isThere: false },
  },
  {
    name: "a body of another kind is refused",
    run: async (desk) => {
      await desk.given();
      return (await remove(desk, { body: { kind: "Widget", apiVersion: desk.apiVersion } })).status;
    },
    expected: 400,
  },
  {
    name: "an unknown propagationPolicy is refused",
    run: removed({ query: { propagationPolicy: "Nope" } }),
    expected: {
      answer: {
        code: 422,
        reason: "Invalid",
        message:
          'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Nope": supported values: "Foreground", "Background", "Orphan", "nil"',
        about: "DeleteOptions.meta.k8s.io",
        causes: ["FieldValueNotSupported propagationPolicy"],
      },
      isThere: true,
    },
  },
  {
    name: "Foreground waits for the garbage collector with a finalizer",
    run: async (desk) => {
      await desk.given();
      const { metadata } = accepted(await remove(desk, { body: deleteOptions({ propagationPolicy: "Foreground" }) }));
      return { finalizers: metadata["finalizers"], isMarked: metadata["deletionTimestamp"] !== undefined };
    },
    expected: { finalizers: ["foregroundDeletion"], isMarked: true },
  },
  {
    name: "a uid that is another is a conflict",
    run: async (desk) => {
      const { metadata } = await desk.given();
      const { message, ...rest } = refusal(
        await remove(desk, { body: deleteOptions({ preconditions: { uid: "other" } }) }),
      );
      return { ...rest, message: message.replace(String(metadata.uid), "<uid>"), isThere: await isThere(desk) };
    },
    expected: {
      code: 409,
      reason: "Conflict",
      about: "Widget.delete.conformance.example.com one",
      message:
        'Operation cannot be fulfilled on Widget.delete.conformance.example.com "one": the UID in the precondition (other) does not match the UID in record (<uid>). The object might have been deleted and then recreated',
      isThere: true,
    },
  },
  {
    name: "the uid of the object lets it pass",
    run: async (desk) => {
      const { uid } = (await desk.given()).metadata;
      return (await remove(desk, { body: deleteOptions({ preconditions: { uid } }) })).status;
    },
    expected: 200,
  },
  {
    name: "a resourceVersion that is another is a conflict",
    run: async (desk) => {
      const { resourceVersion } = (await desk.given()).metadata;
      const { message, ...rest } = refusal(
        await remove(desk, { body: deleteOptions({ preconditions: { resourceVersion: "1" } }) }),
      );
      return { ...rest, message: message.replace(String(resourceVersion), "<current>"), isThere: await isThere(desk) };
    },
    expected: {
      code: 409,
      reason: "Conflict",
      about: "Widget.delete.conformance.example.com one",
      message:
        'Operation cannot be fulfilled on Widget.delete.conformance.example.com "one": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (<current>). The object might have been modified',
      isThere: true,
    },
  },
  {
    name: "a dry run leaves the object",
    run: removed({ query: { dryRun: "All" } }),
    expected: { answer: 200, isThere: true },
  },
  {
    name: "a dry run in the body leaves the object",
    run: removed({ body: deleteOptions({ dryRun: ["All"] }) }),
    expected: { answer: 200, isThere: true },
  },
]);

conformCases("Deleting a collection", GROUP, [
  {
    name: "a collection is deleted by label",
    run: async (desk) => {
      for (const [name, label] of [
        ["one", "a"],
        ["two", "b"],
        ["three", "a"],
      ])
        await desk.given({ size: 1 }, { metadata: { name, labels: { is: label } } });
      const answer = accepted(await desk.send("DELETE", desk.path(), { query: { labelSelector: "is=a" } }));
      return {
        kind: answer.kind,
        names: answer["items"]?.map(({ metadata }: { metadata: { name: string } }) => metadata.name).sort(),
        left: await Promise.all(["one", "two", "three"].map((name) => isThere(desk, name))),
      };
    },
    expected: { kind: "WidgetList", names: ["one", "three"], left: [false, true, false] },
  },
  {
    name: "a collection is deleted by field",
    run: async (desk) => {
      for (const name of ["one", "two"]) await desk.given({ size: 1 }, { metadata: { name } });
      accepted(await desk.send("DELETE", desk.path(), { query: { fieldSelector: "metadata.name=two" } }));
      return Promise.all(["one", "two"].map((name) => isThere(desk, name)));
    },
    expected: [true, false],
  },
  {
    name: "a collection without a selector is deleted as a whole, in this namespace only",
    run: async (desk) => {
      await desk.given();
      const other = `${desk.namespace}-x`;
      await desk.target.client.createNamespace(other);
      const path = `/apis/${desk.apiVersion}/namespaces/${other}/widgets`;
      accepted(await desk.send("POST", path, { body: desk.widget() }), 201);
      accepted(await desk.send("DELETE", desk.path()));
      return { here: await isThere(desk), there: (await desk.send("GET", `${path}/one`)).status };
    },
    expected: { here: false, there: 200 },
  },
  {
    name: "deleting an empty collection is fine",
    run: async (desk) => {
      const answer = accepted(await desk.send("DELETE", desk.path()));
      return { kind: answer.kind, items: answer["items"] };
    },
    expected: { kind: "WidgetList", items: [] },
  },
  {
    name: "objects with finalizers stay when their collection is deleted",
    run: async (desk) => {
      await held(desk);
      accepted(await desk.send("DELETE", desk.path()));
      return (await desk.now()).metadata["deletionTimestamp"] !== undefined;
    },
    expected: true,
  },
]);
