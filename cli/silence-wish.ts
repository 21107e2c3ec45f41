/**
 * What `cr-reactor silence` is told: a filter on one line, options, or both, as one silence.
 */
import { hostname, userInfo } from "node:os";
import { parseYamlConfig } from "#contract";
import { Silence, SilenceWish } from "#kit";
import type { ServerOptions } from "./event-log.ts";

/** Which events, as options. */
export interface ScopeOptions {
  readonly subscription?: readonly string[];
  readonly kind?: string;
  readonly cluster?: string;
  readonly namespace?: readonly string[];
  readonly name?: readonly string[];
  /** `key=value`, or a key alone. */
  readonly label?: readonly string[];
  readonly phase?: readonly string[];
  /** Everything. */
  readonly all?: true;
}

/** How long, why, and what then. */
export interface SilenceOptions extends ServerOptions, ScopeOptions {
  /** Milliseconds. */
  readonly for: number;
  /** Epoch milliseconds; default now. */
  readonly begins?: number;
  readonly reason: string;
  readonly by?: string;
  readonly summary?: true;
  readonly dryRun?: true;
  readonly json?: true;
}

/** Where the filter is, for its errors. */
const SOURCE = "filter";

/** Puts it together. Throws ConfigError about the filter. */
export function silenceOf(filter: string | undefined, options: SilenceOptions, nowMs: number): Silence {
  const { subscription, kind, cluster, summary, begins = nowMs } = options;
  const wish = filter === undefined ? {} : parseYamlConfig(SilenceWish, filter, SOURCE);
  const parts = [...(wish.when === undefined ? [] : [wish.when]), ...filtersOf(options)];
  const when = parts.length > 1 ? { all: parts } : parts[0];
  return Silence.parse({
    ...wish,
    ...(subscription && { subscriptions: subscription }),
    ...(kind !== undefined && { kind }),
    ...(cluster !== undefined && { cluster }),
    ...(when && { when }),
    version: 1,
    reason: options.reason,
    by: options.by ?? `${userInfo().username}@${hostname()}`,
    begins: new Date(begins).toISOString(),
    ends: new Date(begins + options.for).toISOString(),
    summary: summary ?? false,
  });
}

function filtersOf({ namespace, name, label, phase }: ScopeOptions): NonNullable<Silence["when"]>[] {
  const labels = label?.map((each) => {
    const [key = "", value = "*"] = each.split(/=(.*)/s);
    return [key, value] as const;
  });
  const filter = {
    ...(namespace && { namespaces: [...namespace] }),
    ...(name && { names: [...name] }),
    ...(labels && { labels: Object.fromEntries(labels) }),
    ...(phase && { phase: { to: [...phase] } }),
  };
  return Object.keys(filter).length === 0 ? [] : [filter];
}
