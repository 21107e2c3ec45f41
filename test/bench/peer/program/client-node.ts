/** @kubernetes/client-node's informer, each object as JSON to JetStream: as in the library's examples. */
import { CustomObjectsApi, KubeConfig, type KubernetesObject, makeInformer } from "@kubernetes/client-node";
import { group, kubeconfigPath, openPublisher } from "./publish.ts";

const config = new KubeConfig();
config.loadFromFile(kubeconfigPath);
const api = config.makeApiClient(CustomObjectsApi);
const publish = await openPublisher();
const list = async () => {
  const found = await api.listClusterCustomObject({ group, version: "v1", plural: "databases" });
  process.nextTick(() => setImmediate(() => process.stdout.write("synced\n"))); // when the informer has told them
  return found;
};
const informer = makeInformer<KubernetesObject>(config, `/apis/${group}/v1/databases`, list);
informer.on("add", (object) => publish("created", object));
informer.on("update", (object) => publish("updated", object));
informer.on("delete", (object) => publish("deleted", object));
informer.on("error", (error: unknown) => {
  process.stderr.write(`${error}\n`);
  setTimeout(() => void informer.start(), 1_000);
});
await informer.start();
