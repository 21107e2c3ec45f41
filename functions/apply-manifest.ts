/**
 * Applies a manifest with the event's values in it, by server-side apply under the function's own field manager: what is in the manifest is
 * kept so, what others own is theirs. A conflict is a dead letter that names the managers, unless `force` takes the fields over.
 * Source: Kubernetes documentation, "Server-Side Apply".
 */
import { z } from "zod";
import { defineFunction, type Envelope, opOf, PermanentError } from "#kit";
import { createKubeClients, isOwnChange, type KubePlace, KubeSettings, placeOf } from "./actions/kube/kube-client.ts";
import { fillManifest, type Manifest, ManifestTemplate, manifestRight } from "./actions/kube/manifest.ts";
import { ownerReferences } from "./actions/kube/origin.ts";

const Config = z.strictObject({
  /** The object as it is to be, with templates for its values. Without a namespace: the one of the event's object. */
  manifest: ManifestTemplate,
  /** Whether fields that other managers own are taken over. */
  force: z.boolean().default(false),
  /** Whether it goes with the event's object (an owner reference). */
  owner: z.boolean().default(false),
  kubernetes: KubeSettings,
});

/** The function with its connections to API servers. */
function createApplyManifest() {
  const clients = createKubeClients();
  return defineFunction({
    name: "apply-manifest",
    description: "Applies a Kubernetes manifest with the change's values in it (server-side apply).",
    config: Config,
    rights: ({ manifest, kubernetes }) => [{ ...manifestRight(manifest), kubernetes }],
    async run(context) {
      const { event, config } = context;
      if (isOwnChange(context)) return "left alone: a function made this change";
      const client = clients(config.kubernetes, context);
      const manifest = fillManifest(config.manifest, context);
      const { plural, isNamespaced } = await client.kind(manifest.apiVersion, manifest.kind);
      const namespace = isNamespaced ? namespaceOf(manifest, event) : undefined;
      const place = { apiVersion: manifest.apiVersion, plural, namespace, name: manifest.metadata.name };
      const isEventsOwn = isSame(place, placeOf(event));
      if (isEventsOwn && opOf(event) === "deleted") return "left alone: the object is deleted";
      const metadata = {
        ...manifest.metadata,
        ...(namespace !== undefined && { namespace }),
        // Else an object that was deleted meanwhile would come again.
        ...(isEventsOwn && { uid: event.data.object.metadata.uid }),
        ...(config.owner && ownerReferences(event, namespace)),
      };
      const applied = await client.apply(place, { ...manifest, metadata }, { force: config.force });
      const title = `${manifest.kind} ${namespace === undefined ? "" : `${namespace}/`}${place.name}`;
      return `${title} applied, resourceVersion ${applied.metadata.resourceVersion}`;
    },
  });
}

export default createApplyManifest();

function namespaceOf({ kind, metadata }: Manifest, event: Envelope): string {
  const namespace = metadata.namespace ?? event.namespace;
  if (namespace !== undefined) return namespace;
  throw new PermanentError(
    `${kind} ${metadata.name} needs a namespace, and ${event.kind} ${event.name} has none: set manifest.metadata.namespace`,
  );
}

function isSame(one: KubePlace, other: KubePlace): boolean {
  const group = ({ apiVersion }: KubePlace) => apiVersion.split("/").slice(0, -1).join("");
  return (
    group(one) === group(other) &&
    one.plural === other.plural &&
    one.namespace === other.namespace &&
    one.name === other.name
  );
}
