/**
 * One request to a server under test and everything that it answered. The tests' KubeClient hides what the cases here are about:
 * headers, refusals as they are, bodies that are no JSON. A 429 ("not yet", such as while the storage of a new kind is prepared) is
 * asked again for some seconds.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Agent, request } from "undici";
import type { KubeObject } from "../../../kit/kube-client.ts";
import type { Target } from "./target.ts";

/** All optional: without them a request for JSON and without a body. */
export interface RawOptions {
  /** A string or bytes are sent as they are, anything else as JSON. */
  readonly body?: unknown;
  /** Of the body; `null` sends none. @default application/json */
  readonly contentType?: string | null;
  /** @default application/json */
  readonly accept?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** The part before the first slash is the default field manager. @default conformance/1 */
  readonly userAgent?: string;
}

/** What the server answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The text as JSON; without any field if it is none. */
  readonly body: KubeObject;
}

/** A refusal without what all of them have. */
interface Refusal {
  readonly code: number;
  /** Empty where the server gives none. */
  readonly reason: string;
  readonly message: string;
  /** What the details name: `<kind or plural>.<group> <name>`. */
  readonly about?: string;
  /** `<reason> <field>` each; their messages are part of the message. */
  readonly causes?: readonly string[];
}

const NOT_YET_MS_MAX = 60_000;
const POLL_MS = 50;

const agents = new Map<string, Agent>(); // one for each trust anchor; idle connections do not keep the process alive

/** Sends one request as an administrator and reads the whole answer. */
export async function raw(target: Target, method: string, path: string, options: RawOptions = {}): Promise<Answer> {
  const {
    body,
    contentType = "application/json",
    accept = "application/json",
    query,
    userAgent = "conformance/1",
  } = options;
  const url = new URL(path, target.url);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.append(name, value);
  const headers = {
    accept,
    "user-agent": userAgent,
    ...(target.token && { authorization: `Bearer ${target.token}` }),
    ...(body !== undefined && contentType !== null && { "content-type": contentType }),
  };
  const deadline = performance.now() + NOT_YET_MS_MAX;
  for (;;) {
    const answer = await request(url, { method, headers, body: payloadOf(body), dispatcher: agentOf(target) });
    const text = await answer.body.text();
    if (answer.statusCode !== 429 || performance.now() > deadline) {
      return { status: answer.statusCode, headers: answer.headers, text, body: parsed(text) };
    }
    await delay(POLL_MS);
  }
}

/** The refusal in an answer; the assertion fails if it is no Status object that agrees with itself and with the HTTP status. */
export function refusal({ status, text, body }: Answer): Refusal {
  const { kind, apiVersion, code, reason = "", message, details = {} } = body;
  assert.deepEqual(
    { kind, apiVersion, outcome: body["status"], code },
    { kind: "Status", apiVersion: "v1", outcome: "Failure", code: status },
    `not a refusal: ${status} ${text.slice(0, 500)}`,
  );
  const { name, group, kind: what, causes } = details;
  const about = [[what, group].filter(Boolean).join("."), name].filter(Boolean).join(" ");
  return {
    code: status,
    reason,
    message,
    ...(about && { about }),
    ...(causes && { causes: causesOf(causes, message) }),
  };
}

/** The real server names some causes twice; the causes of some refusals have words of their own. */
function causesOf(causes: readonly Record<string, string>[], whole: string): string[] {
  const told = causes.map(({ reason, message = "", field }) => {
    const isTold = !String(reason).startsWith("FieldValue") || whole.includes(message);
    assert.ok(isTold, `the cause "${message}" is not in the message "${whole}"`);
    return [reason, field].filter(Boolean).join(" ");
  });
  return [...new Set(told)];
}

/** The body of an answer that must have this status. */
export function accepted({ status, text, body }: Answer, expected = 200): KubeObject {
  assert.equal(status, expected, text.slice(0, 500));
  return body;
}

function payloadOf(body: unknown): string | Buffer | null {
  if (body === undefined) return null;
  return typeof body === "string" || body instanceof Buffer ? body : JSON.stringify(body);
}

function parsed(text: string): KubeObject {
  try {
    return JSON.parse(text);
  } catch {
    return {} as KubeObject;
  }
}

function agentOf({ caPem }: Target): Agent {
  const agent = agents.get(caPem) ?? new Agent({ connect: caPem === "" ? {} : { ca: caPem } });
  agents.set(caPem, agent);
  return agent;
}
