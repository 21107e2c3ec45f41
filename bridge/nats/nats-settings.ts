/**
 * How to reach NATS: the settings the bridge and the functions share, from configuration and the environment variables
 * NATS_URL, NATS_USER, NATS_PASSWORD, NATS_TOKEN and NATS_CREDS.
 */
import { z } from "zod";
import { SecretSource } from "../secret.ts";

/** Connection settings; every field may be left out. */
export const NatsSettings = z
  .strictObject({
    /** Server URLs; default: NATS_URL, else nats://127.0.0.1:4222. */
    servers: z.array(z.string().min(1)).min(1).optional(),
    user: z.string().min(1).optional(),
    password: SecretSource.optional(),
    token: SecretSource.optional(),
    /** Path of a `.creds` file (JWT and NKey seed). */
    credsFile: z.string().min(1).optional(),
    tls: z
      .strictObject({
        caFile: z.string().exactOptional(),
        certFile: z.string().exactOptional(),
        keyFile: z.string().exactOptional(),
      })
      .optional(),
  })
  .prefault({});
export type NatsSettings = z.infer<typeof NatsSettings>;

/** Fills in what the configuration leaves out: option > environment > default. */
export function resolveNatsSettings(
  settings: NatsSettings,
  environment: NodeJS.ProcessEnv = process.env,
): NatsSettings {
  const { NATS_URL, NATS_USER, NATS_PASSWORD, NATS_TOKEN, NATS_CREDS } = environment;
  return {
    ...settings,
    servers: settings.servers ?? NATS_URL?.split(",").map((url) => url.trim()) ?? ["nats://127.0.0.1:4222"],
    ...(!settings.user && NATS_USER && { user: NATS_USER }),
    ...(!settings.password && NATS_PASSWORD && { password: { env: "NATS_PASSWORD" } }),
    ...(!settings.token && NATS_TOKEN && { token: { env: "NATS_TOKEN" } }),
    ...(!settings.credsFile && NATS_CREDS && { credsFile: NATS_CREDS }),
  };
}

/** A server URL as it may be shown: without user and password. */
export function shownServer(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//");
}
