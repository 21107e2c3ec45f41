/**
 * Writes every change as one line of JSON, in the Elastic Common Schema, for a SIEM or a log pipeline: to a file, to standard output or to
 * an HTTP collector. Each line carries the hash of the one before; `cr-reactor audit verify` checks them.
 */
import { hostname } from "node:os";
import { z } from "zod";
import { defineFunction } from "#kit";
import { type AuditCollector, createAuditCollector } from "./actions/audit/audit-collector.ts";
import { type AuditFile, createAuditFile } from "./actions/audit/audit-file.ts";
import { auditRecord } from "./actions/audit/audit-record.ts";
import { httpRequest } from "./actions/http-client.ts";
import { endpointHeaders, HttpEndpoint } from "./actions/http-endpoint.ts";

/** A line with more is cut by most collectors. */
const FIELDS_MAX = 500;

const Target = z.discriminatedUnion("type", [
  /** `{hostname}` in the path is the process's: two processes must not write to one file. */
  z.strictObject({ type: z.literal("file"), path: z.string().min(1) }),
  z.strictObject({ type: z.literal("stdout") }),
  /** Each line is a POST of its own, as `application/x-ndjson`. */
  HttpEndpoint.extend({ type: z.literal("http") }),
]);
type Target = z.output<typeof Target>;

const Config = z.strictObject({
  target: Target,
  /** Changed fields that are listed; the rest is counted. */
  fieldsMax: z.int().min(0).max(FIELDS_MAX).default(100),
});

/** The function with its writers, one a target, which know where their chain stands. */
function createAuditLog() {
  const files = new Map<string, AuditFile>();
  const collectors = new Map<string, AuditCollector>();
  const kept = <T>(map: Map<string, T>, key: string, make: (key: string) => T): T => {
    const found = map.get(key) ?? make(key);
    map.set(key, found);
    return found;
  };
  return defineFunction({
    name: "audit-log",
    description: "Writes every change as one line of JSON (ECS), each with the hash of the one before.",
    config: Config,
    // A record with holes is none.
    silenceable: false,
    async run({ event, config, idempotencyKey, signal }) {
      const { target } = config;
      const record = auditRecord(event, config.fieldsMax);
      if (target.type === "file") {
        const path = target.path.replaceAll("{hostname}", hostname());
        const end = await kept(files, path, createAuditFile).write(event.id, record);
        return end === undefined ? "written before" : `line ${end.sequence}`;
      }
      const key = target.type === "http" ? target.url : "stdout";
      const end = await kept(collectors, key, createAuditCollector).write(record, (line) =>
        target.type === "stdout" ? print(line) : post(target, line, { idempotencyKey, signal }),
      );
      return `line ${end.sequence}`;
    },
  });
}

export default createAuditLog();

function print(line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(line, (error) => (error ? reject(error) : resolve()));
  });
}

async function post(
  target: Extract<Target, { type: "http" }>,
  body: string,
  call: { readonly idempotencyKey: string; readonly signal: AbortSignal },
): Promise<void> {
  const headers = { ...endpointHeaders(target), "content-type": "application/x-ndjson" };
  await httpRequest({ ...call, url: target.url, method: "POST", headers, body });
}
