/**
 * A namespace as the log knows it, where a bridge captures Namespaces: its last event decides. Functions watch nothing themselves, so where
 * the log has none, what a namespace says is not known.
 */
import {
  type Envelope,
  EVENTS_STREAM,
  getStored,
  type JetStream,
  type KubeObject,
  type Logger,
  objectSubject,
  opOf,
  readEvent,
} from "#contract";

/** Namespaces that are warned about; more tell nothing new. */
const TOLD_MAX = 100;

/** Reads the namespace of an event's object; `undefined` where the object has none, or the log does not know it: each is warned about once. */
export function readNamespaces(jetStream: JetStream, log: Logger) {
  const told = new Set<string>();
  return async ({ cluster, namespace = "" }: Envelope, signal: AbortSignal): Promise<KubeObject | undefined> => {
    if (namespace === "") return undefined;
    const stored = await getStored(jetStream, EVENTS_STREAM, { last_by_subj: namespaceSubject(cluster, namespace) });
    if (stored !== undefined) {
      const event = await readEvent(jetStream, stored.data, signal);
      return opOf(event) === "deleted" ? undefined : event.data.object;
    }
    const place = `${cluster}/${namespace}`;
    if (!told.has(place) && told.size < TOLD_MAX)
      log.warn(
        { cluster, namespace },
        "the log does not know the namespace, so what it says silences nothing: let the bridge capture Namespaces (apiVersion v1)",
      );
    told.add(place);
    return undefined;
  };
}

/** All events of a Namespace. */
function namespaceSubject(cluster: string, name: string): string {
  return `${objectSubject({ cluster, group: "", kind: "Namespace", namespace: "", name })}.>`;
}
