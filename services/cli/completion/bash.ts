import { type CompletedCommand, everyCommand, quoted, type Value } from './tree.ts'

/** A completion script for bash 3.2 and later: `source <(winnow completion bash)`. */
export function bashCompletion(root: CompletedCommand): string {
  const commands = everyCommand(root)
  const below = commands.flatMap(({ place, children }) => children.map(({ name }) => `${quoted(`${place} ${name}`)})`))
  const values = commands.flatMap(({ place, options }) =>
    options
      .filter(({ value }) => value !== undefined)
      .map(
        ({ flags, value }) =>
          `${flags.map((flag) => quoted(`${place} ${flag}`)).join('|')}) ${answer(value)}; return ;;`,
      ),
  )
  const words = commands.map(({ place, children, options }) => {
    const flags = options.flatMap((option) => option.flags).join(' ')
    return `${quoted(place)}) words=${quoted(children.map(({ name }) => name).join(' '))}; flags=${quoted(flags)} ;;`
  })
  const places = commands
    .filter(({ argument }) => argument !== undefined)
    .map(({ place, argument }) => `${quoted(place)}) ${answer(argument)} ;;`)
  return `# Completion of ${root.name} for bash: source <(${root.name} completion bash)
_${root.name}() {
  local current=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} place=${root.name} words= flags= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
      ${below.map((one) => `${one} place="$place \${COMP_WORDS[i]}" ;;`).join('\n      ')}
    esac
  done
  case "$place $before" in
    ${values.join('\n    ')}
  esac
  case "$place" in
    ${words.join('\n    ')}
  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
    return
  fi
  if [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    return
  fi
  case "$place" in
    ${places.join('\n    ')}
  esac
}
complete -F _${root.name} ${root.name}
`
}

/** File names may contain spaces, so there is one per line. */
function answer(value: Value | undefined): string {
  switch (value?.kind) {
    case 'file':
      return names('-f')
    case 'folder':
      return names('-d')
    case 'words':
      return `COMPREPLY=($(compgen -W ${quoted(value.words.join(' '))} -- "$current"))`
    default:
      return 'COMPREPLY=()'
  }
}

const names = (what: '-f' | '-d'): string =>
  `compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen ${what} -- "$current"))`
