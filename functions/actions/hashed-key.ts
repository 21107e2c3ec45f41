/** A key that fits a receiver's limit and is still one key for one thing. */
import { hash } from "node:crypto";

/** 80 bits: two keys never become one. */
const HEX_DIGITS = 20;

/** The key itself as long as it fits, else its beginning and a hash of the whole. */
export function fittingKey(key: string, charsMax: number): string {
  if (key.length <= charsMax) return key;
  return `${key.slice(0, charsMax - HEX_DIGITS - 1)}-${hashedKey(key)}`;
}

/** Twenty hexadecimal digits for a key, where a receiver takes few characters. */
export function hashedKey(key: string): string {
  return hash("sha256", key, "hex").slice(0, HEX_DIGITS);
}
