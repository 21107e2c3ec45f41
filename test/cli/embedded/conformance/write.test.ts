/** Reading and replacing single objects: what a PUT may change, and what counts as a change. */
import type { KubeObject } from "../../../kit/kube-client.ts";
import { conformCases } from "./case.ts";
import { accepted, refusal } from "./raw.ts";
import { outcome, put, type WriteOptions } from "./verb.ts";
import type { Desk } from "./widget.ts";

const GROUP = "write.conformance.example.com";

/** A Widget that is created, and then replaced by what `change` makes of it. */
async function replaced(desk: Desk, change: (widget: KubeObject) => unknown, options?: WriteOptions) {
  const before = await desk.given();
  return { before, answer: await put(desk, change(before), options) };
}

/** What such a PUT does to generation and resourceVersion. */
const counted = (change: (widget: KubeObject) => unknown, options?: WriteOptions) => async (desk: Desk) => {
  const { before, answer } = await replaced(desk, change, options);
  return outcome(before, answer);
};

const withMetadata = (widget: KubeObject, metadata: object) => ({
  ...widget,
  metadata: { ...widget.metadata, ...metadata },
});

conformCases("Reading", GROUP, [
  {
    name: "an object that does not exist is answered with 404 and its details",
    run: async (desk) => refusal(await desk.send("GET", desk.path("nobody"))),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.write.conformance.example.com "nobody" not found',
      about: "widgets.write.conformance.example.com nobody",
    },
  },
  {
    name: "a namespace that does not exist has no objects",
    run: async (desk) => refusal(await desk.send("GET", `/apis/${desk.apiVersion}/namespaces/nobody/widgets/one`)),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.write.conformance.example.com "one" not found',
      about: "widgets.write.conformance.example.com one",
    },
  },
  {
    name: "a subresource of an object that does not exist is 404",
    run: async (desk) => refusal(await desk.send("GET", desk.path("nobody", "status"))),
    expected: {
      code: 404,
      reason: "NotFound",
      message: 'widgets.write.conformance.example.com "nobody" not found',
      about: "widgets.write.conformance.example.com nobody",
    },
  },
  {
    name: "an unknown subresource is 404",
    run: async (desk) => {
      await desk.given();
      return (await desk.send("GET", desk.path("one", "nope"))).status;
    },
    expected: 404,
  },
  {
    name: "an unknown kind is 404",
    run: async (desk) => (await desk.send("GET", `/apis/${GROUP}/v1/gadgets`)).status,
    expected: 404,
  },
  {
    name: "an unknown version is 404",
    run: async (desk) => (await desk.send("GET", `/apis/${GROUP}/v2/widgets`)).status,
    expected: 404,
  },
  {
    name: "an unknown group is 404",
    run: async (desk) => (await desk.send("GET", "/apis/nobody.example.com/v1")).status,
    expected: 404,
  },
  { name: "an unknown path is 404", run: async (desk) => (await desk.send("GET", "/nope")).status, expected: 404 },
  {
    name: "a GET of the status answers the whole object",
    run: async (desk) => {
      await desk.given();
      const { kind, spec } = accepted(await desk.send("GET", desk.path("one", "status")));
      return { kind, spec };
    },
    expected: { kind: "Widget", spec: { color: "green", size: 1 } },
  },
]);

conformCases("Replacing", GROUP, [
  {
    name: "a PUT changes the spec and counts a generation",
    run: counted((widget) => ({ ...widget, spec: { size: 2 } })),
    expected: { generation: 2, isNewVersion: true, spec: { color: "green", size: 2 }, status: "none" },
  },
  {
    name: "a PUT without a change keeps the resourceVersion",
    run: counted((widget) => widget),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a PUT that only lacks what is defaulted and what the server sets is no change",
    run: counted(({ apiVersion, kind, metadata: { name, namespace, resourceVersion } }) => ({
      apiVersion,
      kind,
      metadata: { name, namespace, resourceVersion },
      spec: { size: 1 },
    })),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a PUT of labels counts no generation",
    run: counted((widget) => withMetadata(widget, { labels: { a: "b" } })),
    expected: { generation: 1, isNewVersion: true, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a PUT ignores the status",
    run: counted((widget) => ({ ...widget, status: { phase: "Running" } })),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a PUT of the status changes it and counts no generation",
    run: counted((widget) => ({ ...widget, status: { phase: "Running" } }), { subresource: "status" }),
    expected: { generation: 1, isNewVersion: true, spec: { color: "green", size: 1 }, status: { phase: "Running" } },
  },
  {
    name: "a PUT of the status ignores the spec",
    run: counted((widget) => ({ ...widget, spec: { size: 2 }, status: { phase: "Running" } }), {
      subresource: "status",
    }),
    expected: { generation: 1, isNewVersion: true, spec: { color: "green", size: 1 }, status: { phase: "Running" } },
  },
  {
    name: "a PUT of the status without a change keeps the resourceVersion",
    run: counted((widget) => widget, { subresource: "status" }),
    expected: { generation: 1, isNewVersion: false, spec: { color: "green", size: 1 }, status: "none" },
  },
  {
    name: "a PUT of the status takes it away where it has none",
    run: async (desk) => {
      const { answer } = await replaced(desk, (widget) => ({ ...widget, status: { phase: "Running" } }), {
        subresource: "status",
      });
      const { status: _, ...rest } = accepted(answer);
      return accepted(await put(desk, rest, { subresource: "status" }))["status"] ?? "none";
    },
    expected: "none",
  },
  {
    name: "a PUT of the status ignores labels",
    run: async (desk) => {
      const { answer } = await replaced(
        desk,
        (widget) => ({ ...withMetadata(widget, { labels: { a: "b" } }), status: { phase: "Failed" } }),
        { subresource: "status" },
      );
      return accepted(answer).metadata.labels ?? "none";
    },
    expected: "none",
  },
  {
    name: "creationTimestamp and generation are not the client's to change",
    run: async (desk) => {
      const { before, answer } = await replaced(desk, (widget) =>
        withMetadata(widget, { creationTimestamp: "2001-01-01T00:00:00Z", generation: 9 }),
      );
      const { creationTimestamp, generation } = accepted(answer).metadata;
      return { isSame: creationTimestamp === before.metadata["creationTimestamp"], generation };
    },
    expected: { isSame: true, generation: 1 },
  },
  {
    name: "a dry run of a PUT answers the change and leaves the object",
    run: async (desk) => {
      const before = await desk.given();
      const dry = accepted(await put(desk, { ...before, spec: { size: 2 } }, { query: { dryRun: "All" } }));
      const after = await desk.now();
      return {
        answered: dry["spec"],
        generation: dry.metadata.generation,
        hasNewVersion: dry.metadata.resourceVersion !== before.metadata.resourceVersion,
        kept: after["spec"],
        isUntouched: after.metadata.resourceVersion === before.metadata.resourceVersion,
      };
    },
    expected: {
      answered: { color: "green", size: 2 },
      generation: 2,
      hasNewVersion: false,
      kept: { color: "green", size: 1 },
      isUntouched: true,
    },
  },
]);
