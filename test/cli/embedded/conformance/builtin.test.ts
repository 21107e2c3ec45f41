/** Namespaces, Secrets and access reviews, which are always there. */
import { conformCases } from "./case.ts";
import { configMap, created, NAMESPACES, patch, path, post, refusedOf, secret } from "./core-object.ts";
import { accepted, refusal } from "./raw.ts";
import { APPLY, MERGE, STRATEGIC } from "./verb.ts";

const GROUP = "builtin.conformance.example.com";

conformCases("Namespaces", GROUP, [
  {
    name: "a new one is active, carries its name as a label, and is held by the finalizer kubernetes",
    run: async (desk) => {
      const { metadata, spec, status } = accepted(await desk.send("GET", `${NAMESPACES}/${desk.namespace}`));
      return {
        isLabelled: metadata.labels?.["kubernetes.io/metadata.name"] === desk.namespace,
        labels: Object.keys(metadata.labels ?? {}),
        spec,
        status,
        generation: metadata.generation ?? "none",
      };
    },
    expected: {
      isLabelled: true,
      labels: ["kubernetes.io/metadata.name"],
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
      generation: "none",
    },
  },
  {
    name: "a deleted one is answered as terminating",
    run: async (desk) => {
      const deleted = accepted(await desk.send("DELETE", `${NAMESPACES}/${desk.namespace}`));
      return {
        kind: deleted.kind,
        isMarked: deleted.metadata["deletionTimestamp"] !== undefined,
        phase: deleted["status"].phase,
      };
    },
    expected: { kind: "Namespace", isMarked: true, phase: "Terminating" },
  },
  {
    name: "nothing is created in one that is terminating",
    run: async (desk) => {
      const metadata = { name: "holder", finalizers: ["conformance.example.com/hold"] };
      await created(desk, "configmaps", configMap({ metadata })); // what keeps it from being gone before it is asked
      accepted(await desk.send("DELETE", `${NAMESPACES}/${desk.namespace}`));
      const { message, causes, ...rest } = refusal(await post(desk, "configmaps", configMap()));
      return { ...rest, causes, message: message.replaceAll(desk.namespace, "<namespace>") };
    },
    expected: {
      code: 403,
      reason: "Forbidden",
      about: "configmaps one",
      causes: ["NamespaceTerminating metadata.namespace"],
      message:
        'configmaps "one" is forbidden: unable to create new content in namespace <namespace> because it is being terminated',
    },
  },
  {
    name: "no custom object is created in one that is terminating",
    run: async (desk) => {
      await desk.given({ size: 1 }, { metadata: { name: "holder", finalizers: ["conformance.example.com/hold"] } });
      accepted(await desk.send("DELETE", `${NAMESPACES}/${desk.namespace}`));
      const { code, causes } = refusal(await desk.send("POST", desk.path(), { body: desk.widget() }));
      return { code, causes };
    },
    expected: { code: 403, causes: ["NamespaceTerminating metadata.namespace"] },
  },
  {
    name: "what is in one that is terminating can be changed",
    run: async (desk) => {
      await desk.given({ size: 1 }, { metadata: { finalizers: ["conformance.example.com/hold"] } });
      accepted(await desk.send("DELETE", `${NAMESPACES}/${desk.namespace}`));
      return accepted(await patch(desk, desk.path("one"), { spec: { size: 2 } }, MERGE))["spec"];
    },
    expected: { color: "green", size: 2 },
  },
  {
    name: "default and kube-system are there",
    run: async (desk) =>
      Promise.all(
        ["default", "kube-system"].map(async (name) => (await desk.send("GET", `${NAMESPACES}/${name}`)).status),
      ),
    expected: [200, 200],
  },
  {
    name: "default cannot be deleted",
    run: async (desk) => refusal(await desk.send("DELETE", `${NAMESPACES}/default`)),
    expected: {
      code: 403,
      reason: "Forbidden",
      message: 'namespaces "default" is forbidden: this namespace may not be deleted',
      about: "namespaces default",
    },
  },
  {
    name: "a name with a dot is refused",
    run: async (desk) =>
      refusal(
        await desk.send("POST", NAMESPACES, {
          body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "a.b" } },
        }),
      ),
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'Namespace "a.b" is invalid: metadata.name: Invalid value: "a.b": must not contain dots',
      about: "Namespace a.b",
      causes: ["FieldValueInvalid metadata.name"],
    },
  },
  {
    name: "labels are patched strategically, merged and applied",
    run: async (desk) => {
      const target = `${NAMESPACES}/${desk.namespace}`;
      accepted(await patch(desk, target, { metadata: { labels: { a: "1" } } }, STRATEGIC));
      accepted(await patch(desk, target, { metadata: { labels: { b: "2" } } }, MERGE));
      const body = { apiVersion: "v1", kind: "Namespace", metadata: { name: desk.namespace, labels: { c: "3" } } };
      const { labels } = accepted(await patch(desk, target, body, APPLY, { fieldManager: "me" })).metadata;
      return { a: labels?.["a"], b: labels?.["b"], c: labels?.["c"] };
    },
    expected: { a: "1", b: "2", c: "3" },
  },
  {
    name: "a collection of them cannot be deleted",
    run: async (desk) => refusal(await desk.send("DELETE", NAMESPACES, { query: { labelSelector: "nobody=has" } })),
    expected: {
      code: 405,
      reason: "MethodNotAllowed",
      message: "the server does not allow this method on the requested resource",
    },
  },
]);

conformCases("Secrets and reviews", GROUP, [
  {
    name: "stringData is written into data, and the type is Opaque",
    run: async (desk) => {
      const {
        data,
        type,
        stringData = "none",
      } = await created(desk, "secrets", secret({ stringData: { a: "text" }, data: { b: "Yg==" } }));
      return { data, type, stringData };
    },
    expected: { data: { a: "dGV4dA==", b: "Yg==" }, type: "Opaque", stringData: "none" },
  },
  {
    name: "stringData wins over data",
    run: async (desk) =>
      (await created(desk, "secrets", secret({ stringData: { a: "text" }, data: { a: "Yg==" } })))["data"],
    expected: { a: "dGV4dA==" },
  },
  {
    name: "data that is no base64 is refused",
    run: async (desk) => {
      const { code, reason } = await refusedOf("secrets", secret({ data: { a: "%" } }))(desk);
      return { code, reason };
    },
    expected: { code: 400, reason: "BadRequest" },
  },
  {
    name: "the type cannot be changed",
    run: async (desk) => {
      await created(desk, "secrets", secret());
      return refusal(await patch(desk, path(desk, "secrets", "one"), { type: "other" }, MERGE));
    },
    expected: {
      code: 422,
      reason: "Invalid",
      message: 'Secret "one" is invalid: type: Invalid value: "other": field is immutable',
      about: "Secret one",
      causes: ["FieldValueInvalid type"],
    },
  },
  {
    name: "an administrator is told that everything is allowed",
    run: async (desk) => {
      const spec = {
        resourceAttributes: { verb: "delete", group: "x.example.com", resource: "widgets", namespace: "x" },
      };
      const body = { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec };
      const review = accepted(
        await desk.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { body }),
        201,
      );
      return { kind: review.kind, spec: review["spec"], allowed: review["status"].allowed };
    },
    expected: {
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { namespace: "x", verb: "delete", group: "x.example.com", resource: "widgets" } },
      allowed: true,
    },
  },
]);
