import { type Command, CommanderError } from 'commander'
import { deployCommands } from '../../deploy/commands.ts'
import type { CliContext } from '../../services/cli/context.ts'
import { buildProgram } from '../../services/cli/program.ts'

const context = { env: {}, stderr: { write: () => true } } as unknown as CliContext
export const program = () => buildProgram(context, deployCommands)

/** Placeholders that an option or argument reads as something else than text. */
const example = (word: string): string => (/^(ID|N|K|COUNT)$/.test(word) ? '1' : word)

/** What the command line has against these words; that something is left out is no mistake of a hint. */
export async function refusal(words: readonly string[]): Promise<string | undefined> {
  const parser = await program()
  const idle = (command: Command): void => {
    for (const option of command.options) option.mandatory = false
    command.configureOutput({ writeErr: () => {}, writeOut: () => {}, outputError: () => {} })
    if (command.commands.length === 0) command.action(() => {})
    for (const child of command.commands) idle(child)
  }
  idle(parser)
  try {
    await parser.parseAsync(words.map(example), { from: 'user' })
    return undefined
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const leftOut = [
      'commander.missingArgument',
      'commander.optionMissingArgument',
      'commander.help',
      'commander.helpDisplayed',
    ]
    return leftOut.includes(error.code) ? undefined : error.message
  }
}

const tree = await program()

/** The words that name a command (`labeler compare`), without its arguments, and the names of its options. */
export function parts(words: readonly string[]): { command: string; options: string[] } {
  const path: string[] = []
  for (let at = tree; path.length < words.length; path.push(at.name())) {
    const below = at.commands.find((child) => child.name() === words[path.length])
    if (below === undefined) break
    at = below
  }
  const options = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.replace(/=.*/, ''))
  return { command: path.join(' '), options: options.toSorted() }
}
