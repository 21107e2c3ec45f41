/** Ours: the bundle that releases have, with its default settings: difference, transitions, fence, state, metrics, janitor. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { EVENTS_STREAM } from "../../../bridge/nats/stream.ts";
import type { Peer } from "./peer.ts";

/** What it says when a first list, or a checkpoint, is there. */
const SYNCED = /is compared with the log|resuming behind the checkpoint/;

/** The peer, from a build that is there. */
export function us(bundle: string): Peer {
  return {
    ...{ name: "us", stream: EVENTS_STREAM },
    launch({ kubeconfigPath, natsUrl, group }, folder) {
      const config = join(folder, "bridge.yaml");
      const settings = {
        ...{ cluster: "bench", resources: [{ apiVersion: `${group}/v1`, kind: "Database" }] },
        ...{ nats: { servers: [natsUrl] }, kubernetes: { kubeconfig: kubeconfigPath } },
        health: { host: "127.0.0.1", port: 0 },
      };
      writeFileSync(config, stringify(settings));
      const args = [join(bundle, "cr-reactor.js"), "bridge", "--config", config];
      return { command: process.execPath, args, isSynced: SYNCED };
    },
    objectOf: (message) => (message as { data: { object: unknown } }).data.object,
  };
}
