import type { Shell } from "./render.ts";

/** Where each shell looks for it by itself, and how to try it at once. */
const notes: Readonly<Record<Shell, (program: string) => readonly string[]>> = {
  bash: (program) => [`Keep it (bash-completion loads it by itself):`, `  ${program} completion bash > ~/.local/share/bash-completion/completions/${program}`, `or, in ~/.bashrc:`, `  source <(${program} completion bash)`],
  zsh: (program) => [`Keep it in a folder of $fpath, under the name _${program}, and start a new shell:`, `  ${program} completion zsh > "\${fpath[1]}/_${program}"`, `or, in ~/.zshrc:`, `  source <(${program} completion zsh)`],
  fish: (program) => [`Keep it:`, `  ${program} completion fish > ~/.config/fish/completions/${program}.fish`],
};

const bash = (program: string): string => `_${program}_complete() {
  local line answered= file
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $answered ]]; then answered=$line; else COMPREPLY+=("$line"); fi
  done < <(command ${program} __complete bash "$COMP_WORDBREAKS" "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
  case $answered in
    :files|:folders)
      if ((\${#COMPREPLY[@]} == 0)) && type compopt >/dev/null 2>&1; then
        compopt +o nospace
        if [[ $answered == :files ]]; then compopt -o default; else compopt -o dirnames; fi
        return
      fi
      while IFS= read -r file; do
        if [[ -d $file ]]; then printf -v file '%q/' "$file"; else printf -v file '%q ' "$file"; fi
        COMPREPLY+=("$file")
      done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
      ;;
  esac
}
complete -o nospace -F _${program}_complete ${program}
`;

const zsh = (program: string): string => `_${program}() {
  local line mark value note
  local -a answer values shown open_values open_shown
  answer=("\${(@f)$(command ${program} __complete zsh "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  for line in "\${(@)answer[2,-1]}"; do
    mark=\${line%%$'\\t'*} line=\${line#*$'\\t'}
    value=\${line%%$'\\t'*} note=\${line#*$'\\t'}
    if [[ $mark == - ]]; then
      open_values+=("$value") open_shown+=("$value\${note:+  -- $note}")
    elif [[ -n $value ]]; then
      values+=("$value") shown+=("$value\${note:+  -- $note}")
    fi
  done
  [[ $PREFIX == --*=* ]] && compset -P 1 '*='
  local -i found=1
  (( $#values )) && compadd -l -d shown -a values && found=0
  (( $#open_values )) && compadd -S '' -l -d open_shown -a open_values && found=0
  case $answer[1] in
    :files) _files && found=0 ;;
    :folders) _files -/ && found=0 ;;
  esac
  return found
}
if [[ $funcstack[1] == _${program} ]]; then
  _${program} "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _${program} ${program}
fi
`;

const fish = (program: string): string => `function __${program}_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l raw (commandline -ct)
    set -l current (string unescape -- "$raw"; or string replace -r '^["\\']' '' -- "$raw")
    set -l answer (command ${program} __complete fish $words "$current" 2>/dev/null)
    set -l files $answer[1]
    set -e answer[1]
    for line in $answer
        echo $line
    end
    set -l attached (string match -r '^--[^=]+=' -- "$current")
    set -l rest (string replace -r '^--[^=]+=' '' -- "$current")
    switch "$files"
        case :files
            for path in (__fish_complete_path "$rest")
                echo "$attached$path"
            end
        case :folders
            for path in (__fish_complete_directories "$rest" "")
                echo "$attached$path"
            end
    end
end
complete -c ${program} -e
complete -c ${program} -f -k -a '(__${program}_complete)'
`;

const scripts: Readonly<Record<Shell, (program: string) => string>> = { bash, zsh, fish };

/** The script that makes a shell complete lines of a program, with a note how to keep it. */
export function completionScript(program: string, shell: Shell): string {
  const first = shell === "zsh" ? `#compdef ${program}\n` : "";
  const note = [`Completion of ${program} for ${shell}.`, ...notes[shell](program)].map((line) => `# ${line}\n`).join("");
  return `${first}${note}\n${scripts[shell](program)}`;
}
