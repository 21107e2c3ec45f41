/** The filters of the subscriptions, checked against the schemas that bridges have published on this NATS. */
import type { JetStream } from "#contract";
import { checkSelection, patternOf, readKindSchemas, type Selection, schemasOf } from "#kit";
import { count, type Finding, passed, reasonOf, skipped, warning } from "./check.ts";

/** Subscriptions, as far as their filters go. */
export interface CheckedFilters {
  readonly fileName: string;
  readonly selections: readonly (Selection & { readonly name: string })[];
}

/** One warning for each mistake; never rejects for what it finds. */
export async function checkFilters(
  reading: JetStream,
  { fileName, selections }: CheckedFilters,
): Promise<readonly Finding[]> {
  const filtered = selections.filter(({ when }) => when !== undefined);
  if (filtered.length === 0) return [];
  try {
    const schemas = [...(await readKindSchemas(reading, filtered.map(patternOf))).values()];
    const known = filtered.filter((each) => schemasOf(each, schemas).length > 0);
    const findings = known.flatMap((each) =>
      checkSelection(each, schemas).map(({ message }) =>
        warning(
          "filters",
          `subscription ${each.name}: ${message}`,
          `cr-reactor explain ${each.name} --subscriptions ${fileName}`,
        ),
      ),
    );
    if (known.length === 0) return [skipped("filters", "filters: no bridge has published a schema of their kinds")];
    return findings.length > 0
      ? findings
      : [passed("filters", `${count(known.length, "filter")} of ${filtered.length}: the kinds have what they name`)];
  } catch (error) {
    return [skipped("filters", `filters: the schemas cannot be read: ${reasonOf(error)}`)];
  }
}
