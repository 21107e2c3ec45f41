/**
 * Runs `cr-reactor doctor` as a user does, and reads what it says. Every run also holds what is promised of all of them: no secret and no
 * stack trace in any output, and a JSON form that keeps to its schema.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { z } from "zod";
import type { NatsOptions } from "../../kit/nats-server.ts";

const CLI = join(import.meta.dirname, "../../../cli/main.ts");
/** Where no NATS is. */
export const NOWHERE = "nats://127.0.0.1:1";
/** Stands for every secret; it is also in the environment variable SECRET. */
export const SECRET = "hunter2";
process.env["SECRET"] = SECRET;
/** Lines of a configuration: sign in as the user `bridge` of `restricted`. */
export const AS_BRIDGE = "nats: { user: bridge, password: { env: SECRET } }";

const Report = z.strictObject({
  ok: z.boolean(),
  checks: z.array(
    z.strictObject({
      part: z.string(),
      name: z.string(),
      status: z.enum(["ok", "warning", "failed", "skipped"]),
      detail: z.string().min(1),
      next: z.string().min(1).optional(),
    }),
  ),
});

type Environment = Readonly<Record<string, string>>;

/** Runs the command to its end. No server is found unless the test names one. */
export async function runDoctor(args: readonly string[], env: Environment = {}) {
  const child = spawn(process.execPath, [CLI, "doctor", ...args], {
    env: { ...process.env, NO_COLOR: "1", HOME: "/nowhere", KUBECONFIG: "", NATS_URL: NOWHERE, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out = "", err = ""] = await Promise.all(
    [child.stdout, child.stderr].map(async (stream) => (await Array.fromAsync(stream)).join("")),
  );
  const code = child.exitCode ?? (await new Promise<number | null>((resolve) => child.once("close", resolve)));
  assert.doesNotMatch(out + err, new RegExp(SECRET));
  assert.doesNotMatch(out + err, /\n\s+at /, "no stack");
  return { code, out, err };
}

/** The checks, each as `part status: detail → next`. */
export async function doctor(args: readonly string[], env: Environment = {}) {
  const { code, out, err } = await runDoctor([...args, "--json"], env);
  assert.equal(err, "");
  const { ok, checks } = Report.parse(JSON.parse(out));
  const lines = checks.map(
    ({ part, status, detail, next }) => `${part} ${status}: ${detail}${next === undefined ? "" : ` → ${next}`}`,
  );
  return { code, ok, lines, text: lines.join("\n") };
}

/** A file that is removed with the test; answers its path. */
export function file(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "cr-reactor-doctor-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

/** The line of the tests' kind, with further fields of its entry. */
export function resource(fields = ""): string {
  return `resources: [{ apiVersion: demo.example.com/v1, kind: Database${fields} }]`;
}

/** A bridge.yaml with further lines. */
export function bridgeText(more = "", resources = resource()): string {
  return `cluster: dev\n${resources}\n${more}\n`;
}

/** A subscriptions.yaml with one subscription to the tests' kind, and further lines. */
export function subscriptionText(more = ""): string {
  const config = "config: { webhookUrl: { env: SECRET } }";
  return `subscriptions:\n  - { name: failed, function: notify-slack, apiVersion: demo.example.com/v1, kind: Database, ${config} }\n${more}\n`;
}

/** A NATS with an account A, in which the user `admin` may do everything and `bridge` what is given. Who does not sign in is the admin. */
export function restricted(permissions: string, account = "jetstream: enabled"): NatsOptions {
  return {
    config: `accounts { A { ${account}
      users: [
        { user: admin, password: ${SECRET} }
        { user: bridge, password: ${SECRET}, permissions: ${permissions} }
      ] } }
      no_auth_user: admin`,
  };
}
