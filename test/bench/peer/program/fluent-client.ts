/** kubernetes-fluent-client's Watcher, each object as JSON to JetStream: as in the library's README. */
// It has 120 packages, so it is installed when it is measured, and found by the bundler: fluent-client.ts beside this folder.
// @ts-expect-error: not here
import { GenericKind, K8s, RegisterKind } from "kubernetes-fluent-client";
import { group, kubeconfigPath, openPublisher } from "./publish.ts";

const OPERATIONS: Readonly<Record<string, string>> = { ADDED: "created", MODIFIED: "updated", DELETED: "deleted" };

process.env["KUBECONFIG"] = kubeconfigPath;
class Database extends GenericKind {}
RegisterKind(Database, { group, version: "v1", kind: "Database", plural: "databases" });
const publish = await openPublisher();
const watcher = K8s(Database).Watch((object: Parameters<typeof publish>[1], phase: string) => {
  publish(OPERATIONS[phase] ?? phase, object);
});
watcher.events.on("connect", () => process.stdout.write("synced\n"));
for (const trouble of ["network_error", "data_error", "list_error", "watch_error"])
  watcher.events.on(trouble, (error: unknown) => process.stderr.write(`${trouble}: ${error}\n`));
await watcher.start();
