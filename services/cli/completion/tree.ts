import type { Command } from 'commander'

/** What a value may be: a file, a folder, one of some words, or anything. */
export type Value =
  | { readonly kind: 'file' }
  | { readonly kind: 'folder' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'any' }

export interface CompletedOption {
  /** For example `-n` and `--lines`. */
  readonly flags: readonly string[]
  readonly description: string
  /** undefined: a switch. */
  readonly value: Value | undefined
}

/** A command for completion. `place` is how it is called, for example `winnow run labeler`. */
export interface CompletedCommand {
  readonly place: string
  readonly name: string
  readonly description: string
  readonly children: readonly CompletedCommand[]
  readonly options: readonly CompletedOption[]
  /** Its first argument; undefined: it takes none. */
  readonly argument: Value | undefined
}

/** Commands, options and arguments of a program, from commander's tree: new commands are completed automatically. */
export function completedCommand(command: Command, above = ''): CompletedCommand {
  const place = `${above} ${command.name()}`.trim()
  const argument = command.registeredArguments[0]
  const help = { flags: ['-h', '--help'], description: 'display help for command', value: undefined }
  return {
    place,
    name: command.name(),
    description: command.description(),
    children: command.commands.map((child) => completedCommand(child, place)),
    options: [
      ...command.options
        .filter(({ hidden }) => !hidden)
        .map(({ short, long, description, argChoices, required, optional, flags }) => ({
          flags: [short, long].filter((flag) => flag !== undefined),
          description,
          value: required || optional ? valueNamed(flags, argChoices) : undefined,
        })),
      help,
    ],
    argument: argument && valueNamed(argument.name(), argument.argChoices),
  }
}

/** The kind of a value, by its name: <file>, <folder>, <path...>. */
function valueNamed(name: string, choices: readonly string[] | undefined): Value {
  if (choices !== undefined) return { kind: 'words', words: choices }
  if (/\b(file|files|path)\b/.test(name)) return { kind: 'file' }
  if (/\bfolder\b/.test(name)) return { kind: 'folder' }
  return { kind: 'any' }
}

/** A command and all below it. */
export const everyCommand = (command: CompletedCommand): CompletedCommand[] => [
  command,
  ...command.children.flatMap(everyCommand),
]

/** In single quotes, as bash and zsh read them. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'"'"'`)}'`
