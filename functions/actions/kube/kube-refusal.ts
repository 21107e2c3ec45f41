/**
 * What the API server refuses, told apart: what a retry can heal is an ordinary Error (or RetryAfterError where the server says when), what it
 * cannot heal is a PermanentError with the next step.
 * Source: Kubernetes API conventions ("Response Status Kind"), RBAC documentation.
 */
import { kubeRefusalOf } from "#contract";
import { PermanentError, RetryAfterError } from "#kit";
import { cutText } from "../cut-text.ts";

/** What RBAC's refusal says. */
const DENIED = /cannot (\w+) resource "([^"]*)" in API group "([^"]*)"(?: in the namespace "([^"]*)")?/;
/** What the API server says may list dozens of causes. */
const SAID_CHARS_MAX = 1_000;

/** A refusal with the status and the reason that came, as the error that it is unless the caller decides about it. */
export class RefusedError extends PermanentError {
  readonly status: number;
  readonly reason: string;
  constructor(message: string, { status, reason }: { readonly status: number; readonly reason: string }) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** The error for what a request failed with; `what` is the object, such as `workflows.argoproj.io prod/cr-1`. */
export function kubeError(error: unknown, verb: string, what: string): Error {
  const refusal = kubeRefusalOf(error);
  if (refusal === undefined) return unanswered(error);
  const { status, reason, retryAfterMs } = refusal;
  const said = cutText(refusal.message, SAID_CHARS_MAX);
  const sentence = `the API server refused to ${verb} ${what} (${`${status} ${reason}`.trim()}): ${said}`;
  if (status >= 500 || status === 429 || status === 408)
    return retryAfterMs > 0 ? new RetryAfterError(sentence, retryAfterMs) : new Error(sentence);
  if (status === 401) return new Error(`${sentence}. Renew the token or kubeconfig`);
  if (status === 404 && verb === "create") return new Error(`${sentence}. Create what is missing`);
  if (status === 403) return forbidden(sentence, said);
  return new RefusedError(sentence, refusal);
}

/** 403 is RBAC's word, and also that of admission, of quotas, and of a namespace that is going. */
function forbidden(sentence: string, said: string): Error {
  if (/exceeded quota/.test(said)) return new Error(sentence);
  const [, verb, resource, group, namespace] = DENIED.exec(said) ?? [];
  if (verb === undefined) return new PermanentError(sentence);
  const rule = `{apiGroups: ["${group}"], resources: ["${resource}"], verbs: ["${verb}"]}`;
  const role = namespace === undefined ? "ClusterRole" : `Role in ${namespace}`;
  return new PermanentError(`${sentence}. Add this rule to the ${role} of the functions: ${rule}`);
}

/** What undici says for "no answer" is in the cause, one level down or two. */
function unanswered(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const code = "code" in error ? String(error.code) : "";
  if (code === "KUBECONFIG") return new PermanentError(withPodHint(error.message), { cause: error });
  if (code === "" || error.message.startsWith("the ")) return error;
  return new Error(`the API server cannot be reached, or broke off before it answered (${code})`, { cause: error });
}

function withPodHint(message: string): string {
  const isWithoutToken = process.env["KUBERNETES_SERVICE_HOST"] !== undefined && message.startsWith("no kubeconfig");
  return isWithoutToken ? `${message}. In this Pod: set automountServiceAccountToken: true` : message;
}

/** Not the object is missing, but its kind or its namespace; who installs that heals it. */
export function isNotServed({ reason, message }: RefusedError): boolean {
  return reason === "" || /the server could not find the requested resource|namespaces "[^"]*" not found/.test(message);
}
