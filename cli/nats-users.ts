/**
 * `cr-reactor nats-users`: the account of nats-server.conf in which the bridge and the functions each have a user that may do what they need
 * and nothing else. Passwords are variables, which nats-server takes from its environment. Nothing is asked; the answer is text.
 */
import { parseYamlConfig } from "#contract";
import type { Subscription } from "#kit";
import { BridgeConfig } from "../bridge/config.ts";
import { bridgeRequirement, type NatsRequirement, USER_INFO_SUBJECT } from "../bridge/nats/nats-requirement.ts";
import { findSubscriptions } from "../functions/main.ts";
import { subscriptionRequirement } from "./doctor/subscription-permission.ts";
import { readTextFile } from "./file.ts";
import { print } from "./terminal.ts";

/** What to make users for. */
export interface NatsUsersOptions {
  /** A bridge of each. */
  readonly config?: readonly string[];
  readonly subscriptions?: string;
  /** A user for each subscription, for processes that run one each. */
  readonly each?: boolean;
  readonly account: string;
}

interface User {
  readonly name: string;
  readonly comment: string;
  /** Left out: everything in this account. */
  readonly requirement?: NatsRequirement;
}

/** Prints the account. Throws ConfigError, SubscriptionError, FileError. */
export async function natsUsersCommand(options: NatsUsersOptions): Promise<void> {
  const { config: configs = [], subscriptions: fileName, each = false, account } = options;
  const bridges = await Promise.all(
    configs.map(async (config) => bridgeUser(parseYamlConfig(BridgeConfig, await readTextFile(config), config))),
  );
  const text = fileName === undefined ? undefined : await readTextFile(fileName);
  const subscriptions =
    fileName === undefined || text === undefined ? [] : await findSubscriptions({ subscriptions: { text, fileName } });
  print(renderUsers(account, [...bridges, ...functionUsers(subscriptions, each), OPERATOR]).trimEnd());
}

/** For people: `cr-reactor tail`, `dead-letters`, `doctor`, and `nats`. */
const OPERATOR: User = { name: "operator", comment: "for people, not for Pods: everything in this account" };

function bridgeUser({ cluster }: BridgeConfig): User {
  return { name: `bridge-${cluster}`, comment: `the bridge of ${cluster}`, requirement: bridgeRequirement(cluster) };
}

function functionUsers(subscriptions: readonly Subscription[], each: boolean): readonly User[] {
  if (subscriptions.length === 0) return [];
  const user = (name: string, own: readonly Subscription[]): User => {
    const comment = `the process that runs ${own.map((subscription) => subscription.name).join(", ")}`;
    return { name, comment, requirement: subscriptionRequirement(own) };
  };
  if (!each) return [user("functions", subscriptions)];
  return subscriptions.map((subscription) => user(`functions-${subscription.name}`, [subscription]));
}

function renderUsers(account: string, users: readonly User[]): string {
  return `# By cr-reactor nats-users. nats-server takes the passwords from its environment: letters and digits, a letter first.
accounts {
  ${account} {
    jetstream: enabled
    users: [
${users.map(renderUser).join("\n")}
    ]
  }
}
`;
}

function renderUser({ name, comment, requirement }: User): string {
  const variable = `NATS_${name.toUpperCase().replaceAll("-", "_")}_PASSWORD`;
  const head = `      # ${comment}\n      { user: ${name}, password: $${variable}`;
  if (requirement === undefined) return `${head} }`;
  const list = (subjects: readonly string[]) =>
    [...new Set(subjects)].map((subject) => `          ${JSON.stringify(subject)}\n`).join("");
  const { publish, subscribe } = requirement;
  const [may, hears] = [list([...publish, USER_INFO_SUBJECT]), list(subscribe)];
  return `${head}, permissions: {\n        publish: [\n${may}        ]\n        subscribe: [\n${hears}        ]\n      } }`;
}
