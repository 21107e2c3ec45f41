/** What became of an event, as lines for a terminal. Nothing in them drives it: texts come from clusters and functions. */
import { paint, type Style } from "../terminal.ts";
import type { Delivery, Unsent } from "./dev-message.ts";

const MARKS: Readonly<Record<Delivery["outcome"], readonly [mark: string, style: Style, word: string]>> = {
  done: ["✔", "green", "done"],
  skipped: ["–", "dim", "skipped"],
  silenced: ["–", "dim", "held back by a silence"],
  retry: ["↻", "yellow", "would be tried again"],
  "dead-letter": ["✖", "red", "dead letter"],
};
const TEXT_CHARS_MAX = 2_000;
const CONTROL_CHARACTERS = /(?!\n)\p{Cc}/gu;

/** The lines of one delivery, without a line break at the end. */
export function renderDelivery(delivery: Delivery): string {
  const { subscription, outcome, note, reason, error, steps, unsent, logs, ms } = delivery;
  const [mark, style, word] = MARKS[outcome];
  const why = [note ?? reason ?? error ?? "", outcome === "skipped" ? "" : `(${Math.round(ms)} ms)`].filter(Boolean);
  const head = `${paint(style, mark)} ${paint("bold", plain(subscription))} ${paint(style, word)}`;
  const lines = [
    why.length === 0 ? head : `${head}: ${plain(why.join(" "))}`,
    ...steps.map(({ name, type, result }) =>
      plain(`  step ${name}: ${type}${result == null ? "" : ` ${JSON.stringify(result)}`}`),
    ),
    ...unsent.flatMap(renderUnsent),
    ...logs.map(({ level: _, msg, ...fields }) => {
      const rest = Object.keys(fields).length === 0 ? "" : ` ${JSON.stringify(fields)}`;
      return paint("dim", plain(`  log: ${String(msg ?? "")}${rest}`));
    }),
  ];
  return lines
    .flatMap((line) => line.split("\n"))
    .map((line) => `  ${line}`)
    .join("\n");
}

function renderUnsent({ method, url, body }: Unsent): string[] {
  const head = `  ${paint("cyan", "not sent:")} ${plain(`${method} ${url}`)}`;
  return body === ""
    ? [head]
    : [
        head,
        ...plain(pretty(body))
          .split("\n")
          .map((line) => `    ${line}`),
      ];
}

/** JSON with its structure, anything else as it is. */
function pretty(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

function plain(text: string): string {
  const cut = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return cut.replace(CONTROL_CHARACTERS, "�");
}
