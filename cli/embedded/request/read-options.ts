/**
 * The query parameters of reads, checked: selectors, limit and continue, resourceVersion and how it is to be matched.
 * Source: apimachinery `pkg/apis/meta/internalversion/validation`; Kubernetes API concepts, "Resource versions".
 */
import type { ResourceKind } from "../object/kind.ts";
import type { KubeObject } from "../object/object.ts";
import {
  badRequest,
  expired,
  invalidOptions,
  type StatusCause,
  tooLargeResourceVersion,
} from "../object/status-error.ts";
import type { Storage } from "../registry/storage.ts";
import { forbiddenValue, unsupportedValue } from "../schema/schema-cause.ts";
import { parseFieldSelector, parseLabelSelector } from "./selector.ts";

/** What a list or a watch is about. */
export interface ReadOptions {
  /** Whether an object is selected. */
  readonly selects: (object: KubeObject) => boolean;
  /** Whether there are no selectors at all. */
  readonly selectsAll: boolean;
  /** Objects a page; 0 is all, which resourceVersion "0" asks for whatever its limit. */
  readonly limit: number;
  readonly continueToken: string;
  /** As given: empty is "the newest". */
  readonly resourceVersion: string;
  /** How a list relates to its resourceVersion; empty: however it likes. */
  readonly match: "NotOlderThan" | "Exact" | "";
  readonly allowBookmarks: boolean;
  readonly sendInitialEvents: boolean | undefined;
  readonly timeoutMs: number | undefined;
}

/** Reads the parameters. Throws StatusError. */
export function parseReadOptions(query: URLSearchParams, kind: ResourceKind): ReadOptions {
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", kind);
  const resourceVersion = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  const initial = query.get("sendInitialEvents");
  const limit = wholeNumber(query, "limit") ?? 0;
  const timeoutSeconds = wholeNumber(query, "timeoutSeconds");
  return {
    selects: (object) => labels(object.metadata.labels ?? {}) && fields(object),
    selectsAll: !query.get("labelSelector") && !query.get("fieldSelector"),
    limit: resourceVersion === "0" && match === "" ? 0 : limit,
    continueToken: query.get("continue") ?? "",
    resourceVersion,
    // A page of a version that is named can only be of that very version.
    match: match === "NotOlderThan" || match === "Exact" ? match : limit > 0 ? "Exact" : "",
    allowBookmarks: isTrue(query.get("allowWatchBookmarks")),
    sendInitialEvents: initial === null ? undefined : isTrue(initial),
    timeoutMs: timeoutSeconds === undefined || timeoutSeconds === 0 ? undefined : timeoutSeconds * 1000,
  };
}

/** Throws the Status of what is wrong with the parameters of a list. */
export function checkListOptions(query: URLSearchParams): void {
  const resourceVersion = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch");
  const problems: StatusCause[] = [];
  if (match !== null && match !== "") {
    if (resourceVersion === "")
      problems.push(
        forbiddenValue("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
      );
    if (query.get("continue"))
      problems.push(
        forbiddenValue("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"),
      );
    if (match !== "Exact" && match !== "NotOlderThan")
      problems.push(unsupportedValue("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]));
    if (match === "Exact" && resourceVersion === "0")
      problems.push(
        forbiddenValue("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
      );
  }
  if (query.has("sendInitialEvents"))
    problems.push(forbiddenValue("sendInitialEvents", "sendInitialEvents is forbidden for list"));
  if (problems.length > 0) throw invalidOptions("ListOptions", problems);
}

/** Throws the Status of what is wrong with the parameters of a watch. */
export function checkWatchOptions(query: URLSearchParams): void {
  const match = query.get("resourceVersionMatch") ?? "";
  const initial = query.has("sendInitialEvents");
  const problems: StatusCause[] = [];
  if (initial && match === "")
    problems.push(
      forbiddenValue("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    );
  if (!initial && match !== "")
    problems.push(
      forbiddenValue(
        "resourceVersionMatch",
        "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      ),
    );
  if (initial && match !== "" && match !== "NotOlderThan")
    problems.push(
      forbiddenValue("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
    );
  if (match !== "" && match !== "NotOlderThan")
    problems.push(unsupportedValue("resourceVersionMatch", match, ["NotOlderThan"]));
  if (query.get("continue")) problems.push(forbiddenValue("continue", "continue is forbidden for watch"));
  if (problems.length > 0) throw invalidOptions("ListOptions", problems);
}

function versionNumber(text: string): number {
  const version = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(version)) return version;
  const quoted = JSON.stringify(text);
  throw badRequest(
    `invalid resource version: resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`,
  );
}

/** The version that a list shows; `undefined` is the newest. Throws expired and tooLargeResourceVersion. */
export function versionToShow(options: ReadOptions, storage: Storage): number | undefined {
  if (options.resourceVersion === "" || options.resourceVersion === "0") return undefined;
  const version = versionNumber(options.resourceVersion);
  if (version > storage.resourceVersion) throw tooLargeResourceVersion(version, storage.resourceVersion);
  const isExact = options.match === "Exact";
  if (!isExact) return undefined;
  if (version < storage.compactedVersion) throw expired("The resourceVersion for the provided list is too old.");
  return version;
}

function wholeNumber(query: URLSearchParams, parameter: string): number | undefined {
  const text = query.get(parameter);
  if (text === null) return undefined;
  if (/^-?\d+$/.test(text)) return Math.max(0, Number(text));
  throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
}

/** Whether a parameter that is a switch is on. */
export function isTrue(text: string | null): boolean {
  return text !== null && text !== "0" && text.toLowerCase() !== "false";
}
