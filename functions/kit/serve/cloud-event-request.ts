/**
 * A CloudEvent out of an HTTP request, in binary mode (attributes as `ce-*` headers, the body is the data) or in structured mode (the
 * body is the whole event). Header values are unquoted and percent-decoded; what a header can only carry as text gets its type back.
 * Batches are refused: one status cannot tell how each of several events ended.
 * Source: CloudEvents 1.0.2, HTTP protocol binding, sections 3.1 to 3.3; JSON format, section 3.1 (`data_base64`).
 */
import { CLOUDEVENTS_JSON, checkSent, Envelope, MalformedEventError, type SentEnvelope, TYPE_PREFIX } from "#contract";
import { RequestRefusedError } from "./problem.ts";

/** The headers by lower-case name, each with all its values: `headersDistinct` of a Node request. */
export type RequestHeaders = Readonly<Record<string, readonly string[] | undefined>>;

/** An event of ours, or another valid CloudEvent, which is nobody's here. */
export type ReceivedEvent =
  | { readonly type: "ours"; readonly sent: SentEnvelope }
  | { readonly type: "foreign"; readonly eventType: string };

type Mode = "binary" | "structured";

const CLOUDEVENTS_MEDIA = "application/cloudevents";
const ATTRIBUTE_PREFIX = "ce-";
/** Attribute names of CloudEvents: lower-case letters and digits. */
const ATTRIBUTE_NAME = /^[a-z0-9]+$/;
const JSON_MEDIA = /^(application|text)\/(json|[\w.-]+\+json)$/;
/** Parts of a surrogate pair cannot be in UTF-8, so what decodes was encoded so. */
const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** The mode of a request, from its headers alone. Throws RequestRefusedError: 415 for media that are not taken, 400 for no CloudEvent. */
export function modeOf(headers: RequestHeaders): Mode {
  const { media, charset } = contentTypeOf(headers);
  if (headers["content-encoding"]?.some((coding) => coding.toLowerCase() !== "identity"))
    throw new RequestRefusedError(415, "content-encoding: compressed bodies are not taken", {
      "accept-encoding": "identity",
    });
  if (charset !== "utf-8") throw unsupported(`charset ${charset} is not taken: JSON is UTF-8`);
  if (media === CLOUDEVENTS_JSON) return "structured";
  if (media.startsWith(`${CLOUDEVENTS_MEDIA}-batch`))
    throw unsupported("a batch is not taken, because one status cannot tell how each event ended: send one by one");
  if (media.startsWith(CLOUDEVENTS_MEDIA)) throw unsupported(`${media} is not taken`);
  if (!JSON_MEDIA.test(media) && !(media === "" && headers["ce-dataref"]))
    throw unsupported(`content-type ${media || "(none)"} is not taken`);
  if (headers["ce-specversion"] === undefined)
    throw new RequestRefusedError(
      400,
      `ce-specversion: is missing, so this is no CloudEvent; a structured one has the content-type ${CLOUDEVENTS_JSON}`,
    );
  return "binary";
}

/** The event of a request. Throws MalformedEventError, which names the attribute. */
export function readCloudEvent(mode: Mode, headers: RequestHeaders, body: Buffer): ReceivedEvent {
  const event = mode === "structured" ? structuredEvent(body) : binaryEvent(headers, body);
  for (const name of ["specversion", "id", "source", "type"])
    if (typeof event[name] !== "string" || event[name] === "")
      throw new MalformedEventError(`the request is no CloudEvent: ${name}: is missing`);
  const eventType = String(event["type"]);
  return eventType.startsWith(TYPE_PREFIX)
    ? { type: "ours", sent: checkSent(withTypes(event)) }
    : { type: "foreign", eventType };
}

function structuredEvent(body: Buffer): Record<string, unknown> {
  const json = parseJson(body, "the body");
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new MalformedEventError("the body is not a JSON object: expected one CloudEvent");
  const { data_base64: base64, ...event } = json as Record<string, unknown>;
  if (typeof base64 !== "string") return event;
  return { ...event, data: parseJson(Buffer.from(base64, "base64"), "data_base64") };
}

function binaryEvent(headers: RequestHeaders, body: Buffer): Record<string, unknown> {
  const attributes: [string, string][] = [];
  for (const [header, values = []] of Object.entries(headers)) {
    if (!header.startsWith(ATTRIBUTE_PREFIX)) continue;
    const name = header.slice(ATTRIBUTE_PREFIX.length);
    if (!ATTRIBUTE_NAME.test(name) || name === "data") continue;
    if (values.length > 1) throw new MalformedEventError(`the request is no CloudEvent: ${header}: is there twice`);
    attributes.push([name, attributeText(values[0] ?? "")]);
  }
  return {
    ...Object.fromEntries(attributes),
    datacontenttype: "application/json",
    ...(body.length > 0 && { data: parseJson(body, "the body") }),
  };
}

/**
 * Node reads headers as Latin-1. Emitters that encode nothing exist (the SDK for JavaScript is one), so what is not UTF-8 after
 * decoding is taken as it stands.
 */
function attributeText(header: string): string {
  const text = /^".*"$/s.test(header) ? header.slice(1, -1).replace(/\\(.)/gs, "$1") : header;
  const bytes = text.replace(/%([0-9a-f]{2})/gi, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  try {
    return UTF8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    return text;
  }
}

/** Numbers and booleans that came as text, which headers, and templates such as Argo's, know alone. */
function withTypes(event: Record<string, unknown>): Record<string, unknown> {
  const typed = { ...event };
  for (const [name, schema] of Object.entries(Envelope.shape)) {
    const value = event[name];
    if (typeof value !== "string" || !/^(true|false|-?\d{1,10})$/.test(value)) continue;
    if (schema.safeParse(value).success) continue;
    typed[name] = value === "true" || value === "false" ? value === "true" : Number(value);
  }
  return typed;
}

function contentTypeOf(headers: RequestHeaders): { readonly media: string; readonly charset: string } {
  const [media = "", ...parameters] = (headers["content-type"]?.[0] ?? "").split(";");
  const charset =
    parameters.map((each) => /^\s*charset\s*=\s*"?([^"]*)"?\s*$/i.exec(each)?.[1]).find(Boolean) ?? "utf-8";
  return { media: media.trim().toLowerCase(), charset: charset.toLowerCase() };
}

function parseJson(bytes: Buffer, what: string): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch (cause) {
    throw new MalformedEventError(`${what} is not JSON in UTF-8`, { cause });
  }
}

function unsupported(problem: string): RequestRefusedError {
  const advice = `send a CloudEvent as ${CLOUDEVENTS_JSON}, or with ce- headers and JSON data`;
  return new RequestRefusedError(415, `${problem}; ${advice}`, { accept: `${CLOUDEVENTS_JSON}, application/json` });
}
