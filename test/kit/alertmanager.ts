/** A real Alertmanager on a free loopback port, which routes everything to nobody. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { findBinary } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { withFreePorts } from "./free-port.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** An alert as Alertmanager tells it; resolved ones it does not tell. */
const Alert = z.object({
  labels: z.record(z.string(), z.string()),
  annotations: z.record(z.string(), z.string()),
  startsAt: z.string(),
  endsAt: z.string(),
  generatorURL: z.string().optional(),
  status: z.object({ state: z.string() }),
});

/** A started Alertmanager. */
export interface Alertmanager extends ServerProcess {
  readonly url: string;
  alerts(): Promise<z.infer<typeof Alert>[]>;
}

/** Starts one. Throws BinaryMissingError and ServerStartError. */
export async function startAlertmanager(): Promise<Alertmanager> {
  const command = await findBinary("alertmanager");
  return withFreePorts(1, async ([port]) => {
    const folder = createDataFolder("alertmanager");
    const configPath = join(folder.path, "alertmanager.yml");
    writeFileSync(configPath, "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n");
    const url = `http://127.0.0.1:${port}`;
    const server = await startServer({
      name: "alertmanager",
      command,
      args: () => [
        `--config.file=${configPath}`,
        `--storage.path=${join(folder.path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--cluster.listen-address=",
      ],
      folder,
      isReady: () =>
        fetch(`${url}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
    });
    const alerts = async () => z.array(Alert).parse(await (await fetch(`${url}/api/v2/alerts`)).json());
    return Object.assign(server, { url, alerts });
  });
}
