/** The scale subresource of a custom kind: the Scale that autoscalers and `kubectl scale` read and write. */
import { conformCases } from "./case.ts";
import { type Answer, accepted, type RawOptions, refusal } from "./raw.ts";
import { MERGE } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "scale.conformance.example.com";

const scale = (desk: Desk, method: string, options?: RawOptions): Promise<Answer> =>
  desk.send(method, desk.path("one", "scale"), options);

const patch = (desk: Desk, body: object, contentType = MERGE) => scale(desk, "PATCH", { body, contentType });

conformCases("The scale subresource", GROUP, [
  {
    name: "it tells the replicas that are wanted",
    run: async (desk) => {
      const { metadata } = await desk.given({ size: 1, replicas: 3 });
      const { metadata: shown, ...scaleOf } = accepted(await scale(desk, "GET"));
      return {
        ...scaleOf,
        fields: Object.keys(shown).sort(),
        isSame: shown.uid === metadata.uid && shown.resourceVersion === metadata.resourceVersion,
      };
    },
    expected: {
      kind: "Scale",
      apiVersion: "autoscaling/v1",
      spec: { replicas: 3 },
      status: { replicas: 0 },
      fields: ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"],
      isSame: true,
    },
  },
  {
    name: "it tells replicas and selector of the status",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      accepted(
        await desk.send("PATCH", desk.path("one", "status"), {
          body: { status: { replicas: 2, selector: "a=b" } },
          contentType: MERGE,
        }),
      );
      return accepted(await scale(desk, "GET"))["status"];
    },
    expected: { replicas: 2, selector: "a=b" },
  },
  {
    name: "an object that does not tell its replicas has no scale",
    run: async (desk) => {
      await desk.given();
      const answer = await scale(desk, "GET");
      return answer.status < 300 ? { spec: answer.body["spec"], status: answer.body["status"] } : refusal(answer);
    },
    expected: {
      code: 500,
      reason: "InternalError",
      message: 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist',
      causes: [""],
    },
  },
  {
    name: "a merge patch changes the replicas and nothing else",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      const { kind, spec } = accepted(await patch(desk, { spec: { replicas: 5 } }));
      const after = await desk.now();
      return { kind, spec, widget: after["spec"], generation: after.metadata.generation };
    },
    expected: { kind: "Scale", spec: { replicas: 5 }, widget: { color: "green", replicas: 5, size: 1 }, generation: 2 },
  },
  {
    name: "a JSON patch changes the replicas",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      accepted(await patch(desk, [{ op: "replace", path: "/spec/replicas", value: 4 }], "application/json-patch+json"));
      return (await desk.now())["spec"];
    },
    expected: { color: "green", replicas: 4, size: 1 },
  },
  {
    name: "a PUT changes the replicas",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      const body = { ...accepted(await scale(desk, "GET")), spec: { replicas: 7 } };
      const { spec } = accepted(await scale(desk, "PUT", { body }));
      return { spec, widget: (await desk.now())["spec"] };
    },
    expected: { spec: { replicas: 7 }, widget: { color: "green", replicas: 7, size: 1 } },
  },
  {
    name: "a stale resourceVersion is a conflict",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      const body = { ...accepted(await scale(desk, "GET")), spec: { replicas: 7 } };
      accepted(await patch(desk, { spec: { replicas: 5 } }));
      return refusal(await scale(desk, "PUT", { body }));
    },
    expected: {
      code: 409,
      reason: "Conflict",
      message:
        'Operation cannot be fulfilled on widgets.scale.conformance.example.com "one": the object has been modified; please apply your changes to the latest version and try again',
      about: "widgets.scale.conformance.example.com one",
    },
  },
  {
    name: "negative replicas are refused",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      return refusal(await patch(desk, { spec: { replicas: -1 } }));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message:
        'Widget.scale.conformance.example.com "one" is invalid: .spec.replicas: Invalid value: -1: should be a non-negative integer',
      about: "Widget.scale.conformance.example.com one",
      causes: ["FieldValueInvalid .spec.replicas"],
    },
  },
  {
    name: "an object that does not exist is 404",
    run: async (desk) => refusal(await scale(desk, "GET")),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.scale.conformance.example.com "one" not found',
      about: "widgets.scale.conformance.example.com one",
    },
  },
  {
    name: "the write is recorded as one of the subresource scale",
    run: async (desk) => {
      await desk.given({ size: 1, replicas: 3 });
      accepted(
        await scale(desk, "PATCH", {
          body: { spec: { replicas: 5 } },
          contentType: MERGE,
          query: { fieldManager: "scaler" },
        }),
      );
      const entries = (await desk.now()).metadata["managedFields"] as readonly {
        manager: string;
        operation: string;
        subresource?: string;
        fieldsV1: unknown;
      }[];
      const { operation, subresource, fieldsV1 } = entries.find(({ manager }) => manager === "scaler") ?? {};
      return { operation, subresource, fieldsV1 };
    },
    expected: { operation: "Update", subresource: "scale", fieldsV1: { "f:spec": { "f:replicas": {} } } },
  },
]);
