/** A real Prometheus on a free loopback port, which scrapes what it is told every second. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { findBinary } from "./binary.ts";
import { createDataFolder } from "./data-folder.ts";
import { withFreePorts } from "./free-port.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

const Answer = z.looseObject({ status: z.string(), error: z.string().optional(), data: z.unknown() });

/** A started Prometheus. */
export interface Prometheus extends ServerProcess {
  /** The result of an instant query. Throws an Error with Prometheus' own words about an expression that it does not take. */
  query(expression: string): Promise<readonly unknown[]>;
  /** The names of all metrics that it has. */
  names(): Promise<readonly string[]>;
}

/** Starts one. Throws BinaryMissingError and ServerStartError. */
export async function startPrometheus(targets: readonly string[]): Promise<Prometheus> {
  const command = await findBinary("prometheus");
  return withFreePorts(1, async ([port]) => {
    const folder = createDataFolder("prometheus");
    const configPath = join(folder.path, "prometheus.yml");
    const scrape = targets.map((target, index) => ({
      ...{ job_name: `target-${index}`, scrape_interval: "1s", scrape_timeout: "1s", honor_labels: true },
      static_configs: [{ targets: [target] }],
    }));
    writeFileSync(configPath, stringify({ scrape_configs: scrape }));
    const url = `http://127.0.0.1:${port}`;
    const server = await startServer({
      name: "prometheus",
      command,
      args: () => [
        `--config.file=${configPath}`,
        `--storage.tsdb.path=${join(folder.path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      folder,
      isReady: () =>
        fetch(`${url}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
    });
    const ask = async (path: string) => {
      const { status, error, data } = Answer.parse(await (await fetch(url + path)).json());
      if (status !== "success") throw new Error(error ?? status);
      return data;
    };
    return Object.assign(server, {
      async query(expression: string) {
        const data = await ask(`/api/v1/query?${new URLSearchParams({ query: expression })}`);
        return z.object({ result: z.array(z.unknown()) }).parse(data).result;
      },
      names: async () => z.array(z.string()).parse(await ask("/api/v1/label/__name__/values")),
    });
  });
}
