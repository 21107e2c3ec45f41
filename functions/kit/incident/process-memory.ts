/**
 * The memory of incidents within one process, for functions that are served without NATS and for tests. It forgets everything when the
 * process ends, and of too many objects those that were resolved, the oldest first.
 */
import { REMEMBERED_MAX } from "./incident-limits.ts";
import type { FoundRecord, IncidentKey, IncidentMemory } from "./incident-memory.ts";

/** Starts empty. */
export function createProcessIncidents(rememberedMax = REMEMBERED_MAX): IncidentMemory {
  const records = new Map<string, FoundRecord>();
  const forgetOne = () => {
    const [oldest] = records.keys();
    const resolved = [...records].find(([, { record }]) => record?.newest.resolvedAt !== undefined)?.[0];
    const name = resolved ?? oldest;
    if (name !== undefined) records.delete(name);
  };
  return {
    read: async (key) => records.get(nameOf(key)) ?? { record: undefined, revision: 0 },
    async write(key, record, revision) {
      const name = nameOf(key);
      if ((records.get(name)?.revision ?? 0) !== revision) return undefined;
      records.delete(name);
      if (records.size >= rememberedMax) forgetOne();
      records.set(name, { record, revision: revision + 1 });
      return revision + 1;
    },
  };
}

function nameOf({ subscription, cluster, uid }: IncidentKey): string {
  return `${subscription}/${cluster}/${uid}`;
}
