import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CloudEvent, HTTP } from "cloudevents";
import {
  modeOf,
  type ReceivedEvent,
  type RequestHeaders,
  readCloudEvent,
} from "../../../../functions/kit/serve/cloud-event-request.ts";
import { updated } from "../event-factory.ts";

const { envelope, payload } = updated({ phase: "Running" }, { phase: "Failed" });
const { data, ...attributes } = envelope;
const full = { ...attributes, terminating: true as const, severitytext: "CRITICAL", severitynumber: 18 };

/** As Node hands on headers: lower-case names, each value by itself, bytes as Latin-1. */
function received(headers: Readonly<Record<string, unknown>>): RequestHeaders {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat().map(String)]),
  );
}

function read(headers: Readonly<Record<string, unknown>>, body: string | Buffer): ReceivedEvent {
  const given = received(headers);
  return readCloudEvent(modeOf(given), given, Buffer.from(body));
}

/** Percent-encoding as the binding has it: what is not printable ASCII, and space, quote and percent. */
const encoded = (value: string) =>
  [...value].map((each) => (/[!#$&-~]/.test(each) ? each : encodeURIComponent(each))).join("");

function binary(of: Readonly<Record<string, unknown>>, encode = encoded): Record<string, string> {
  const entries = Object.entries(of).flatMap(([name, value]) =>
    name === "datacontenttype" ? [] : [[`Ce-${name[0]?.toUpperCase()}${name.slice(1)}`, encode(String(value))]],
  );
  return { "Content-Type": "application/json", ...Object.fromEntries(entries) };
}

const body = JSON.stringify(data);

describe("the CloudEvent of a request", () => {
  const same: readonly {
    readonly name: string;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body: string | Buffer;
    readonly expected?: object;
  }[] = [
    {
      name: "structured",
      headers: { "content-type": "application/cloudevents+json" },
      body: payload,
      expected: envelope,
    },
    {
      name: "structured, with a charset in capitals",
      headers: { "Content-Type": 'Application/CloudEvents+JSON; charset="UTF-8"' },
      body: payload,
      expected: envelope,
    },
    {
      name: "structured, with data_base64",
      headers: { "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ ...attributes, data_base64: Buffer.from(body).toString("base64") }),
      expected: envelope,
    },
    {
      name: "structured, with numbers and booleans as a template writes them",
      headers: { "content-type": "application/cloudevents+json" },
      body: JSON.stringify({ ...full, terminating: "true", severitynumber: "18", data }),
    },
    { name: "binary, as Go's SDK names the headers (Knative)", headers: binary(full), body },
    {
      name: "binary, with a charset",
      headers: { ...binary(full), "Content-Type": "application/json; charset=utf-8" },
      body,
    },
    {
      name: "binary, with a JSON media type of its own",
      headers: { ...binary(full), "Content-Type": "application/vnd.x+json" },
      body,
    },
    ...(["binary", "structured"] as const).map((mode) => ({
      name: `${mode}, from the SDK for JavaScript`,
      ...(HTTP[mode](new CloudEvent({ ...full, data })) as { headers: Record<string, unknown>; body: string }),
    })),
    {
      name: "binary, percent-encoded, with characters beyond ASCII",
      headers: binary({ ...full, phase: 'Größe "50 %" 🙂' }),
      body,
      expected: { ...full, phase: 'Größe "50 %" 🙂', data },
    },
    {
      name: "binary, in UTF-8 that nobody encoded",
      headers: binary({ ...full, phase: "Größe 🙂" }, (value) => Buffer.from(value, "utf8").toString("latin1")),
      body,
      expected: { ...full, phase: "Größe 🙂", data },
    },
    {
      name: "binary, in Latin-1, with a percent sign that encodes nothing",
      headers: binary({ ...full, phase: "Größe 50%" }, String),
      body,
      expected: { ...full, phase: "Größe 50%", data },
    },
    {
      name: "binary, quoted as before version 1.0.2",
      headers: { ...binary(full), "ce-phase": '"very \\"bad\\" 1%25"' },
      body,
      expected: { ...full, phase: 'very "bad" 1%', data },
    },
    {
      name: "binary, with extensions that a broker added",
      headers: { ...binary(full), "ce-knativearrivaltime": "2026-01-01T00:00:00Z", "ce-subscriptionid": "17" },
      body,
      expected: { ...full, knativearrivaltime: "2026-01-01T00:00:00Z", subscriptionid: "17", data },
    },
    {
      name: "binary, with a number that has leading zeros",
      headers: { ...binary(full), "ce-severitynumber": "0018" },
      body,
    },
    {
      name: "binary, with a text that only looks like a number",
      headers: { ...binary(full), "ce-phase": "17", "ce-manager": "true" },
      body,
      expected: { ...full, phase: "17", manager: "true", data },
    },
  ];
  for (const { name, headers, body: sent, expected = { ...full, data } } of same) {
    test(`is read: ${name}`, () => {
      assert.deepEqual(read(headers, sent), { type: "ours", sent: expected });
    });
  }

  test("whose data is elsewhere may come without a body and its type", () => {
    const { "Content-Type": _, ...headers } = binary({ ...attributes, dataref: "nats:/CR_BLOBS/x/y/z" });
    const event = read(headers, "");
    assert.equal(event.type === "ours" && event.sent.data, undefined);
  });

  test("of another type is nobody's here, and no mistake", () => {
    const headers = { ...binary(full), "ce-type": "dev.knative.apiserver.resource.update" };
    assert.deepEqual(read(headers, "{}"), { type: "foreign", eventType: "dev.knative.apiserver.resource.update" });
  });

  const without = (name: string) =>
    Object.fromEntries(Object.entries(binary(full)).filter(([key]) => key.toLowerCase() !== name));
  const structured = { "content-type": "application/cloudevents+json" };
  const refused: readonly {
    readonly name: string;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly body?: string | Buffer;
    readonly expected: { readonly status?: number; readonly message: RegExp };
  }[] = [
    {
      name: "a batch",
      headers: { "content-type": "application/cloudevents-batch+json" },
      expected: { status: 415, message: /batch .*one by one/ },
    },
    {
      name: "another format",
      headers: { "content-type": "application/cloudevents+xml" },
      expected: { status: 415, message: /cloudevents\+xml is not taken/ },
    },
    {
      name: "a form",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      expected: { status: 415, message: /send a CloudEvent as/ },
    },
    { name: "no media type", headers: {}, expected: { status: 415, message: /content-type \(none\)/ } },
    {
      name: "another charset",
      headers: { "content-type": "application/cloudevents+json; charset=utf-16" },
      expected: { status: 415, message: /charset utf-16/ },
    },
    {
      name: "a compressed body",
      headers: { ...structured, "content-encoding": "gzip" },
      expected: { status: 415, message: /compressed/ },
    },
    {
      name: "plain JSON",
      headers: { "content-type": "application/json" },
      expected: { status: 400, message: /^ce-specversion: is missing/ },
    },
    {
      name: "a structured event that is no JSON",
      headers: structured,
      body: "{",
      expected: { message: /the body is not JSON/ },
    },
    {
      name: "a structured event in Latin-1",
      headers: structured,
      body: Buffer.from('{"id":"ä"}', "latin1"),
      expected: { message: /not JSON in UTF-8/ },
    },
    {
      name: "a structured event that is a list",
      headers: structured,
      body: `[${payload}]`,
      expected: { message: /expected one CloudEvent/ },
    },
    {
      name: "a structured event without id",
      headers: structured,
      body: JSON.stringify({ ...envelope, id: undefined }),
      expected: { message: /id: is missing/ },
    },
    {
      name: "a binary event without source",
      headers: without("ce-source"),
      body,
      expected: { message: /source: is missing/ },
    },
    {
      name: "an event of ours that lacks an attribute",
      headers: without("ce-cluster"),
      body,
      expected: { message: /cluster: / },
    },
    { name: "an event without data", headers: binary(full), body: "", expected: { message: /data: / } },
    {
      name: "an attribute that is there twice",
      headers: { ...binary(full), "Ce-Id": ["a", "b"] },
      body,
      expected: { message: /ce-id: is there twice/ },
    },
    {
      name: "a number that is none",
      headers: { ...binary(full), "Ce-Severitynumber": "many" },
      body,
      expected: { message: /severitynumber: / },
    },
    {
      name: "another version of CloudEvents",
      headers: { ...binary(full), "Ce-Specversion": "0.3" },
      body,
      expected: { message: /specversion: / },
    },
  ];
  for (const { name, headers, body: sent = "", expected } of refused) {
    test(`is refused: ${name}`, () => {
      assert.throws(() => read(headers, sent), expected);
    });
  }

  test("cannot put data in through a header", () => {
    assert.deepEqual(read({ ...binary(full), "ce-data": "x", "ce-__proto__": "x", "ce-a_b": "x" }, body), {
      type: "ours",
      sent: { ...full, data },
    });
  });
});
