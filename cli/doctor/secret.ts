/**
 * Which secrets a configuration names, so that one that is missing is told before it is needed. A function's settings are its own, so
 * they are found through its schema: whatever it takes as `{ env }` or `{ file }`, and not what only looks like it. No value is shown.
 */
import { access, constants } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { type NatsSettings, readSecret, SecretError, SecretSource } from "#contract";
import type { SubscriptionsFile } from "../../functions/kit/kit.ts";
import { BUILT_IN_FUNCTIONS } from "../../functions/main.ts";
import { type Finding, failed, passed } from "./check.ts";

/** A secret, and where the configuration names it. */
export interface NamedSecret {
  readonly where: string;
  readonly source: SecretSource;
}

type JsonSchema = z.core.JSONSchema.JSONSchema;

/** Schemas may refer to themselves; settings are not nested deeper than this. */
const DEPTH_MAX = 16;

/** The secrets that settings name by their schema. `where` is what their paths begin with. Exported for its test. */
export function secretsOf(schema: z.ZodType, value: unknown, where: string): readonly NamedSecret[] {
  const root = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  const found = new Map<string, NamedSecret>();
  const visit = (node: JsonSchema | boolean | undefined, part: unknown, path: string, depth: number): void => {
    if (typeof node !== "object" || depth > DEPTH_MAX || part === undefined) return;
    const source = SecretSource.safeParse(part);
    if (source.success && isSecretSchema(node)) found.set(path, { where: path, source: source.data });
    for (const option of [...(node.anyOf ?? []), ...(node.oneOf ?? []), ...(node.allOf ?? []), referred(node, root)])
      visit(option as JsonSchema, part, path, depth + 1);
    if (Array.isArray(part)) {
      for (const [index, item] of part.entries()) visit(itemSchema(node, index), item, `${path}[${index}]`, depth + 1);
    } else if (typeof part === "object" && part !== null) {
      for (const [key, below] of Object.entries(part)) {
        const inner = node.properties?.[key] ?? node.additionalProperties;
        visit(inner as JsonSchema, below, `${path}.${key}`, depth + 1);
      }
    }
  };
  visit(root as JsonSchema, value, where, 0);
  return [...found.values()];
}

/** The secrets of the functions' settings; functions that cannot be loaded are told elsewhere. */
export async function subscriptionSecrets(
  file: SubscriptionsFile | undefined,
  fileName: string,
): Promise<readonly NamedSecret[]> {
  const found = (file?.subscriptions ?? []).map(async ({ name, function: functionName, config }) => {
    const builtIn = Object.hasOwn(BUILT_IN_FUNCTIONS, functionName) ? BUILT_IN_FUNCTIONS[functionName] : undefined;
    const path = pathToFileURL(resolve(dirname(fileName), functionName)).href;
    const loaded = await Promise.resolve(builtIn === undefined ? import(path) : builtIn()).catch(() => undefined);
    const schema: unknown = (loaded as { readonly default?: { readonly config?: unknown } } | undefined)?.default
      ?.config;
    return schema instanceof z.ZodType ? secretsOf(schema, config, name) : [];
  });
  return (await Promise.all(found)).flat();
}

/** The secrets of a connection to NATS. */
export function natsSecrets({ password, token }: NatsSettings, where: string): readonly NamedSecret[] {
  return Object.entries({ password, token }).flatMap(([key, source]) =>
    source === undefined ? [] : [{ where: `${where}.${key}`, source }],
  );
}

/** Whether all of them are there. */
export function checkSecrets(secrets: readonly NamedSecret[]): readonly Finding[] {
  const missing = secrets.flatMap(({ where, source }) => {
    try {
      readSecret(source);
      return [];
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      const problem = error.message.replace(/: [^:]*$/, "");
      const next =
        "env" in source ? `export ${source.env}=…, where cr-reactor runs` : `write the secret to ${source.file}`;
      return [failed("secret", `${where}: ${problem}`, next)];
    }
  });
  if (missing.length > 0 || secrets.length === 0) return missing;
  return [passed("secret", secrets.length === 1 ? "the secret is set" : `all ${secrets.length} secrets are set`)];
}

/** Whether the files that a connection to NATS names can be read. */
export async function checkNatsFiles({ credsFile, tls }: NatsSettings): Promise<readonly Finding[]> {
  const named = { credsFile, "tls.caFile": tls?.caFile, "tls.certFile": tls?.certFile, "tls.keyFile": tls?.keyFile };
  const findings = Object.entries(named).map(async ([key, path]) => {
    if (path === undefined) return [];
    const readable = await access(path, constants.R_OK).then(
      () => true,
      () => false,
    );
    if (readable) return [];
    return [failed("file", `nats.${key}: ${path} cannot be read`, `check the path: ls -l ${path}`)];
  });
  return (await Promise.all(findings)).flat();
}

/** What SecretSource looks like as a JSON Schema, also when it comes from another copy of this program. */
function isSecretSchema({ anyOf = [] }: JsonSchema): boolean {
  const keys = anyOf.map((option) => (typeof option === "object" ? Object.keys(option.properties ?? {}).join() : ""));
  return keys.length === 2 && keys.includes("env") && keys.includes("file");
}

function referred({ $ref }: JsonSchema, root: JsonSchema): JsonSchema | undefined {
  if ($ref === undefined) return undefined;
  return $ref === "#" ? root : (root.$defs?.[$ref.replace(/^#\/\$defs\//, "")] as JsonSchema | undefined);
}

function itemSchema({ prefixItems, items }: JsonSchema, index: number): JsonSchema | undefined {
  return (prefixItems?.[index] ?? items) as JsonSchema | undefined;
}
