import { CommandError } from "../core/errors.ts"
import { COMMON, defineCommand } from "./_command.ts"
import { print } from "./_print.ts"

// Each script asks the program itself, so that it stays right after an upgrade. A line of the answer is a word, a tab and
// what it means; the line ":files" says that a name of a file may stand there too.
const SCRIPTS = {
  bash: `
_majordomo_gateway() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")
    else
      COMPREPLY+=("\${line%%$'\\t'*}")
    fi
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _majordomo_gateway majordomo-gateway majordomo
`,
  zsh: `
#compdef majordomo-gateway majordomo
_majordomo_gateway() {
  local line
  local -a found
  while IFS= read -r line; do
    if [[ $line == ":files" ]]; then _files
    else found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
    fi
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe 'majordomo-gateway' found
}
if [ "$funcstack[1]" = "_majordomo_gateway" ]; then _majordomo_gateway "$@"
else compdef _majordomo_gateway majordomo-gateway majordomo
fi
`,
  fish: `
function __majordomo_gateway
  set -l words (commandline -opc)
  for line in ($words[1] __complete $words[2..] (commandline -ct) 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path (commandline -ct)
    else
      echo $line
    end
  end
end
for name in majordomo-gateway majordomo
  complete -c $name -f -a "(__majordomo_gateway)"
end
`,
} as const

const SHELLS = Object.keys(SCRIPTS)

export default defineCommand({
  meta: { name: "completion", description: "print the script by which a shell completes commands and options" },
  args: {
    shell: { type: "positional", required: true, valueHint: SHELLS.join("|"), description: SHELLS.join(", ") },
    ...COMMON,
  },
  examples: [
    "source <(majordomo-gateway completion bash)   # in ~/.bashrc",
    "source <(majordomo-gateway completion zsh)    # in ~/.zshrc, after compinit",
    "majordomo-gateway completion fish > ~/.config/fish/completions/majordomo-gateway.fish",
  ],
  run({ args }) {
    if (!Object.hasOwn(SCRIPTS, args.shell)) throw new CommandError(`SHELL is one of ${SHELLS.join(", ")}`, 2)
    print(SCRIPTS[args.shell as keyof typeof SCRIPTS].trim())
  },
})
