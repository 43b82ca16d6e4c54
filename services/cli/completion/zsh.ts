import { type CompletedCommand, type CompletedOption, everyCommand, quoted, type Value } from './tree.ts'

/** A completion script for zsh: `source <(winnow completion zsh)`, or a file `_winnow` in a folder of $fpath. */
export function zshCompletion(root: CompletedCommand): string {
  const commands = everyCommand(root)
  const below = commands.flatMap(({ place, children }) => children.map(({ name }) => quoted(`${place} ${name}`)))
  const cases = commands.map((command) => `${quoted(command.place)})\n      ${body(command)}\n      ;;`)
  return `#compdef ${root.name}
# Completion of ${root.name} for zsh: source <(${root.name} completion zsh), after compinit.
_${root.name}() {
  local place=${root.name}
  local -i at depth=1
  for ((at = 2; at < CURRENT; at++)); do
    case "$place \${words[at]}" in
      ${below.join('|')}) place="$place \${words[at]}"; depth=at ;;
    esac
  done
  words=("\${(@)words[depth,-1]}")
  ((CURRENT -= depth - 1))
  local -a commands
  case "$place" in
    ${cases.join('\n    ')}
  esac
}
if [[ "$funcstack[1]" == "_${root.name}" ]]; then
  _${root.name} "$@"
else
  compdef _${root.name} ${root.name}
fi
`
}

function body({ children, options, argument }: CompletedCommand): string {
  const given = options.flatMap(optionSpecs)
  if (children.length === 0) {
    const rest = argument === undefined ? [] : [quoted(`*:argument:${action(argument)}`)]
    return `_arguments -s : ${[...given, ...rest].join(' ')}`
  }
  const names = children.map(({ name, description }) => quoted(`${name}:${description.replaceAll(':', '\\:')}`))
  return `commands=(${names.join(' ')})
      if [[ "\${words[CURRENT]}" == -* ]]; then _arguments -s : ${given.join(' ')}; else _describe -t commands command commands; fi`
}

/** Brackets and colons are special in a specification. */
function optionSpecs({ flags, description, value }: CompletedOption): string[] {
  const said = description.replaceAll(/[[\]:]/g, '\\$&')
  const others = flags.length > 1 ? `(${flags.join(' ')})` : ''
  return flags.map((flag) =>
    quoted(value === undefined ? `${others}${flag}[${said}]` : `${others}${flag}[${said}]:value:${action(value)}`),
  )
}

function action(value: Value): string {
  switch (value.kind) {
    case 'file':
      return '_files'
    case 'folder':
      return '_files -/'
    case 'words':
      return `(${value.words.join(' ')})`
    case 'any':
      return ' '
  }
}
