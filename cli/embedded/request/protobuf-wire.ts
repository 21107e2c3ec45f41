/**
 * The wire format of protobuf, read by a table of a message's fields into what Go writes for the same message as JSON. Bytes are
 * a stranger's: whatever does not fit is a 400 with the API server's words, no length is believed before it is compared with what
 * is there, and nesting costs no stack, because only tables nest.
 * Source: protobuf.dev, "Encoding"; gogo/protobuf's generated Unmarshal (which fields are passed over, the messages).
 */
import { type Json, type JsonObject, kubeTime } from "../object/object.ts";
import { badRequest, type StatusError } from "../object/status-error.ts";
import { assertDepth } from "../schema/json-depth.ts";

/** How the value of a field becomes JSON. */
export type ProtobufType =
  | "text"
  | "base64"
  | "flag"
  | "int32"
  | "int64"
  | "time"
  | "micro-time"
  | "fields-v1"
  | { readonly message: ProtobufMessage }
  | { readonly list: "text" | { readonly message: ProtobufMessage } }
  | { readonly map: "text" | "base64" };

/** One field of a message. */
export interface ProtobufField {
  readonly name: string;
  readonly type: ProtobufType;
  /** A pointer in Go: what is sent counts, be it empty, 0 or false. Without it such a value is as good as none. */
  readonly isPointer?: boolean;
}

/** The fields of a message by their number. */
export type ProtobufMessage = Readonly<Record<number, ProtobufField>>;

/** What a message says about one field, in order. */
interface Occurrences {
  readonly varints: bigint[];
  readonly chunks: Buffer[];
}

interface Cursor {
  readonly bytes: Buffer;
  at: number;
}

const VARINT = 0;
const FIXED_64 = 1;
const CHUNK = 2;
const GROUP_START = 3;
const GROUP_END = 4;
const FIXED_32 = 5;

const VARINT_BYTES_MAX = 10;
/** What a JSON time can say: the years 1 to 9999. */
const SECONDS_MIN = -62_135_596_800;
const SECONDS_MAX = 253_402_300_799;
const NANOS_MAX = 999_999_999;

const TIMESTAMP: ProtobufMessage = { 1: { name: "seconds", type: "int64" }, 2: { name: "nanos", type: "int32" } };
const FIELDS_V1: ProtobufMessage = { 1: { name: "raw", type: "text" } };
const ENTRIES: Readonly<Record<"text" | "base64", ProtobufMessage>> = {
  text: { 1: { name: "key", type: "text" }, 2: { name: "value", type: "text" } },
  base64: { 1: { name: "key", type: "text" }, 2: { name: "value", type: "base64" } },
};

/** The message as JSON; what the table lacks is passed over. Throws StatusError 400. */
export function readMessage(bytes: Buffer, message: ProtobufMessage): JsonObject {
  const fields: [string, Json][] = [];
  for (const [number, { varints, chunks }] of occurrencesIn(bytes, message)) {
    const field = message[number];
    const value = field && readField(field, varints, chunks);
    if (field !== undefined && value !== undefined) fields.push([field.name, value]);
  }
  return Object.fromEntries(fields);
}

function readField(field: ProtobufField, varints: readonly bigint[], chunks: readonly Buffer[]): Json | undefined {
  const { type, name, isPointer = false } = field;
  if (typeof type === "object") return readParts(type, chunks);
  const last = chunks.at(-1) ?? Buffer.alloc(0);
  const number = varints.at(-1) ?? 0n;
  const unlessZero = <T extends Json>(value: T): T | undefined => (value || isPointer ? value : undefined);
  switch (type) {
    case "text":
    case "base64":
      return unlessZero(last.toString(type === "text" ? "utf8" : "base64"));
    case "flag":
      return unlessZero(number !== 0n);
    case "int32":
    case "int64":
      return unlessZero(Number(BigInt.asIntN(type === "int32" ? 32 : 64, number)));
    case "time":
    case "micro-time":
      return last.length === 0 ? undefined : timeOf(name, readMessage(last, TIMESTAMP), type === "micro-time");
    case "fields-v1":
      return fieldsOf(String(readMessage(last, FIELDS_V1)["raw"] ?? ""));
    default:
      return type satisfies never;
  }
}

