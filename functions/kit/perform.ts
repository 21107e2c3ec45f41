/**
 * One function as an action of another: a function of one's own that does some work and then notifies Slack and opens a ticket, with the
 * settings that would stand in a subscription, checked by the same schema. Its steps, receipts and idempotency key carry the action's
 * name, so that several actions in one function, or the same one twice, do not take each other's.
 */
import type { z } from "zod";
import type { FunctionContext, FunctionDefinition } from "./define.ts";
import type { Incident } from "./incident/incident.ts";
import { PermanentError } from "./outcome.ts";

/** What an action gets from the function that performs it; its own settings take the place of the function's. */
export type PerformingContext = Omit<FunctionContext<unknown, unknown>, "config" | "object" | "before">;

/** Together with a name of the action's own steps (`post`, `close-github`) at most 64 characters, as a step's name. */
const NAME = /^[a-z0-9-]{1,32}$/;

/**
 * Performs `action` about the event at hand; resolves to its note. `name` is unique within the function and stays the same on every try:
 * `[a-z0-9-]{1,32}`. Throws PermanentError for a name or for settings that do not fit, and what the action throws.
 */
export async function perform<Schema extends z.ZodType>(
  name: string,
  action: FunctionDefinition<Schema>,
  settings: z.input<Schema>,
  context: PerformingContext,
): Promise<string | undefined> {
  if (!NAME.test(name)) throw new PermanentError(`action "${name}": a name is made of 1 to 32 of a-z, 0-9 and -`);
  const parsed = action.config.safeParse(settings);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "settings"}: ${message}`);
    throw new PermanentError(`action "${name}" (${action.name}): ${problems.join("; ")}`);
  }
  const { incident, step, idempotencyKey } = context;
  const own: Partial<FunctionContext<z.output<Schema>>> = {
    config: parsed.data,
    idempotencyKey: `${idempotencyKey}/${name}`,
    incident: incident && incidentOf(incident, name),
    step: (stepName, run) => step(`${name}-${stepName}`, run),
  };
  // By descriptors, since reading `before` would cost a copy of the object.
  const acting = Object.defineProperties({}, { ...descriptorsOf(context), ...descriptorsOf(own) });
  return (await action.run(acting as FunctionContext<z.output<Schema>>)) ?? undefined;
}

const descriptorsOf = (object: object) => Object.getOwnPropertyDescriptors(object);

/** The incident with the receipts of this action alone. */
function incidentOf(incident: Incident, name: string): Incident {
  const prefix = `${name}-`;
  const own = (receipts: Incident["receipts"]) =>
    Object.fromEntries(
      Object.entries(receipts).flatMap(([key, receipt]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), receipt] as const] : [],
      ),
    );
  const { previous } = incident;
  const changes: Partial<Incident> = {
    ...(previous && { previous: { ...previous, receipts: own(previous.receipts) } }),
    get receipts() {
      return own(incident.receipts);
    },
    remember: (key, receipt) => incident.remember(`${prefix}${key}`, receipt),
  };
  return Object.defineProperties({}, { ...descriptorsOf(incident), ...descriptorsOf(changes) }) as Incident;
}
