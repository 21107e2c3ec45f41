/**
 * Epochs: when etcd is restored from a backup, resourceVersions go back and are given again. From then on a version alone does
 * not order two states of an object any more; the epoch before it does. Everything in the bridge that compares or stores a
 * version uses this form: in the first epoch the resourceVersion itself, later the epoch in front of it, padded, so that any
 * version of a later epoch is the longer, and so the newer one.
 */

/** A list shows that etcd was restored from a backup: it is newer than a version of the log, and has the object in an older state. */
export class RewoundError extends Error {
  readonly code = "REWOUND";
  override readonly name = "RewoundError";
  /** The one that begins. */
  readonly epoch: number;
  constructor(title: string, epoch: number) {
    super(
      `${title}: objects are older than what was published about them: etcd was restored from a backup. A new epoch begins: everything is listed and compared`,
    );
    this.epoch = epoch;
  }
}

/** Digits of the longest resourceVersion etcd can give (2^63). */
const VERSION_DIGITS = 20;

/** The version that orders across epochs; epochs count from 1. */
export function versionIn(epoch: number, resourceVersion: string): string {
  return epoch === 1 ? resourceVersion : `${epoch}${sequenceOf(resourceVersion)}`;
}

/** Such a version as the attribute `sequence`: padded, so that sequences sort as text. */
export function sequenceOf(version: string): string {
  return version.padStart(VERSION_DIGITS, "0");
}

/** The version in the attribute `sequence`. */
export function versionOfSequence(sequence: string): string {
  return sequence.replace(/^0+(?=.)/, "");
}

/** The epoch of such a version. */
export function epochOf(version: string): number {
  return version.length <= VERSION_DIGITS ? 1 : Number(version.slice(0, -VERSION_DIGITS));
}

/** The resourceVersion in such a version. */
export function resourceVersionOf(version: string): string {
  return version.length <= VERSION_DIGITS ? version : versionOfSequence(version.slice(-VERSION_DIGITS));
}
