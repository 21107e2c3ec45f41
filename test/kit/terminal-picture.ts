/**
 * Draws what a program wrote to a terminal as an SVG: text with its colours, one `<text>` a line, so that a picture in the
 * documentation is what really happened and its words can be checked. It knows the styles that node:util's styleText writes.
 * Source: ECMA-48 "SGR"; SVG 2.
 */

interface TextStyle {
  readonly color: string | undefined;
  readonly bold: boolean;
  readonly dim: boolean;
}

/** Geometry of a monospaced font at this size, in SVG units. */
const FONT_SIZE = 14;
const COLUMN_WIDTH = 8.43;
const LINE_HEIGHT = 20;
const MARGIN = 18;
const TITLE_HEIGHT = 34;
const BACKGROUND = "#0d1117";
const FOREGROUND = "#e6edf3";
const PLAIN: TextStyle = { color: undefined, bold: false, dim: false };
const COLORS: Readonly<Record<number, string>> = {
  31: "#ff7b72",
  32: "#3fb950",
  33: "#d29922",
  34: "#58a6ff",
  35: "#bc8cff",
  36: "#39c5cf",
  37: FOREGROUND,
  90: "#8b949e",
};

/** Draws the output of `command`; `columns` is the width of the terminal. */
export function drawTerminal(output: string, command: string, columns: number): string {
  const lines = output.replace(/\n+$/, "").split("\n");
  const width = Math.ceil(columns * COLUMN_WIDTH + 2 * MARGIN);
  const height = TITLE_HEIGHT + lines.length * LINE_HEIGHT + MARGIN;
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (color, index) => `<circle cx="${MARGIN + index * 20}" cy="17" r="6" fill="${color}"/>`,
  );
  const drawn = lines.map((line, index) => drawLine(line, TITLE_HEIGHT + (index + 1) * LINE_HEIGHT - 5));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(command)}">
<title>${escapeXml(command)}</title>
<style>text{font:${FONT_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:${FOREGROUND};white-space:pre}.b{font-weight:700}.d{fill:#8b949e}</style>
<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>
${dots.join("")}
<text x="${width / 2}" y="22" text-anchor="middle" class="d">$ ${escapeXml(command)}</text>
${drawn.join("\n")}
</svg>
`;
}

/** The words of a picture again, line by line. */
export function wordsOf(svg: string): readonly string[] {
  const lines = [...svg.matchAll(/<text class="line"[^>]*>(.*?)<\/text>/g)].map(([, line = ""]) => line);
  return lines.map((line) => unescapeXml(line.replace(/<[^>]*>/g, "")).trimEnd());
}

function drawLine(line: string, y: number): string {
  let column = 0;
  const spans = styledParts(line).map(({ text, style }) => {
    const x = MARGIN + column * COLUMN_WIDTH;
    column += [...text].length;
    const classes = [style.bold && "b", style.dim && "d"].filter(Boolean).join(" ");
    const fill = style.color === undefined ? "" : ` fill="${style.color}" style="fill:${style.color}"`;
    return `<tspan x="${x.toFixed(1)}"${classes && ` class="${classes}"`}${fill}>${escapeXml(text)}</tspan>`;
  });
  return `<text class="line" y="${y}" xml:space="preserve">${spans.join("")}</text>`;
}

function styledParts(line: string): { readonly text: string; readonly style: TextStyle }[] {
  const parts: { text: string; style: TextStyle }[] = [];
  let style = PLAIN;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what begins a style
  for (const piece of line.split(/(\u001b\[[\d;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    const codes = /^\u001b\[([\d;]*)m$/.exec(piece)?.[1];
    if (codes !== undefined) style = codes.split(";").map(Number).reduce(restyled, style);
    else if (piece !== "") parts.push({ text: piece, style });
  }
  return parts;
}

function restyled(style: TextStyle, code: number): TextStyle {
  switch (code) {
    case 0:
      return PLAIN;
    case 1:
      return { ...style, bold: true };
    case 2:
      return { ...style, dim: true };
    case 22:
      return { ...style, bold: false, dim: false };
    case 39:
      return { ...style, color: undefined };
    default:
      return { ...style, color: COLORS[code] ?? style.color };
  }
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

function unescapeXml(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&gt;", ">").replaceAll("&lt;", "<").replaceAll("&amp;", "&");
}
