/**
 * CloudEvents as an HTTP request, in binary mode (attributes are headers, the body is the data), structured mode (the body is all), or several
 * in batched mode.
 * Source: CloudEvents HTTP protocol binding 1.0.2, sections 3.1 to 3.3; JSON format 1.0.2 and its batch format.
 */
import type { Json } from "#kit";

/** The two modes. */
export type CloudEventMode = "binary" | "structured";

/** An event's attributes by name, and its data as JSON. */
export interface OutgoingEvent {
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly data: Json | object;
}

/** What of the request is the event. */
export interface CloudEventRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Everything but printable ASCII, and of that the three that the binding names: space, double quote, percent. */
const ENCODED_CHARACTERS = /[^\x21\x23\x24\x26-\x7e]+/g;

/** The request's headers and body. */
export function cloudEventRequest({ attributes, data }: OutgoingEvent, mode: CloudEventMode): CloudEventRequest {
  if (mode === "structured") {
    return {
      headers: { "content-type": "application/cloudevents+json; charset=utf-8" },
      body: JSON.stringify({ ...attributes, data }),
    };
  }
  const { datacontenttype = "application/json", ...others } = attributes;
  const headers = Object.entries(others).map(([name, value]) => [`ce-${name}`, headerValue(String(value))]);
  return {
    headers: { ...Object.fromEntries(headers), "content-type": String(datacontenttype) },
    body: JSON.stringify(data),
  };
}

/** The headers and body of a request with all of them. */
export function cloudEventsRequest(events: readonly OutgoingEvent[]): CloudEventRequest {
  return {
    headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8" },
    body: JSON.stringify(events.map(({ attributes, data }) => ({ ...attributes, data }))),
  };
}

/** Percent-encodes the UTF-8 of what may not stand in a header's value. */
function headerValue(text: string): string {
  return text
    .toWellFormed()
    .replace(ENCODED_CHARACTERS, (run) =>
      [...Buffer.from(run)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""),
    );
}
