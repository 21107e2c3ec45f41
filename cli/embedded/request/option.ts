/**
 * The options of writes, from the query and, for a deletion, the body; checked as the API server checks them.
 * Source: apimachinery `pkg/apis/meta/v1/validation` (CreateOptions, UpdateOptions, PatchOptions, DeleteOptions).
 */
import { isObject, type Json } from "../object/object.ts";
import { badRequest, invalidOptions, type StatusCause } from "../object/status-error.ts";
import type { RemoveOptions, WriteOptions } from "../registry/write.ts";
import { causeOf, forbiddenValue, requiredValue, unsupportedValue } from "../schema/schema-cause.ts";

/** Which options are read: each write has its own. */
export type OptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions";

const MANAGER_CHARACTERS_MAX = 128;
const FIELD_VALIDATIONS = ["Ignore", "Strict", "Warn"] as const;
const POLICIES = ["Foreground", "Background", "Orphan"] as const;

/** How to write. Throws StatusError for a value that is not one of those allowed. */
export function writeOptions(
  query: URLSearchParams,
  userAgent: string | undefined,
  kind: OptionsKind,
  isApply = false,
): WriteOptions {
  const dryRun = query.getAll("dryRun");
  const given = query.get("fieldManager") ?? "";
  const force = query.get("force") === "true";
  const fieldValidation = FIELD_VALIDATIONS.find((each) => each === (query.get("fieldValidation") || "Warn"));
  const problems: StatusCause[] = [...dryRunProblems(dryRun)];
  if (isApply && given === "") problems.push(requiredValue("fieldManager", "is required for apply patch"));
  if (given.length > MANAGER_CHARACTERS_MAX)
    problems.push(
      causeOf("FieldValueTooLong", "fieldManager", given, `may not be more than ${MANAGER_CHARACTERS_MAX} bytes`),
    );
  if (force && !isApply) problems.push(forbiddenValue("force", "may not be specified for non-apply patch"));
  if (fieldValidation === undefined)
    problems.push(unsupportedValue("fieldValidation", query.get("fieldValidation"), ["", ...FIELD_VALIDATIONS]));
  if (problems.length > 0 || fieldValidation === undefined) throw invalidOptions(kind, problems);
  return { manager: given || managerOf(userAgent), dryRun: dryRun.length > 0, fieldValidation };
}

/** The first part of the User-Agent, as the API server names a manager that does not name itself. */
function managerOf(userAgent = ""): string {
  return userAgent.split("/")[0]?.slice(0, MANAGER_CHARACTERS_MAX) || "unknown";
}

/** A DeleteOptions; `body` is null where there is none. Throws StatusError. */
export function removeOptions(query: URLSearchParams, body: Json): RemoveOptions {
  const given = body ?? {};
  if (!isObject(given)) throw badRequest("the body of a deletion must be a DeleteOptions");
  if (given["kind"] !== undefined && given["kind"] !== "DeleteOptions")
    throw badRequest(`decoded object cannot be converted to DeleteOptions: it is a ${String(given["kind"])}`);
  const { uid, resourceVersion } = isObject(given["preconditions"]) ? given["preconditions"] : {};
  const listed: Json | undefined = given["dryRun"];
  const dryRun = [...query.getAll("dryRun"), ...(Array.isArray(listed) ? listed.map(String) : [])];
  const asked = given["propagationPolicy"] ?? query.get("propagationPolicy") ?? undefined;
  const propagation = POLICIES.find((each) => each === asked);
  const problems = [...dryRunProblems(dryRun)];
  if (asked !== undefined && propagation === undefined)
    problems.push(unsupportedValue("propagationPolicy", asked, [...POLICIES, "nil"]));
  if (problems.length > 0) throw invalidOptions("DeleteOptions", problems);
  return {
    dryRun: dryRun.length > 0,
    ...(propagation && { propagation }),
    ...(typeof uid === "string" && { uid }),
    ...(typeof resourceVersion === "string" && { resourceVersion }),
  };
}

function dryRunProblems(values: readonly string[]): readonly StatusCause[] {
  return values.every((value) => value === "All") ? [] : [unsupportedValue("dryRun", values, ["All"])];
}
