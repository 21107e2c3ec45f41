/**
 * Kubernetes quantities, compared exactly: `500m` is less than `1`, `1Gi` is as much as `1024Mi`. Numbers are quantities too.
 * Source: k8s.io/apimachinery `resource.Quantity` (decimal suffixes n to E, binary Ki to Ei, exponents e and E).
 */
import type { Json } from "./kube-object.ts";

const QUANTITY = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?\d{1,3}))?$/;
/** Longer than any amount; what is longer is text. */
const LENGTH_MAX = 64;
const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };

/** An amount: `digits` times a power of ten. */
interface Amount {
  readonly digits: bigint;
  readonly exponent: number;
}

/** Negative when `a` is less than `b`, 0 when they are the same amount; `undefined` when one of them is no amount. */
export function compareQuantities(a: Json | undefined, b: Json | undefined): number | undefined {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [amountOf(a), amountOf(b)];
  if (left === undefined || right === undefined) return undefined;
  const exponent = Math.min(left.exponent, right.exponent);
  const difference = scaled(left, exponent) - scaled(right, exponent);
  return difference < 0n ? -1 : Number(difference > 0n);
}

/** Whether two values say the same amount in different words, one of them with a unit or as a number: two texts such as 1.10 and 1.1 may be versions. */
export function isSameAmount(a: Json | undefined, b: Json | undefined): boolean {
  const isBare = (value: Json | undefined) => typeof value === "string" && /^[\d.]*$/.test(value);
  return !(isBare(a) && isBare(b)) && compareQuantities(a, b) === 0;
}

/** The amount as a number, as exact as a double is; `undefined` for what is no amount. */
export function quantityNumber(value: Json | undefined): number | undefined {
  if (typeof value === "number") return value;
  const amount = amountOf(value);
  return amount && Number(`${amount.digits}e${amount.exponent}`);
}

function amountOf(value: Json | undefined): Amount | undefined {
  const text = typeof value === "number" ? String(value) : value;
  if (typeof text !== "string" || text.length > LENGTH_MAX) return undefined;
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, sign = "", whole = "", fraction = "", binary, decimal, power] = match;
  const magnitude =
    BigInt(`${whole}${fraction}`) * 1024n ** BigInt(binary === undefined ? 0 : BINARY.indexOf(binary) + 1);
  const exponent = (decimal === undefined ? Number(power ?? 0) : (DECIMAL[decimal] ?? 0)) - fraction.length;
  return { digits: sign === "-" ? -magnitude : magnitude, exponent };
}

function scaled({ digits, exponent }: Amount, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}
