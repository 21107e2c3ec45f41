/** The peers in TypeScript, bundled as our own commands are: unbundled, their libraries start three times slower and take more memory. */
import { join } from "node:path";
import { build } from "esbuild";
import type { PeerName } from "../measure.ts";
import { type Peer, PeerMissingError } from "./peer.ts";

/** CommonJS packages inside ask for Node's modules with `require`, which an ES module does not have. */
const REQUIRE = `import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);`;

/** Bundles `program/<name>.ts` into the folder; packages are found here, and below `modules`. Throws PeerMissingError. */
export async function nodePeer(name: PeerName, folder: string, modules: readonly string[] = []): Promise<Peer> {
  const program = join(folder, `${name}.mjs`);
  const subject = `bench.${name}`;
  await build({
    entryPoints: [join(import.meta.dirname, `program/${name}.ts`)],
    outfile: program,
    nodePaths: [...modules],
    ...{ bundle: true, format: "esm", platform: "node", banner: { js: REQUIRE }, logLevel: "silent" },
  }).catch((cause: Error) => {
    throw new PeerMissingError(`${name} cannot be bundled: ${cause.message}`, { cause });
  });
  return {
    ...{ name, stream: `BENCH_${name.replace("-", "_").toUpperCase()}`, subject },
    launch: ({ kubeconfigPath, natsUrl, group }) => {
      const args = [program, kubeconfigPath, natsUrl, group, subject];
      return { command: process.execPath, args, isSynced: /^synced$/ };
    },
    objectOf: (message) => message,
  };
}
