/**
 * Where a secret comes from: an environment variable or a file, never the configuration itself, so that configuration can be
 * committed and logged. Read when it is used, so that a rotated file needs no restart. Errors name the source, never the value.
 */
import { hash, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { z } from "zod";

/** `{ env: NAME }` or `{ file: /path }`. */
export const SecretSource = z.union(
  [z.strictObject({ env: z.string().min(1) }), z.strictObject({ file: z.string().min(1) })],
  { error: "expected { env: NAME } or { file: /path }: a secret is never written into the configuration" },
);
export type SecretSource = z.infer<typeof SecretSource>;

/** The secret cannot be read, or is empty. */
export class SecretError extends Error {
  readonly code = "SECRET_UNREADABLE";
  override readonly name = "SecretError";
}

/** Reads the secret, without the white space around it. Throws SecretError that says where it was looked for. */
export function readSecret(source: SecretSource, environment: NodeJS.ProcessEnv = process.env): string {
  const secret = "env" in source ? environment[source.env] : readFileText(source.file);
  if (secret?.trim()) return secret.trim();
  const where =
    "env" in source ? `the environment variable ${source.env} is not set` : `the file ${source.file} is empty`;
  throw new SecretError(`${where}: set it to the secret, or name another source`);
}

/** Compares in the same time whatever they are: digests have one length, which that needs, and tell nothing of that of the secret. */
export function isSameSecret(one: string, other: string): boolean {
  return timingSafeEqual(hash("sha256", one, "buffer"), hash("sha256", other, "buffer"));
}

function readFileText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new SecretError(`the file ${path} with a secret cannot be read: mount it, or name another source`, { cause });
  }
}
