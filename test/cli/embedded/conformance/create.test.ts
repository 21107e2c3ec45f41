/** Creating custom objects: what the server sets, what it keeps, and what a dry run leaves behind. */
import { conformCases } from "./case.ts";
import { accepted } from "./raw.ts";

const GROUP = "create.conformance.example.com";

conformCases("Creating", GROUP, [
  {
    name: "a new object is answered with 201 and what the server gives it",
    run: async (desk) => {
      const { metadata, ...parts } = accepted(await desk.send("POST", desk.path(), { body: desk.widget() }), 201);
      const { name, namespace, generation, uid, resourceVersion, creationTimestamp } = metadata;
      return {
        parts,
        name,
        isInNamespace: namespace === desk.namespace,
        generation,
        uid: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(String(uid)),
        resourceVersion: /^[1-9][0-9]*$/.test(String(resourceVersion)),
        creationTimestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(String(creationTimestamp)),
        fields: Object.keys(metadata).sort(),
      };
    },
    expected: {
      parts: { apiVersion: "create.conformance.example.com/v1", kind: "Widget", spec: { color: "green", size: 1 } },
      name: "one",
      isInNamespace: true,
      generation: 1,
      uid: true,
      resourceVersion: true,
      creationTimestamp: true,
      fields: ["creationTimestamp", "generation", "managedFields", "name", "namespace", "resourceVersion", "uid"],
    },
  },
  {
    name: "what was created is what a GET answers",
    run: async (desk) => {
      const created = await desk.given({ size: 2, free: { any: [1, { thing: null }] } });
      const { managedFields, ...metadata } = (await desk.now()).metadata;
      return {
        isSame: JSON.stringify(created) === JSON.stringify(await desk.now()),
        hasMetadata: managedFields !== undefined && metadata.name,
      };
    },
    expected: { isSame: true, hasMetadata: "one" },
  },
  {
    name: "uid, creationTimestamp, generation and resourceVersion are not the client's to choose",
    run: async (desk) => {
      const metadata = { uid: "mine", creationTimestamp: "2001-01-01T00:00:00Z", generation: 7, selfLink: "/x" };
      const { uid, creationTimestamp, generation, selfLink } = (await desk.given({ size: 1 }, { metadata })).metadata;
      return {
        uid: uid === "mine",
        creationTimestamp: creationTimestamp === "2001-01-01T00:00:00Z",
        generation,
        selfLink: selfLink ?? "none",
      };
    },
    expected: { uid: false, creationTimestamp: false, generation: 1, selfLink: "none" },
  },
  {
    name: "labels, annotations, finalizers and owner references are kept",
    run: async (desk) => {
      const owner = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: "1-2-3" };
      const metadata = {
        labels: { a: "b" },
        annotations: { "x/y": "any text" },
        finalizers: ["x.example.com/f"],
        ownerReferences: [owner],
      };
      const { labels, annotations, finalizers, ownerReferences } = (await desk.given({ size: 1 }, { metadata }))
        .metadata;
      return { labels, annotations, finalizers, ownerReferences };
    },
    expected: {
      labels: { a: "b" },
      annotations: { "x/y": "any text" },
      finalizers: ["x.example.com/f"],
      ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: "1-2-3" }],
    },
  },
  {
    name: "deletionTimestamp and deletionGracePeriodSeconds of a new object are dropped",
    run: async (desk) => {
      const metadata = { deletionTimestamp: "2001-01-01T00:00:00Z", deletionGracePeriodSeconds: 5 };
      const created = (await desk.given({ size: 1 }, { metadata })).metadata;
      return ["deletionTimestamp", "deletionGracePeriodSeconds"].filter((field) => field in created);
    },
    expected: [],
  },
  {
    name: "a generated name is the prefix and five characters",
    run: async (desk) => {
      const body = { ...desk.widget(), metadata: { generateName: "gen-" } };
      const { name, generateName } = accepted(await desk.send("POST", desk.path(), { body }), 201).metadata;
      return { name: /^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/.test(name), generateName };
    },
    expected: { name: true, generateName: "gen-" },
  },
  {
    name: "a name wins over a prefix",
    run: async (desk) => (await desk.given({ size: 1 }, { metadata: { generateName: "gen-" } })).metadata.name,
    expected: "one",
  },
  {
    name: "a resourceVersion that is no number is dropped",
    run: async (desk) => {
      const { resourceVersion } = (await desk.given({ size: 1 }, { metadata: { resourceVersion: "abc" } })).metadata;
      return /^[0-9]+$/.test(String(resourceVersion));
    },
    expected: true,
  },
  {
    name: "the status of a new object is dropped, as the kind has a status subresource",
    run: async (desk) => (await desk.given({ size: 1 }, { status: { phase: "Running" } }))["status"] ?? "none",
    expected: "none",
  },
  {
    name: "the status of a new object may be invalid, as it is dropped before the validation",
    run: async (desk) => {
      const body = desk.widget({ size: 1 }, { status: { phase: "Nope" } });
      return (await desk.send("POST", desk.path(), { body })).status;
    },
    expected: 201,
  },
  {
    name: "a dry run answers as a creation does and leaves nothing",
    run: async (desk) => {
      const dry = await desk.send("POST", desk.path(), { body: desk.widget(), query: { dryRun: "All" } });
      const { uid, resourceVersion = "none", generation } = accepted(dry, 201).metadata;
      return {
        hasUid: uid !== undefined,
        resourceVersion,
        generation,
        after: (await desk.send("GET", desk.path("one"))).status,
      };
    },
    expected: { hasUid: true, resourceVersion: "none", generation: 1, after: 404 },
  },
]);
