/**
 * A real nats-server with JetStream on a free loopback port, ready in about 0.1 s. Port and data survive `kill()` and `restart()`.
 * What the tests vary — limits, clusters, users — is given as lines of its own configuration language.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findBinary } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { withFreePorts } from "./free-port.ts";
import type { Report } from "./install/progress.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** All optional: without them an open server with JetStream. */
export interface NatsOptions {
  /** @default nats-server: the newest */
  readonly binary?: "nats-server" | "nats-server-2.11";
  /** Further configuration, at top level: `max_payload: 64KB`, `cluster { … }`, `accounts { … }`. */
  readonly config?: string;
  /** Further configuration inside the `jetstream` block: `sync_interval: always`, `max_file_store: 10MB`. */
  readonly jetstream?: string;
  /** What a client must present. Without it everybody may connect. */
  readonly auth?: { readonly user: string; readonly password: string } | { readonly token: string };
  /** @default a free port between 20000 and 32000 */
  readonly port?: number;
  /** Where streams are kept; the caller's folder is never removed. @default inside the server's own data folder */
  readonly storeDir?: string;
  /** Where progress is told if the binary has to be installed first. @default standard error */
  readonly report?: Report;
}

/** A started nats-server. */
export interface NatsServer extends ServerProcess {
  /** `nats://127.0.0.1:<port>`, without credentials. */
  readonly url: string;
  readonly port: number;
  /** As it calls itself in a cluster. */
  readonly serverName: string;
  /** The monitoring endpoint, for `/jsz` and `/healthz`. */
  readonly monitorUrl: string;
  readonly storeDir: string;
  /** Its configuration file. Rewrite it, then `restart()`, or `kill("SIGHUP")` to reload. */
  readonly configPath: string;
}

/** Starts a nats-server. Throws BinaryMissingError and ServerStartError. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const command = await findBinary(
    options.binary ?? "nats-server",
    options.report === undefined ? {} : { report: options.report },
  );
  return withFreePorts(2, async ([freePort = 0, monitorPort = 0]) => {
    const port = options.port ?? freePort;
    const folder = createDataFolder("nats");
    const storeDir = options.storeDir ?? join(folder.path, "store");
    const configPath = join(folder.path, "nats.conf");
    writeFileSync(configPath, configText({ ...options, port, monitorPort, storeDir }), { mode: 0o600 });
    const process = await startServer({
      name: "nats-server",
      command,
      args: () => ["--config", configPath],
      folder,
      isReady: /Server is ready/,
    });
    const monitorUrl = `http://127.0.0.1:${monitorPort}`;
    // Assigned onto the process and not spread from it: its pid and startMs are read when asked for.
    const url = `nats://127.0.0.1:${port}`;
    return Object.assign(process, { url, port, serverName: nameOf(port), monitorUrl, storeDir, configPath });
  });
}

const nameOf = (port: number): string => `test-${port}`;

interface ResolvedOptions extends NatsOptions {
  readonly port: number;
  readonly monitorPort: number;
  readonly storeDir: string;
}

function configText({ config = "", jetstream = "", auth, port, monitorPort, storeDir }: ResolvedOptions): string {
  return `host: "127.0.0.1"
port: ${port}
http: "127.0.0.1:${monitorPort}"
server_name: "${nameOf(port)}"
jetstream {
  store_dir: ${JSON.stringify(storeDir)}
  ${jetstream}
}
${authorization(auth)}
${config}
`;
}

function authorization(auth: NatsOptions["auth"]): string {
  if (auth === undefined) return "";
  if ("token" in auth) return `authorization { token: ${JSON.stringify(auth.token)} }`;
  return `authorization { user: ${JSON.stringify(auth.user)}, password: ${JSON.stringify(auth.password)} }`;
}
