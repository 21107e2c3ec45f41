/**
 * A CustomResourceDefinition with two versions, v1 in storage and v2 with another structure, and the conversion webhook between
 * them: an HTTPS server of the test on loopback, with the API server's own certificate, which can be down.
 * Source: Kubernetes "Versions in CustomResourceDefinitions", webhook request and response (apiextensions.k8s.io/v1 ConversionReview).
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import type { KubeAccess } from "./kube-access.ts";

/** A kind whose versions are converted. */
export interface ConvertedKind extends AsyncDisposable {
  readonly group: string;
  /** The API path of a version's objects in a namespace. */
  path(version: "v1" | "v2", namespace: string, name?: string): string;
  /** Refuses every conversion until it is up again. */
  setDown(isDown: boolean): void;
}

interface Gadget {
  readonly apiVersion: string;
  readonly spec: { readonly replicas?: number; readonly size?: { readonly count?: number } };
}

interface ConversionReview {
  readonly request: { readonly uid: string; readonly desiredAPIVersion: string; readonly objects: readonly Gadget[] };
}

/** Starts the webhook and applies the kind Gadget of the group: v1 has `spec.replicas`, v2 has `spec.size.count`. */
export async function serveConvertedKind(kube: KubeAccess, group: string): Promise<ConvertedKind> {
  const certificates = join(dirname(kube.kubeconfigPath), "certs");
  const [cert, key] = ["apiserver.crt", "apiserver.key"].map((file) => readFileSync(join(certificates, file)));
  let down = false;
  const server = createServer({ cert, key }, async (request, response) => {
    const review = JSON.parse(await text(request)) as ConversionReview;
    if (down) return response.writeHead(503).end("down on demand");
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer(review)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/convert`;
  await kube.client.applyCrd(gadgetCrd(group, url, String(cert)));
  return {
    group,
    path: (version, namespace, name) =>
      `/apis/${group}/${version}/namespaces/${namespace}/gadgets${name === undefined ? "" : `/${name}`}`,
    setDown(isDown) {
      down = isDown;
    },
    async [Symbol.asyncDispose]() {
      await kube.client.delete(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.${group}`);
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer({ request: { uid, desiredAPIVersion, objects } }: ConversionReview): object {
  const convertedObjects = objects.map((object) => {
    const count = object.spec.replicas ?? object.spec.size?.count;
    const spec = desiredAPIVersion.endsWith("/v1") ? { replicas: count } : { size: { count } };
    return { ...object, apiVersion: desiredAPIVersion, spec };
  });
  const response = { uid, convertedObjects, result: { status: "Success" } };
  return { apiVersion: "apiextensions.k8s.io/v1", kind: "ConversionReview", response };
}

function gadgetCrd(group: string, url: string, certificatePem: string) {
  const version = (name: string, spec: object) => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties: spec } } } },
  });
  const count = { type: "integer" };
  const clientConfig = { url, caBundle: Buffer.from(certificatePem).toString("base64") };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `gadgets.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind: "Gadget", listKind: "GadgetList", plural: "gadgets", singular: "gadget" },
      versions: [
        version("v1", { replicas: count }),
        version("v2", { size: { type: "object", properties: { count } } }),
      ],
      conversion: { strategy: "Webhook", webhook: { clientConfig, conversionReviewVersions: ["v1"] } },
    },
  };
}
