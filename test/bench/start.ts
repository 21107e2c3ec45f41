/**
 * From the start of a process of functions to what it first does, with and without Node's compile cache; `npm run bench -- --only functions` has the
 * first of these beside other figures.
 *
 *     node test/bench/start.ts [rounds]
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connectJetStream } from "../../bridge/nats/jetstream.ts";
import { build } from "../../build.ts";
import { createDataFolder } from "../kit/data-folder.ts";
import { startNats } from "../kit/nats-server.ts";
import { summaryOf } from "./statistics.ts";
import { openWakeUp } from "./wake-up.ts";

const rounds = Number(process.argv[2] ?? 7);
const folder = createDataFolder("bench-start");
writeFileSync(join(folder.path, "package.json"), JSON.stringify({ type: "module" })); // as in an installed package
const bundle = join(folder.path, "dist");
await build(bundle);
await using nats = await startNats();
const jetStream = await connectJetStream({ servers: [nats.url] }, "bench");
await using wakeUp = await openWakeUp(nats, jetStream, bundle);

/** In turn, so that whatever else the machine does meets both. */
const VARIANTS = [
  { name: "no compile cache", env: { NODE_DISABLE_COMPILE_CACHE: "1" } },
  { name: "compile cache", env: { NODE_COMPILE_CACHE: join(folder.path, "cache") } },
];

try {
  for (const command of ["run", "serve"] as const) {
    const times = VARIANTS.map((): number[] => []);
    for (let round = 0; round <= rounds; round++) {
      for (const [index, { env }] of VARIANTS.entries()) {
        const timeMs = await wakeUp[command](env);
        if (round > 0) times[index]?.push(timeMs); // the first fills the caches
      }
    }
    for (const [index, { name }] of VARIANTS.entries()) {
      const { median, min } = summaryOf(times[index] ?? []);
      process.stdout.write(`${command}, ${name}: median ${median.toFixed(0)} ms, fastest ${min.toFixed(0)} ms\n`);
    }
  }
} finally {
  await jetStream.close();
  folder.remove();
}
