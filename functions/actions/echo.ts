/**
 * A receiver's own words without what was sent to it in secret. A proxy's error page or a debugging endpoint repeats requests, with their
 * credentials, and a refusal's words go into errors, logs and dead letters.
 */

/** Shorter ones are words that a sentence may have by itself. */
const SECRET_CHARS_MIN = 8;
/** A part of a path that is no name but a token: those of webhooks have 24 characters and more. */
const TOKEN_CHARS_MIN = 20;
const HARMLESS_HEADERS: ReadonlySet<string> = new Set(["accept", "content-type"]);

/** Replaces each secret by "…", also as JSON escapes it and in base64. */
export function withoutEcho(text: string, secrets: readonly string[]): string {
  const forms = secrets
    .filter((secret) => secret.length >= SECRET_CHARS_MIN)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), Buffer.from(secret).toString("base64")]);
  // The longest first: a token stands in a header's value.
  return [...new Set(forms)]
    .toSorted((one, other) => other.length - one.length)
    .reduce((rest, form) => rest.replaceAll(form, "…"), text);
}

/** What of a request may be secret: the values of headers, what they hold, and the tokens in a URL. */
export function secretsSent(url: string, headers: Readonly<Record<string, string>> = {}): string[] {
  const values = Object.entries(headers).flatMap(([name, value]) =>
    HARMLESS_HEADERS.has(name.toLowerCase()) ? [] : [value, ...credentialsIn(value)],
  );
  const tokens = url.split(/[/?&=#]/).filter((part) => part.length >= TOKEN_CHARS_MIN);
  return [...values, ...tokens];
}

function credentialsIn(value: string): string[] {
  const [, scheme, credentials] = /^(\w+) +(\S+)$/.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) return [];
  if (scheme.toLowerCase() !== "basic") return [credentials];
  const [, password = ""] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, "base64").toString()) ?? [];
  return [credentials, password];
}
