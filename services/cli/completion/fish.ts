import { type CompletedCommand, everyCommand, type Value } from './tree.ts'

/** A completion script for fish: `winnow completion fish | source`, or a file in ~/.config/fish/completions. */
export function fishCompletion(root: CompletedCommand): string {
  const commands = everyCommand(root)
  const below = commands.flatMap(({ place, children }) => children.map(({ name }) => quoted(`${place} ${name}`)))
  const at = `__${root.name}_at`
  const lines = commands.flatMap(({ place, children, options, argument }) => {
    const here = `complete -c ${root.name} -n ${quoted(`${at} ${place}`)}`
    return [
      ...children.map(({ name, description }) => `${here} -a ${quoted(name)} -d ${quoted(description)}`),
      ...(argument === undefined ? [] : [`${here} ${words(argument, '-F')}`]),
      ...options.map(({ flags, description, value }) => {
        const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        return `${here} ${names.join(' ')} -d ${quoted(description)}${value === undefined ? '' : ` -r ${words(value, '-F')}`}`
      }),
    ]
  })
  return `# Completion of ${root.name} for fish: ${root.name} completion fish | source
function ${at}
    set -l place ${root.name}
    for word in (commandline -opc)[2..]
        switch "$place $word"
            case ${below.join(' ')}
                set place "$place $word"
        end
    end
    test "$place" = "$argv"
end
complete -c ${root.name} -f
${lines.map((line) => line.trimEnd()).join('\n')}
`
}

function words(value: Value, files: string): string {
  switch (value.kind) {
    case 'file':
      return files
    case 'folder':
      return `-a '(__fish_complete_directories)'`
    case 'words':
      return `-a ${quoted(value.words.join(' '))}`
    case 'any':
      return ''
  }
}

/** In single quotes fish knows two escapes, \\\\ and \\'. */
const quoted = (text: string): string => `'${text.replaceAll(/[\\']/g, '\\$&')}'`
