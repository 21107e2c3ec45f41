/**
 * The text of label and field selectors, checked before the API server is asked: a typing mistake is told with the line of the
 * configuration. What a selector means is the API server's to say.
 * Source: apimachinery `pkg/labels/selector.go`, `pkg/fields/selector.go`; Kubernetes "Labels and Selectors", "Field Selectors".
 */
import { z } from "zod";

const NAME = "[A-Za-z0-9](?:[-\\w.]{0,61}[A-Za-z0-9])?";
const KEY = `(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?${NAME}`;
const VALUE = `(?:${NAME})?`;
const REQUIREMENTS = [
  `!?\\s*${KEY}`,
  `${KEY}\\s*(?:==|=|!=)\\s*${VALUE}`,
  `${KEY}\\s+(?:in|notin)\\s*\\(\\s*${VALUE}\\s*(?:,\\s*${VALUE}\\s*)*\\)`,
  `${KEY}\\s*[<>]\\s*[+-]?\\d+`,
];
const REQUIREMENT = new RegExp(`^(?:${REQUIREMENTS.join("|")})$`);
/** A field by its path; in the value, `,`, `=` and `\` stand behind a `\`. */
const FIELD = /^[A-Za-z][\w.[\]'"/-]*(?:==|!=|=)(?:\\[,=\\]|[^,=\\])*$/;

/** A label selector such as `tier in (gold,silver),!canary`. */
export const LabelSelector = z.string().superRefine((text, context) => {
  const wrong = text.split(/,(?![^(]*\))/).find((part) => !REQUIREMENT.test(part.trim()));
  if (wrong === undefined) return;
  context.addIssue({
    code: "custom",
    message: `"${wrong.trim()}" is no requirement of a label selector: expected key, !key, key=value, key!=value, key in (a,b) or key notin (a,b), with commas between`,
  });
});

/** A field selector such as `spec.tier=gold,metadata.name!=test`. */
export const FieldSelector = z.string().superRefine((text, context) => {
  const wrong = text.split(/(?<!\\),/).find((part) => !FIELD.test(part));
  if (wrong === undefined) return;
  context.addIssue({
    code: "custom",
    message: `"${wrong}" is no term of a field selector: expected field=value or field!=value, such as metadata.name=orders, with commas between`,
  });
});
