import { Command, CommanderError } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { exitCodes } from '../runtime/errors.ts'
import { colored, exitCodeOf, type ProcessLike, printError } from '../runtime/lifecycle.ts'
import type { CliContext } from './context.ts'
import { type CommandName, summaries } from './summaries.ts'

const exitCodeHelp = `
Exit codes: 0 ok, 1 unexpected, 2 usage, 3 configuration, 4 dependency unreachable, 5 bad data, 6 guarantee violated, 130 interrupted.
Data goes to standard output, progress and logs to standard error.`

/** Loads the module of a command and its dependencies. */
export type CommandLoaders = Partial<Record<CommandName, () => Promise<(context: CliContext) => Command>>>

const ownCommands: CommandLoaders = {
  init: async () => (await import('./commands/init.ts')).init,
  config: async () => (await import('./commands/config.ts')).config,
  deduplicate: async () => (await import('./commands/deduplicate.ts')).deduplicate,
  ingest: async () => (await import('./commands/ingest.ts')).ingest,
  'eval-set': async () => (await import('./commands/eval-set.ts')).evalSet,
  up: async () => (await import('./commands/up.ts')).up,
  run: async () => (await import('./commands/run.ts')).run,
  status: async () => (await import('./commands/status.ts')).status,
  top: async () => (await import('./commands/top.ts')).top,
  board: async () => (await import('./commands/board.ts')).board,
  explain: async () => (await import('./commands/explain.ts')).explain,
  seen: async () => (await import('./commands/seen.ts')).seen,
  trained: async () => (await import('./commands/trained.ts')).trained,
  summary: async () => (await import('./commands/summary.ts')).summary,
  erase: async () => (await import('./commands/erase.ts')).erase,
  keys: async () => (await import('./commands/keys.ts')).keys,
  retrain: async () => (await import('./commands/retrain.ts')).retrainCommand,
  prove: async () => (await import('./commands/prove.ts')).prove,
  verify: async () => (await import('./commands/verify.ts')).verify,
  steer: async () => (await import('./commands/steer.ts')).steer,
  select: async () => (await import('./commands/select.ts')).select,
  ablate: async () => (await import('./commands/ablate.ts')).ablate,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluate,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  ledger: async () => (await import('./commands/ledger.ts')).ledger,
  compare: async () => (await import('./commands/compare.ts')).compare,
  topics: async () => (await import('./commands/topics.ts')).topics,
  tail: async () => (await import('./commands/tail.ts')).tail,
  'dead-letters': async () => (await import('./commands/dead-letters.ts')).deadLetters,
  gaps: async () => (await import('./commands/gaps.ts')).gaps,
  replay: async () => (await import('./commands/replay.ts')).replay,
  simulate: async () => (await import('./commands/simulate.ts')).simulate,
  strategies: async () => (await import('./commands/strategies.ts')).strategies,
  proxies: async () => (await import('./commands/proxies.ts')).proxies,
  mates: async () => (await import('./commands/mates.ts')).mates,
  labeler: async () => (await import('./commands/labeler.ts')).labeler,
  influence: async () => (await import('./commands/influence.ts')).influence,
  topology: async () => (await import('./commands/topology.ts')).topology,
  completion: async () => (await import('./commands/completion.ts')).completion,
}

/** The commands that `args` need; undefined: all, for help, completion and unknown commands. */
function needed(args: readonly string[] | undefined, loaders: CommandLoaders): readonly string[] | undefined {
  const [first] = args ?? ['help']
  if (first === undefined || ['--version', '-V', '--help', '-h'].includes(first)) return []
  return first in loaders && first !== 'completion' ? [first] : undefined
}

/**
 * The command line. `more` are the commands that start things on this machine: dev and demo. With `args` only what they need is loaded, for
 * a fast start; the other commands have only their names and summaries.
 */
export async function buildProgram(
  context: CliContext,
  more: CommandLoaders = {},
  args?: readonly string[],
): Promise<Command> {
  const program = new Command('winnow')
    .description("chooses a language model's corpus during pretraining, by the model's own response")
    .version(manifest.version, '-V, --version', 'the version of winnow')
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError()
    .addHelpText('after', exitCodeHelp)
  const loaders = { ...ownCommands, ...more }
  const names = needed(args, loaders)
  for (const name of Object.keys(summaries) as CommandName[]) {
    const load = loaders[name]
    if (load === undefined) continue
    const wanted = names === undefined || names.includes(name)
    program.addCommand(wanted ? (await load())(context) : new Command(name).description(summaries[name]))
  }
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

/** Commander's errors in the form of all others: one line, with the next step. */
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
    // Commander has already printed it: help and version exit with 0, the rest is a usage error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage
    printError(error, host)
    return exitCodeOf(error)
  }
}
