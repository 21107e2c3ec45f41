/**
 * LIST: the selected objects in the order of their keys, whole or in pages. The pages of one list show one version, that of the
 * first page, whatever is written meanwhile.
 * Source: Kubernetes API concepts, "Retrieving large results sets in chunks", "Semantics for get and list".
 */
import { z } from "zod";
import type { ResourceKind } from "../object/kind.ts";
import { storageKeyOf } from "../object/kind.ts";
import type { JsonObject, KubeObject } from "../object/object.ts";
import { badRequest, StatusError } from "../object/status-error.ts";
import { type ReadOptions, versionToShow } from "../request/read-options.ts";
import type { Storage } from "./storage.ts";
import { presented } from "./strategy.ts";

/** A page. */
export interface ListPage {
  readonly items: readonly KubeObject[];
  /** The `metadata` of the list. */
  readonly metadata: JsonObject;
}

/** What a continue token holds; -1 goes on with whatever version is newest, without consistency. */
const Token = z.object({ v: z.literal("meta.k8s.io/v1"), rv: z.int().gte(-1), start: z.string() });

/** Reads a page. Throws StatusError: expired, tooLargeResourceVersion or badRequest. */
export function list(
  storage: Storage,
  kind: ResourceKind,
  namespace: string | undefined,
  options: ReadOptions,
): ListPage {
  const resource = storageKeyOf(kind);
  const { start, version, shown } = positionOf(storage, options);
  const isRest = ({ key }: { readonly key: string }) => start === "" || key >= start;
  const stored = storage.list(resource, namespace, shown).filter(isRest);
  const selected = stored
    .map(({ key, object }) => ({ key, object: presented(kind, object) }))
    .filter(({ object }) => options.selects(object));
  const page = options.limit > 0 ? selected.slice(0, options.limit) : selected;
  const last = page.at(-1);
  const rest = selected.length - page.length;
  return {
    items: page.map(({ object }) => object),
    metadata: {
      resourceVersion: String(version),
      ...(rest > 0 && last && { continue: encodeToken(version, `${last.key}\0`) }),
      ...(rest > 0 && options.selectsAll && { remainingItemCount: rest }),
    },
  };
}

interface Position {
  readonly start: string;
  /** What the list says that it shows. */
  readonly version: number;
  /** What is read; `undefined` is the newest. */
  readonly shown: number | undefined;
}

function positionOf(storage: Storage, options: ReadOptions): Position {
  const newest = storage.resourceVersion;
  if (options.continueToken === "") {
    const shown = versionToShow(options, storage);
    return { start: "", version: shown ?? newest, shown };
  }
  if (options.resourceVersion !== "" && options.resourceVersion !== "0")
    throw badRequest("specifying resource version is not allowed when using continue");
  const { rv, start } = decodeToken(options.continueToken);
  if (rv === -1) return { start, version: newest, shown: undefined };
  if (rv < storage.compactedVersion) throw expiredToken(encodeToken(-1, start));
  return { start, version: rv, shown: Math.min(rv, newest) };
}

function encodeToken(rv: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv, start })).toString("base64url");
}

function decodeToken(token: string): z.infer<typeof Token> {
  try {
    return Token.parse(JSON.parse(Buffer.from(token, "base64url").toString("utf8")));
  } catch {
    throw badRequest("invalid continue token: continue key is not valid: it is not from an earlier page of this list");
  }
}

/** The client may start over, or take what comes behind its last page as it is now. */
function expiredToken(inconsistentToken: string): StatusError {
  const message =
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
  const error = new StatusError(410, "Expired", message);
  return Object.assign(error, { status: { ...error.status, metadata: { continue: inconsistentToken } } });
}
