/** The completion for fish. Source: fish documentation, "Writing your own completions". */
import { allCommands, type CompletedCommand, type Values } from "./tree.ts";

/** The script for ~/.config/fish/completions/cr-reactor.fish. */
export function fishCompletion(program: CompletedCommand): string {
  const lines = allCommands(program).flatMap((command) => {
    const here = conditionOf(command);
    const words = command.values.type === "words" ? command.values.words : [];
    return [
      ...command.below.map(({ path, description }) => line(here, `-f -a ${path.at(-1)}`, description)),
      ...(words.length > 0 ? [line(here, `-f -a ${quoted(words.join(" "))}`, "")] : []),
      ...command.options.map(({ long, short, description, values }) => {
        const flags = [short && `-s ${short.slice(1)}`, `-l ${long.slice(2)}`, argumentOf(values)].filter(Boolean);
        return line(here, flags.join(" "), description);
      }),
      ...(command.values.type === "file" ? [line(here, "-F", "")] : []),
    ];
  });
  return `# Completion of cr-reactor for fish: cr-reactor completion fish > ~/.config/fish/completions/cr-reactor.fish
complete -c cr-reactor -f
${lines.join("\n")}
`;
}

/** Where the words of this command have been written, and none of those below it. */
function conditionOf({ path, below }: CompletedCommand): string {
  const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
  const names = below.map((each) => each.path.at(-1)).join(" ");
  const unseen = names === "" ? [] : [`not __fish_seen_subcommand_from ${names}`];
  return [...seen, ...unseen].join("; and ");
}

function line(condition: string, rest: string, description: string): string {
  return `complete -c cr-reactor -n ${quoted(condition)} ${rest}${description && ` -d ${quoted(description)}`}`;
}

function argumentOf(values: Values): string {
  switch (values.type) {
    case "none":
      return "";
    case "text":
      return "-x";
    case "file":
      return "-r -F";
    case "words":
      return `-x -a ${quoted(values.words.join(" "))}`;
    case "context":
      return "-x -a '(kubectl config get-contexts -o name 2>/dev/null)'";
    default:
      return values satisfies never;
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
