/** The completion for bash, 4 and newer. Source: bash reference manual, "Programmable Completion". */
import { allCommands, type CompletedCommand, type Values } from "./tree.ts";

/** The script that `eval` takes. */
export function bashCompletion(program: CompletedCommand): string {
  const commands = allCommands(program);
  const known = commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => quoted([...parentOf(path), path.at(-1) ?? ""]));
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ values: { type } }) => type !== "none")
      .map(({ long, short, values }) => {
        const spellings = [short, long]
          .filter((each) => each !== undefined)
          .map((flag) => quoted([path.join(" "), flag]));
        return `    ${spellings.join("|")}) ${actionOf(values)}; return ;;`;
      }),
  );
  const words = commands.map(({ path, below, options, values }) => {
    const own = [...below.map((each) => each.path.at(-1)), ...(values.type === "words" ? values.words : [])];
    return [
      `    "${path.join(" ")}")`,
      `      options="${options
        .flatMap(({ long, short }) => [short, long])
        .filter((each) => each !== undefined)
        .join(" ")}"`,
      `      words="${own.join(" ")}"${values.type === "file" ? " files=yes" : ""} ;;`,
    ].join("\n");
  });
  return `# Completion of cr-reactor for bash. In ~/.bashrc: eval "$(cr-reactor completion bash)"
_cr_reactor() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" at="" options="" words="" files="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${known.join("|")}) at="\${at:+$at }\${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at $prev" in
${values.join("\n")}
  esac
  case "$at" in
${words.join("\n")}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$cur"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [[ $files ]]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen -f -- "$cur"))
  fi
}
complete -F _cr_reactor cr-reactor
`;
}

/** As the script puts it together: nothing stands before the words of the program itself. */
function quoted([at = "", word = ""]: readonly string[]): string {
  return `"${at} ${word}"`;
}

function parentOf(path: readonly string[]): readonly string[] {
  return [path.slice(0, -1).join(" ")];
}

function actionOf(values: Values): string {
  switch (values.type) {
    case "file":
      return 'compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$cur"))';
    case "context":
      return 'COMPREPLY=($(compgen -W "$(kubectl config get-contexts -o name 2>/dev/null)" -- "$cur"))';
    case "words":
      return `COMPREPLY=($(compgen -W "${values.words.join(" ")}" -- "$cur"))`;
    case "none":
    case "text":
      return ":";
    default:
      return values satisfies never;
  }
}