function readParts(type: Exclude<ProtobufType, string>, chunks: readonly Buffer[]): Json {
  if ("message" in type) return readMessage(Buffer.concat(chunks), type.message); // to join the bytes is to merge
  if ("list" in type) {
    const { list } = type;
    return chunks.map((chunk) => (list === "text" ? chunk.toString("utf8") : readMessage(chunk, list.message)));
  }
  return Object.fromEntries(
    chunks.map((chunk) => {
      const { key = "", value = "" } = readMessage(chunk, ENTRIES[type.map]);
      return [String(key), value];
    }),
  );
}

function timeOf(name: string, { seconds = 0, nanos = 0 }: JsonObject, isMicro: boolean): string {
  const [whole, part] = [Number(seconds), Number(nanos)];
  if (whole < SECONDS_MIN || whole > SECONDS_MAX || part < 0 || part > NANOS_MAX)
    throw badRequest(`proto: time out of range for field ${name}`);
  const time = kubeTime(whole * 1000);
  if (!isMicro) return time;
  const micros = String(Math.trunc(part / 1000)).padStart(6, "0");
  return `${time.slice(0, -1)}.${micros}Z`;
}

/** The API server ignores managedFields that it cannot read. */
function fieldsOf(text: string): Json {
  let fields: Json;
  try {
    fields = JSON.parse(text);
  } catch {
    return {};
  }
  assertDepth(fields);
  return fields;
}

/** What the bytes say about each field of the table. Throws StatusError 400. */
function occurrencesIn(bytes: Buffer, message: ProtobufMessage): ReadonlyMap<number, Occurrences> {
  const cursor: Cursor = { bytes, at: 0 };
  const found = new Map<number, Occurrences>();
  while (cursor.at < bytes.length) {
    const tag = readTag(cursor);
    const field = message[tag.number];
    if (field === undefined) {
      skip(cursor, tag.wireType);
      continue;
    }
    const wanted = field.type === "flag" || field.type === "int32" || field.type === "int64" ? VARINT : CHUNK;
    if (tag.wireType !== wanted) throw badRequest(`proto: wrong wireType = ${tag.wireType} for field ${field.name}`);
    const occurrences = found.get(tag.number) ?? { varints: [], chunks: [] };
    found.set(tag.number, occurrences);
    if (wanted === VARINT) occurrences.varints.push(readVarint(cursor));
    else occurrences.chunks.push(readChunk(cursor));
  }
  return found;
}

function readTag(cursor: Cursor): { readonly number: number; readonly wireType: number } {
  const tag = readVarint(cursor);
  const number = Number(BigInt.asIntN(32, tag >> 3n));
  const wireType = Number(tag & 7n);
  if (wireType === GROUP_END) throw badRequest("proto: wiretype end group for non-group");
  if (number <= 0) throw badRequest(`proto: illegal tag ${number} (wire type ${tag})`);
  return { number, wireType };
}

function readVarint(cursor: Cursor): bigint {
  let value = 0n;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = cursor.bytes[cursor.at];
    if (byte === undefined) throw unexpectedEnd();
    cursor.at++;
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return BigInt.asUintN(64, value);
  }
  throw badRequest("proto: integer overflow");
}

function readChunk(cursor: Cursor): Buffer {
  const length = BigInt.asIntN(64, readVarint(cursor));
  if (length < 0n || BigInt.asIntN(64, length + BigInt(cursor.at)) < 0n)
    throw badRequest("proto: negative length found during unmarshaling");
  const start = cursor.at;
  advance(cursor, length);
  return cursor.bytes.subarray(start, cursor.at);
}

function advance(cursor: Cursor, length: bigint): void {
  if (length > BigInt(cursor.bytes.length - cursor.at)) throw unexpectedEnd();
  cursor.at += Number(length);
}

/** Passes over a value; a group with all that is in it. */
function skip(cursor: Cursor, firstWireType: number): void {
  let wireType = firstWireType;
  for (let depth = 0; ; ) {
    if (wireType === VARINT) readVarint(cursor);
    else if (wireType === CHUNK) readChunk(cursor);
    else if (wireType === FIXED_64) advance(cursor, 8n);
    else if (wireType === FIXED_32) advance(cursor, 4n);
    else if (wireType === GROUP_START) depth++;
    else if (wireType === GROUP_END) depth--;
    else throw badRequest(`proto: illegal wireType ${wireType}`);
    if (depth === 0) return;
    wireType = Number(readVarint(cursor) & 7n);
  }
}

function unexpectedEnd(): StatusError {
  return badRequest("unexpected EOF");
}
