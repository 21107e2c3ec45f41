/** The completion for zsh. Source: zshcompsys(1), `_describe`, `_files`. */
import { allCommands, type CompletedCommand, type Values } from "./tree.ts";

/** The script that stands in a file `_cr-reactor` of `$fpath`, or that `eval` takes. */
export function zshCompletion(program: CompletedCommand): string {
  const commands = allCommands(program);
  const known = commands
    .filter(({ path }) => path.length > 0)
    .map(({ path }) => `"${path.slice(0, -1).join(" ")} ${path.at(-1)}"`);
  const values = commands.flatMap(({ path, options }) =>
    options
      .filter(({ values: { type } }) => type !== "none")
      .map(({ long, short, values }) => {
        const spellings = [short, long]
          .filter((each) => each !== undefined)
          .map((flag) => `"${path.join(" ")} ${flag}"`);
        return `    ${spellings.join("|")}) ${actionOf(values)}; return ;;`;
      }),
  );
  const words = commands.map(({ path, below, options, values }) => {
    const own = [
      ...below.map((each) => described(each.path.at(-1) ?? "", each.description)),
      ...(values.type === "words" ? values.words.map((word) => described(word, "")) : []),
    ];
    const flags = options.map(({ long, description }) => described(long, description));
    return `    "${path.join(" ")}")\n      commands=(${own.join(" ")})\n      options=(${flags.join(" ")})${values.type === "file" ? "\n      files=yes" : ""} ;;`;
  });
  return `#compdef cr-reactor
# Completion of cr-reactor for zsh. In ~/.zshrc: eval "$(cr-reactor completion zsh)"
_cr-reactor() {
  local at="" files="" i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      ${known.join("|")}) at="\${at:+$at }\${words[i]}" ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${values.join("\n")}
  esac
  case "$at" in
${words.join("\n")}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe -o option options
    return
  fi
  (( \${#commands} )) && _describe command commands
  [[ -n $files ]] && _files
}
if [[ \${funcstack[1]} == _cr-reactor ]]; then
  _cr-reactor "$@"
else
  compdef _cr-reactor cr-reactor
fi
`;
}

/** A word and what it is for; a colon stands between them, so none may be in the word. */
function described(word: string, description: string): string {
  const text = description === "" ? word : `${word.replaceAll(":", "\\:")}:${description}`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function actionOf(values: Values): string {
  switch (values.type) {
    case "file":
      return "_files";
    case "context":
      return `compadd -- \${(f)"$(kubectl config get-contexts -o name 2>/dev/null)"}`;
    case "words":
      return `compadd -- ${values.words.join(" ")}`;
    case "none":
    case "text":
      return ":";
    default:
      return values satisfies never;
  }
}
