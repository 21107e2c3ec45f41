/**
 * GET as the cases about reading need it: an answer as it is, refusals included, that fails the case when it does not end; and
 * what the cases look at in a list. A 429 ("not yet", while the storage of a new kind is prepared) is asked again.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, type Dispatcher, request } from "undici";
import type { KubeObject } from "../../../kit/kube-client.ts";
import type { Target } from "./target.ts";

/** Query parameters of a list or a watch. */
export type Query = Readonly<Record<string, string>>;

/** What the server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The text as JSON; without any field if it is none. */
  readonly body: KubeObject;
}

/** What a server says when it refuses; a field is left out where the server leaves it out. */
interface Refused {
  readonly code: number;
  readonly reason?: string;
  readonly message: string;
  readonly details?: unknown;
}

/** Everything here takes milliseconds on an idle machine. */
export const ANSWER_MS_MAX = 60_000;
const POLL_MS = 50;

/** Sends a GET as an administrator, over connections that the caller closes. */
export async function openGet(
  dispatcher: Dispatcher,
  { url, token }: Target,
  path: string,
  query: Query,
  accept: string,
): Promise<Dispatcher.ResponseData> {
  const headers = { accept, ...(token && { authorization: `Bearer ${token}` }) };
  const deadline = performance.now() + ANSWER_MS_MAX;
  for (;;) {
    const answer = await request(new URL(path, url), { dispatcher, query, headers });
    if (answer.statusCode !== 429 || performance.now() > deadline) return answer;
    await answer.body.dump();
    await delay(POLL_MS);
  }
}

/** Connections that trust the server; HTTP/1.1, which both servers speak. */
export function connectTo({ caPem }: Target): Agent {
  return new Agent({ allowH2: false, connect: caPem === "" ? {} : { ca: caPem } });
}

/** Reads a whole answer. Rejects when it does not end within 20 s, such as that of a watch. */
export async function read(
  target: Target,
  path: string,
  query: Query = {},
  accept = "application/json",
): Promise<Answer> {
  const dispatcher = connectTo(target);
  const late = new Error(
    `the answer to GET ${path} ${JSON.stringify(query)} does not end within ${ANSWER_MS_MAX / 1000} s`,
  );
  const timer = setTimeout(() => void dispatcher.destroy(late), ANSWER_MS_MAX);
  try {
    const { statusCode, headers, body } = await openGet(dispatcher, target, path, query, accept);
    const text = await body.text();
    return { status: statusCode, headers, text, body: parsed(text) };
  } finally {
    clearTimeout(timer);
    await dispatcher.destroy();
  }
}

function parsed(text: string): KubeObject {
  try {
    return JSON.parse(text);
  } catch {
    return { metadata: { name: "" } };
  }
}

/** The body of an answer that must be 200. */
export function accepted({ status, text, body }: Answer): KubeObject {
  assert.equal(status, 200, text.slice(0, 500));
  return body;
}

/** The refusal in an answer; the assertion fails if it is no Status that agrees with the HTTP status. */
export function refused({ status, text, body }: Answer): Refused {
  const { kind, apiVersion, metadata, status: outcome, ...told } = body;
  const frame = { kind: "Status", apiVersion: "v1", outcome: "Failure" };
  assert.deepEqual({ kind, apiVersion, outcome }, frame, `not a refusal: ${status} ${text.slice(0, 500)}`);
  assert.equal(told["code"], status);
  return told as { code: number; message: string };
}

/** A refusal of code 400. */
export function badRequest(message: string): Refused {
  return { code: 400, reason: "BadRequest", message };
}

/** The refusal of parameters that do not go together. */
export function invalidOptions(...causes: readonly { reason: string; message: string; field: string }[]): Refused {
  const listed = causes.map(({ field, message }) => `${field}: ${message}`).join(", ");
  const message = `ListOptions.meta.k8s.io "" is invalid: ${causes.length === 1 ? listed : `[${listed}]`}`;
  return { code: 422, reason: "Invalid", message, details: { group: "meta.k8s.io", kind: "ListOptions", causes } };
}

/** The names of the objects in a list that must have succeeded. */
export function namesOf(answer: Answer): string[] {
  const items: readonly KubeObject[] = accepted(answer)["items"];
  return items.map(({ metadata }) => metadata.name);
}

/** An object's or a list's resourceVersion. */
export function versionOf({ metadata }: KubeObject): string {
  assert.match(metadata.resourceVersion ?? "", /^\d+$/);
  return metadata.resourceVersion ?? "";
}

/** Whether one resourceVersion is newer than another. */
export function isNewer(version: string, than: string): boolean {
  return BigInt(version) > BigInt(than);
}
