/**
 * kubernetes-fluent-client, which brings 120 packages and 105 MB: its package.json and lock are in `fluent/`, and it is installed once, into the user's
 * cache folder, when it is first measured.
 */
import { hash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheFolder } from "../../kit/binary.ts";
import { runCommand } from "../../kit/install/command.ts";
import { stderrReport, withHeartbeat } from "../../kit/install/progress.ts";
import { nodePeer } from "./node-program.ts";
import { type Peer, PeerMissingError } from "./peer.ts";

const MANIFEST = join(import.meta.dirname, "fluent");
const FILES = ["package.json", "package-lock.json"];
const INSTALL_MS_MAX = 3 * 60_000;

/** Installs it where it is not installed yet. Throws PeerMissingError. */
export async function fluentClient(folder: string): Promise<Peer> {
  const installed = await install().catch((cause: Error) => {
    throw new PeerMissingError(`kubernetes-fluent-client cannot be installed: ${cause.message}`, { cause });
  });
  return await nodePeer("fluent-client", folder, [join(installed, "node_modules")]);
}

async function install(): Promise<string> {
  const version = hash("sha256", readFileSync(join(MANIFEST, "package-lock.json"), "utf8"), "hex").slice(0, 12);
  const place = join(cacheFolder(), "bench-fluent-client", version);
  if (existsSync(place)) return place;
  const partial = `${place}.${process.pid}`; // renamed when it is whole
  mkdirSync(partial, { recursive: true });
  try {
    for (const file of FILES) copyFileSync(join(MANIFEST, file), join(partial, file));
    const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
    const run = () => runCommand("npm", args, { cwd: partial, env: process.env, runMsMax: INSTALL_MS_MAX });
    await withHeartbeat(stderrReport(), "kubernetes-fluent-client: npm ci, once, some seconds", run);
    if (!existsSync(place)) renameSync(partial, place);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return place;
}
