/**
 * Metrics as text, in the two formats that Prometheus reads: its own and OpenMetrics. Which of them is the scraper's choice.
 * Source: Prometheus exposition format 0.0.4; OpenMetrics 1.0.0 (a counter's family is named without `_total`, units are
 * told, the text ends with # EOF).
 */

/** One number, and what it is of. */
export interface Sample {
  /** Behind the family's name: `_bucket`, `_sum`, `_count` of a histogram. Default: none. */
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** All series of one name; a counter's name ends with `_total`. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly samples: readonly Sample[];
}

/** What is answered to a scraper. */
export interface Exposition {
  readonly text: string;
  readonly contentType: string;
}

/** Answers with the metrics in a format that the header `accept` names. */
export type Expose = (accept?: string) => Promise<Exposition>;

const PROMETHEUS_TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPENMETRICS_TEXT = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const TOTAL = "_total";
/** Base units, which stand at the end of a name. */
const UNITS = ["seconds", "bytes"];

/** Writes them as text; OpenMetrics only where it is asked for by name, and not refused (`q=0`). Families without a sample are left out. */
export function renderMetrics(families: readonly MetricFamily[], accept = ""): Exposition {
  const isOpen = prefersOpenMetrics(accept);
  const lines: string[] = [];
  for (const { name, help, type, samples } of families) {
    if (samples.length === 0) continue;
    const family = isOpen && type === "counter" && name.endsWith(TOTAL) ? name.slice(0, -TOTAL.length) : name;
    lines.push(`# HELP ${family} ${escaped(help, isOpen)}`, `# TYPE ${family} ${type}`);
    const unit = isOpen && UNITS.find((each) => family.endsWith(`_${each}`));
    if (unit) lines.push(`# UNIT ${family} ${unit}`);
    for (const { suffix = "", labels, value } of samples)
      lines.push(`${name}${suffix}${labelText(labels)} ${numberText(value)}`);
  }
  if (isOpen) lines.push("# EOF");
  return { text: `${lines.join("\n")}\n`, contentType: isOpen ? OPENMETRICS_TEXT : PROMETHEUS_TEXT };
}

/** Prometheus names every format that it reads, with weights: what it names highest is taken. */
function prefersOpenMetrics(accept: string): boolean {
  const weightOf = (type: string) => {
    const named = accept.split(",").find((each) => each.trim().toLowerCase().startsWith(type));
    return named === undefined ? 0 : Number(/;\s*q=([\d.]+)/i.exec(named)?.[1] ?? 1);
  };
  const open = weightOf("application/openmetrics-text");
  return open > 0 && open >= weightOf("text/plain");
}

function labelText(labels: Sample["labels"]): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(String(value), true)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string, quotes: boolean): string {
  const plain = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return quotes ? plain.replaceAll('"', '\\"') : plain;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
