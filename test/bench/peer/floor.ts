/** The floor: `../floor/main.go`, built with Go once for these sources, and kept where the test kit keeps what it builds. */
import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findBinary } from "../../kit/binary.ts";
import { buildWithGo } from "../../kit/install/go-build.ts";
import { type Peer, PeerMissingError } from "./peer.ts";

const SOURCES = join(import.meta.dirname, "../floor");

/** Builds it where it is not built yet. Throws PeerMissingError. */
export async function floor(): Promise<Peer> {
  const text = ["main.go", "go.mod", "go.sum"].map((file) => readFileSync(join(SOURCES, file), "utf8")).join("");
  const version = hash("sha256", text, "hex").slice(0, 12);
  const pin = { package: ".", module: "../bench/floor", variables: { "main.version": version } };
  const label = "build with Go, once, about 90 seconds on two cores";
  const recipe = { label, version, make: (out: string) => buildWithGo(pin, out, process.env) };
  const command = await findBinary("bench-floor", { recipes: [recipe] }).catch((cause: Error) => {
    throw new PeerMissingError(cause.message, { cause });
  });
  return {
    ...{ name: "floor", stream: "BENCH_FLOOR", subject: "bench.floor" },
    launch: ({ kubeconfigPath, natsUrl, group }) => {
      return { command, args: [kubeconfigPath, natsUrl, group, "bench.floor"], isSynced: /^synced$/ };
    },
    objectOf: (message) => message,
  };
}
