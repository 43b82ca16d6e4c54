import { Command, CommanderError } from 'commander'
import { exitCodes } from '../runtime/errors.ts'
import { colored, exitCodeOf, type ProcessLike, printError } from '../runtime/lifecycle.ts'
import { board } from './commands/board.ts'
import { compare } from './commands/compare.ts'
import { completion } from './commands/completion.ts'
import { config } from './commands/config.ts'
import { deadLetters } from './commands/dead-letters.ts'
import { deduplicate } from './commands/deduplicate.ts'
import { explain } from './commands/explain.ts'
import { influence } from './commands/influence.ts'
import { ingest } from './commands/ingest.ts'
import { init } from './commands/init.ts'
import { labeler } from './commands/labeler.ts'
import { replay } from './commands/replay.ts'
import { run } from './commands/run.ts'
import { select } from './commands/select.ts'
import { simulate } from './commands/simulate.ts'
import { status } from './commands/status.ts'
import { tail } from './commands/tail.ts'
import { top } from './commands/top.ts'
import { topics } from './commands/topics.ts'
import { topology } from './commands/topology.ts'
import type { CliContext } from './context.ts'

const exitCodeHelp = `
Exit codes: 0 ok, 1 unexpected, 2 usage, 3 configuration, 4 dependency unreachable, 5 bad data, 6 guarantee violated, 130 interrupted.
Data goes to standard output, progress and logs to standard error.`

/** The command line. `more` are the commands that start things on this machine: dev and demo. */
export function buildProgram(context: CliContext, more: readonly Command[] = []): Command {
  const program = new Command('winnow')
    .description("chooses a language model's corpus while it is pretrained, by the model's own response")
    .showSuggestionAfterError()
    .addHelpText('after', exitCodeHelp)
  const commands = [
    ...more,
    init,
    config,
    deduplicate,
    ingest,
    run,
    status,
    top,
    board,
    explain,
    select,
    compare,
    topics,
    tail,
    deadLetters,
    replay,
    simulate,
    labeler,
    influence,
    topology,
    completion,
  ]
  for (const command of commands) program.addCommand(typeof command === 'function' ? command(context) : command)
  const strict = (command: Command): void => {
    command.exitOverride().configureOutput({
      writeErr: (text) => context.stderr.write(text),
      outputError: (text, write) => write(`${colored(usageError(text, command), context)}\n`),
    })
    for (const child of command.commands) strict(child)
  }
  strict(program)
  return program
}

/** Commander's own errors in the form of all others: one line, with the next step. */
function usageError(text: string, command: Command): string {
  const said = text
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, '. ')
  const path = []
  for (let at: Command | null = command; at !== null; at = at.parent) path.unshift(at.name())
  return `winnow: USAGE: ${said}${/[.?)]$/.test(said) ? '' : '.'} See '${path.join(' ')} --help'.`
}

/** Runs the program on arguments. @returns the exit code; errors are printed, one line and what to do */
export async function runProgram(
  program: Command,
  args: readonly string[],
  host: Pick<ProcessLike, 'stderr' | 'env'> = process,
): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCodes.ok
  } catch (error) {
    // Commander has printed its own already: help and version end with 0, the rest is usage.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    printError(error, host)
    return exitCodeOf(error)
  }
}
