/** The embedded API server for one test that the real one cannot pass: its door and its faults at hand, besides what a case has. */
import type { TestContext } from "node:test";
import type { EmbeddedKubeOptions } from "../../../cli/embedded/embedded.ts";
import { database, databasePath } from "../../kit/database-crd.ts";
import { openEmbedded } from "../../kit/embedded-kube.ts";
import { type Query, read } from "./conformance/reading.ts";
import type { Target } from "./conformance/target.ts";
import { openWatch } from "./conformance/watching.ts";

const LIST = databasePath("default");

/** Starts the server, stopped after the test, and gives a hand on Databases in `default`. */
export async function openScene(t: TestContext, options?: EmbeddedKubeOptions) {
  const stage = await openEmbedded(t, options);
  const { server, client, kubeconfigPath } = stage;
  const target: Target = { name: "embedded", url: server.url, token: "", caPem: "", client, kubeconfigPath };
  return {
    server,
    client,
    target,
    restart: stage.restart,
    create: (name: string, namespace = "default") => client.create(databasePath(namespace), database(name, namespace)),
    label: (name: string, label: string) =>
      client.patch(databasePath("default", name), { metadata: { labels: { label } } }),
    list: (query?: Query) => read(target, LIST, query),
    watch: (query?: Query, path = LIST) => openWatch(t, target, path, query),
  };
}
