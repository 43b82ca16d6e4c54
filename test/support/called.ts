import type { Command } from 'commander'
import { deployCommands } from '../../deploy/commands.ts'
import type { CliContext } from '../../services/cli/context.ts'
import { buildProgram } from '../../services/cli/program.ts'

const context = { env: {}, stderr: { write: () => {} } } as unknown as CliContext
const program = await buildProgram(context, deployCommands)

/** The command that these words call, the options that it was given, and the mandatory ones that it was not. */
export function called(words: readonly string[]): { command: Command; options: string[]; missing: string[] } {
  let command: Command = program
  let at = 0
  for (; at < words.length; at++) {
    const next = command.commands.find((child) => child.name() === words[at])
    if (next === undefined) break
    command = next
  }
  const options = words.slice(at).filter((word) => word.startsWith('--'))
  const missing = command.options
    .filter((option) => option.mandatory && !options.includes(option.long!))
    .map((option) => option.long!)
  return { command, options, missing }
}
