/**
 * A real etcd on free loopback ports: the store of the API server in the tests. Without fsync, because the tests kill
 * processes and not machines: what a process has written stays.
 */
import { findBinary } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { withFreePorts } from "./free-port.ts";
import type { Report } from "./install/progress.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** A started etcd. */
export interface EtcdServer extends ServerProcess {
  /** For clients: `http://127.0.0.1:<port>`. */
  readonly url: string;
  /** Its data directory, to be copied while it is down: a backup that can be restored. */
  readonly dataDir: string;
}

/** Starts an etcd. Throws BinaryMissingError and ServerStartError. */
export async function startEtcd(options: { readonly report?: Report } = {}): Promise<EtcdServer> {
  const command = await findBinary("etcd", options);
  return withFreePorts(2, async ([clientPort, peerPort]) => {
    const folder = createDataFolder("etcd");
    const url = `http://127.0.0.1:${clientPort}`;
    const peerUrl = `http://127.0.0.1:${peerPort}`;
    const dataDir = `${folder.path}/data`;
    const flags = {
      "data-dir": dataDir,
      "unsafe-no-fsync": true,
      "listen-client-urls": url,
      "advertise-client-urls": url,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`,
    };
    const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
    const server = await startServer({
      name: "etcd",
      command,
      args: () => args,
      folder,
      isReady: /ready to serve client requests/,
    });
    return Object.assign(server, { url, dataDir });
  });
}
