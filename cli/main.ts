#!/usr/bin/env node
/**
 * The command line. Its commands are told in program/; each is a file that is loaded only when it is used, so that `tail` does not pay for the Kubernetes
 * client. Results go to standard output, everything else to standard error; the exit code is 0 when it worked, 1 when it did
 * not, 2 when the command or a configuration file is wrong.
 */
import { enableCompileCache } from "node:module";
import { CommanderError } from "commander";
import { createProgram } from "./program/program.ts";
import { failure } from "./terminal.ts";

const EXIT_USAGE = 2;
/** What the user wrote is wrong, so that the same command fails again: names, files, and what is in them. */
const USAGE_CODES = new Set([
  "CONFIG_INVALID",
  "FILE_UNREADABLE",
  "MANIFEST_INVALID",
  "NEW_FUNCTION",
  "SUBSCRIPTION_INVALID",
  "UNKNOWN_SCHEMA",
]);
/** Ended by Ctrl-C before it was through (128 + SIGINT, as shells have it). */
const EXIT_STOPPED = 130;

// What a command loads is compiled once, not at each start; where the cache cannot be written nothing changes.
enableCompileCache();

// Whoever reads the output has seen enough: `cr-reactor tail | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
  failure(error);
  if (error instanceof Error && error.name === "AbortError") return EXIT_STOPPED;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return USAGE_CODES.has(String(code)) ? EXIT_USAGE : 1;
}
