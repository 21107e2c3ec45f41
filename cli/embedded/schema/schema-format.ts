/**
 * The string and number formats that a CustomResourceDefinition may name. Others are ignored, as kube-apiserver ignores them.
 * Source: apiextensions-apiserver `pkg/apiserver/validation/formats.go`, kube-openapi `pkg/validation/strfmt`.
 */
import { isIP, isIPv6 } from "node:net";

const uuid = (third: string, fourth: string) =>
  new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, "i");
const UUID = uuid("[0-9a-f]{4}", "[0-9a-f]{4}");
const UUID_3 = uuid("3[0-9a-f]{3}", "[0-9a-f]{4}");
const UUID_4 = uuid("4[0-9a-f]{3}", "[89ab][0-9a-f]{3}");
const UUID_5 = uuid("5[0-9a-f]{3}", "[89ab][0-9a-f]{3}");
const HOSTNAME =
  /^([a-zA-Z0-9\p{S}\p{L}]((-?[a-zA-Z0-9\p{S}\p{L}]{0,62})?)|([a-zA-Z0-9\p{S}\p{L}](([a-zA-Z0-9\-\p{S}\p{L}]{0,61}[a-zA-Z0-9\p{S}\p{L}])?)(\.))+([a-zA-Z\p{L}]){2,63})$/u;
const CREDIT_CARD =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;
const RGB_PART = "\\s*(0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])\\s*";
const RGB_COLOR = new RegExp(`^rgb\\(${RGB_PART},${RGB_PART},${RGB_PART}\\)$`);
const BASE_64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/;
const MAC = /^[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}(?:(?:\1[0-9a-f]{2}){2}|(?:\1[0-9a-f]{2}){14})?)$/i;
const MAC_DOTTED = /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}(?:\.[0-9a-f]{4}|(?:\.[0-9a-f]{4}){7})?$/i;
const GO_DURATION = /^[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const SCALA_DURATION =
  /(\d+)\s*(ns|nanos?|nanosecs?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hr|hours?|d|days?|w|wks?|weeks?)\b/i;
const TIME = /^(\d{2}):(\d{2}):(\d{2})(?:.\d+)?(?:z|[+-]\d{2}:\d{2})$/;
const SHORT_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LONG_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

const STRING_FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  bsonobjectid: (text) => /^[0-9a-f]{24}$/i.test(text),
  uri: isRequestUri,
  email: (text) => /^(?:[^<>]*<\s*)?[^\s@<>(),;:"[\]]+@[^\s@<>(),;:"]+\s*>?$/.test(text),
  hostname: (text) => HOSTNAME.test(text) && text.length <= 255 && text.split(".").every((part) => part.length <= 63),
  ipv4: (text) => text.includes(".") && isIP(withoutZeros(text)) > 0,
  ipv6: (text) => text.includes(":") && isIPv6(text) && !text.includes("%"),
  cidr: isCidr,
  mac: (text) => MAC.test(text) || MAC_DOTTED.test(text),
  uuid: (text) => UUID.test(text),
  uuid3: (text) => UUID_3.test(text),
  uuid4: (text) => UUID_4.test(text),
  uuid5: (text) => UUID_5.test(text),
  isbn: (text) => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: (text) => /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  hexcolor: (text) => /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.test(text),
  rgbcolor: (text) => RGB_COLOR.test(text),
  byte: (text) => BASE_64.test(text),
  password: () => true,
  date: isDate,
  duration: (text) => GO_DURATION.test(text) || SCALA_DURATION.test(text),
  datetime: isDateTime,
  k8sshortname: (text) => text.length <= 63 && SHORT_NAME.test(text),
  k8slongname: (text) => text.length <= 253 && LONG_NAME.test(text),
};

const NUMBER_FORMATS: Readonly<Record<string, readonly string[]>> = {
  integer: ["int32", "int64"],
  number: ["float", "double"],
};

/** The format as the schema names it, or undefined where the server does not know it for these types. */
export function knownFormat(format: string | undefined, types: readonly string[]): string | undefined {
  if (format === undefined || format === "") return undefined;
  const type = types.length === 1 ? (types[0] ?? "") : "";
  const known = type === "" || type === "string" ? isStringFormat(format) : NUMBER_FORMATS[type]?.includes(format);
  return known ? format : undefined;
}

/** Whether a text has the format; dashes in the format's name do not count (`date-time`). */
export function hasFormat(text: string, format: string): boolean {
  return STRING_FORMATS[normal(format)]?.(text) ?? true;
}

const normal = (format: string) => format.replaceAll("-", "");
const isStringFormat = (format: string) => Object.hasOwn(STRING_FORMATS, normal(format));

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.slice(0, 10) === text;
}

function isDateTime(text: string): boolean {
  const [date, time] = text.toLowerCase().split("t");
  const parts = TIME.exec(time ?? "");
  if (date === undefined || parts === null || !isDate(date)) return false;
  const [, hours = "", minutes = "", seconds = ""] = parts;
  return hours <= "23" && minutes <= "59" && seconds <= "59";
}

function isRequestUri(text: string): boolean {
  return text.startsWith("/") ? !/[\s\x7f]/.test(text) : URL.canParse(text) && /^[a-z][a-z0-9+.-]*:/i.test(text);
}

function withoutZeros(address: string): string {
  return address.replace(/\b0+(?=\d)/g, "");
}

function isCidr(text: string): boolean {
  const [address = "", bits = "", ...rest] = text.split("/");
  const version = isIP(withoutZeros(address));
  return rest.length === 0 && version > 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "");
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits].reduce(
    (total, digit, index) => total + (10 - index) * (digit === "X" ? 10 : Number(digit)),
    0,
  );
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, "");
  if (!/^\d{13}$/.test(digits)) return false;
  return [...digits].reduce((total, digit, index) => total + Number(digit) * (index % 2 === 0 ? 1 : 3), 0) % 10 === 0;
}

function isCreditCard(text: string): boolean {
  const digits = text.replace(/\D+/g, "");
  if (!CREDIT_CARD.test(digits)) return false;
  const sum = [...digits].toReversed().reduce((total, digit, index) => {
    const value = Number(digit) * (index % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}
