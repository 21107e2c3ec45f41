/**
 * The configuration files, read as the commands read them: the same schemas, the same sentences. A file with mistakes does not keep
 * the other checks from running: what it says about NATS and the cluster is used where that much can be read.
 */
import { z } from "zod";
import { ConfigError, NatsSettings, parseYamlConfig } from "#contract";
import { BridgeConfig } from "../../bridge/config.ts";
import { KubernetesSettings } from "../../bridge/kube/kubernetes-settings.ts";
import { type Binding, SubscriptionsFile } from "../../functions/kit/kit.ts";
import { BUILT_IN_FUNCTIONS, bindAll } from "../../functions/main.ts";
import { FileError, readTextFile } from "../file.ts";
import { count, type Finding, failed, inTime, passed, reasonOf, sentences } from "./check.ts";

/** A configuration file. `value` is there when nothing is wrong with it. */
export interface ConfigFile<Value> {
  readonly fileName: string;
  readonly text: string;
  readonly value: Value | undefined;
  /** From the file as far as it can be read, else the defaults. */
  readonly nats: NatsSettings;
  readonly kubernetes: KubernetesSettings;
  readonly problems: readonly Finding[];
  /** It is there, and is not what it should be: the exit code for that is another one. */
  readonly invalid: boolean;
}

/** The subscriptions, each joined with its function, or what keeps them from running. */
export interface Bindings {
  readonly bindings: readonly Binding[];
  readonly findings: readonly Finding[];
  readonly invalid: boolean;
}

/** Functions are loaded by running their files, which may take a while. */
const LOAD_MS_MAX = 10_000;

const Connections = z.looseObject({ nats: NatsSettings, kubernetes: KubernetesSettings });

/** Reads `bridge.yaml`. Never throws for what is in it. */
export function readBridgeFile(fileName: string): Promise<ConfigFile<BridgeConfig>> {
  return readConfigFile(BridgeConfig, fileName, "bridge");
}

/** Reads `subscriptions.yaml`. Never throws for what is in it. */
export function readSubscriptionsFile(fileName: string): Promise<ConfigFile<SubscriptionsFile>> {
  return readConfigFile(SubscriptionsFile, fileName, "subscriptions");
}

async function readConfigFile<Schema extends z.ZodType>(
  schema: Schema,
  fileName: string,
  schemaName: string,
): Promise<ConfigFile<z.output<Schema>>> {
  const nothing = { fileName, text: "", value: undefined, ...Connections.parse({}) };
  let text: string;
  try {
    text = await readTextFile(fileName);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    const { problem, advice } = sentences(error);
    return { ...nothing, problems: [failed(schemaName, problem, advice)], invalid: false };
  }
  try {
    const value = parseYamlConfig(schema, text, fileName);
    return { ...nothing, ...Connections.parse(value), text, value, problems: [], invalid: false };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = problemsOf(error, fileName, schemaName);
    return { ...nothing, ...connectionsOf(text, fileName), text, problems, invalid: true };
  }
}

/** The sections that say where NATS and the cluster are, when at least they are right. */
function connectionsOf(text: string, fileName: string): z.infer<typeof Connections> {
  try {
    return parseYamlConfig(Connections, text, fileName);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return Connections.parse({});
  }
}

function problemsOf({ problems }: ConfigError, fileName: string, schemaName: string): readonly Finding[] {
  return problems.map(({ line, column, field, problem }) =>
    failed(
      schemaName,
      `${fileName}:${line}:${column}${field && ` ${field}`}: ${problem}`,
      `edit line ${line}; all that may stand there: cr-reactor schema ${schemaName}`,
    ),
  );
}

/** Says that the bridge's file is right, and what is in it. */
export function describeBridgeFile({ fileName, value }: ConfigFile<BridgeConfig>): readonly Finding[] {
  if (value === undefined) return [];
  const { cluster, resources } = value;
  return [passed("bridge", `${fileName}: cluster ${cluster}, ${count(resources.length, "resource")}`)];
}

/** Loads the functions that the subscriptions name, and joins them. */
export async function bindSubscriptions(file: ConfigFile<SubscriptionsFile>): Promise<Bindings> {
  const { fileName, text, value } = file;
  if (value === undefined) return { bindings: [], findings: [], invalid: false };
  try {
    const loading = bindAll({ subscriptions: { text, fileName }, functions: BUILT_IN_FUNCTIONS });
    const bindings = await inTime(loading, "loading the functions", LOAD_MS_MAX);
    const functions = new Set(value.subscriptions.map((each) => each.function)).size;
    const found = `${count(bindings.length, "subscription")} of ${count(functions, "function")}`;
    return { bindings, findings: [passed("subscriptions", `${fileName}: ${found}`)], invalid: false };
  } catch (error) {
    if (error instanceof ConfigError)
      return { bindings: [], findings: problemsOf(error, fileName, "subscriptions"), invalid: true };
    const next = `correct ${fileName}; all that may stand there: cr-reactor schema subscriptions`;
    return { bindings: [], findings: [failed("subscriptions", reasonOf(error), next)], invalid: true };
  }
}
