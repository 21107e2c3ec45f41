/**
 * Writes annotations and labels onto the object that changed. A merge patch of those keys and nothing else, under the function's own field
 * manager; the object's uid is its precondition, so one that came again under the name is left alone. What it writes is a change, which
 * brings an event: that one it skips, by its manager, and by its keys where no manager can be told (a key that was taken away is nobody's).
 */
import { z } from "zod";
import { parsePointer, valueOperations } from "#contract";
import { type Change, defineFunction, opOf } from "#kit";
import { createKubeClients, isOwnChange, KubeSettings, placeOf, titleOf } from "./actions/kube/kube-client.ts";
import { renderTemplate, Template } from "./actions/template.ts";

/** A value as a template; `null` takes the key away. */
const Values = z.record(z.string().min(1), Template.nullable()).default({});

const Config = z
  .strictObject({ annotations: Values, labels: Values, kubernetes: KubeSettings })
  .refine(({ annotations, labels }) => Object.keys(annotations).length + Object.keys(labels).length > 0, {
    error: "name at least one annotation or label",
  });
type Config = z.output<typeof Config>;

/** The function with its connections to API servers. */
function createAnnotate() {
  const clients = createKubeClients();
  return defineFunction({
    name: "annotate",
    description: "Writes annotations and labels onto the object that changed.",
    config: Config,
    rights: ({ kubernetes }, { apiVersion, kind }) => [{ apiVersion, kind, verbs: ["patch"], kubernetes }],
    async run(context) {
      const { event, object, config } = context;
      if (isOwnChange(context) || isOfItsKeys(context.change, config)) return "left alone: a function made this change";
      if (opOf(event) === "deleted") return "left alone: the object is deleted";
      const filled = (values: z.output<typeof Values>) =>
        Object.fromEntries(
          Object.entries(values).map(([key, text]) => [key, text && renderTemplate(text, context, "plain")]),
        );
      const { uid } = object.metadata;
      const metadata = { uid, annotations: filled(config.annotations), labels: filled(config.labels) };
      const outcome = await clients(config.kubernetes, context).patch(placeOf(event), { metadata });
      switch (outcome) {
        case "patched":
          return `${titleOf(event)} annotated`;
        case "gone":
          return `left alone: ${titleOf(event)} is gone`;
        case "changed":
          return `left alone: ${titleOf(event)} is another object of that name now`;
        default:
          return outcome satisfies never;
      }
    },
  });
}

export default createAnnotate();

/** Whether nothing but the keys that are written here changed. */
function isOfItsKeys({ patch = [] }: Change, config: Config): boolean {
  return (
    patch.length > 0 &&
    valueOperations(patch).every((operation) => {
      const [root, part, key] = parsePointer(operation.path);
      if (root !== "metadata" || (part !== "annotations" && part !== "labels")) return false;
      const value = operation.op === "remove" ? operation.oldValue : operation.value;
      const keys = key === undefined ? Object.keys(value ?? {}) : [key];
      return keys.every((each) => Object.hasOwn(config[part], each));
    })
  );
}
