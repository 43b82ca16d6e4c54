import { Command, InvalidArgumentError, Option } from 'commander'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'

/** What the commands need from outside. `deploy` knows how to find or start a cluster. */
export interface CliContext {
  readonly env: NodeJS.ProcessEnv
  readonly folder: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /**
   * Connects to the configured cluster, else to the one that runs on this machine, in process `pid`.
   * @throws WinnowError UNREACHABLE
   */
  connect(
    options: GlobalOptions,
    /** For a service: metrics are collected, and served as configured. */
    serving?: { metrics: boolean },
  ): Promise<Connection>
  /** Like connect(), but if no cluster runs, starts an embedded one with labelers and label sink for the duration of the command. */
  connectOrStart(options: GlobalOptions, onFailure: (error: unknown) => void): Promise<Connection>
  /** Set by a command that succeeds with a code other than 0. */
  exitCode(code: number): void
}

/** A cluster in use; disposing it closes whatever was opened or started for it. */
export interface Connection extends AsyncDisposable {
  readonly config: Config
  readonly runtime: Runtime
  /** The cluster's process, if it is on this machine. */
  readonly pid?: number | undefined
}

/** Options of every command that talks to a cluster. */
export interface GlobalOptions {
  readonly config?: string
  readonly data?: string
}

/** A command that talks to a cluster. */
export const clusterCommand = (name: string, description: string): Command =>
  new Command(name)
    .description(description)
    .option('--config <file>', 'configuration file (default: winnow.yaml, if it exists)')
    .option('--data <folder>', 'data folder of a local cluster (default: .winnow)')

/** For commands whose output is always JSON: the option is accepted. */
export const alwaysJson = (command: Command): Command => command.option('--json', 'the default, and the only format')

export const example = (...lines: string[]): string => `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}\n`

/**
 * How many: `-n, --limit` everywhere, beside what a command called it before.
 * @returns the command with both options; its action finds what was given as `limit`, also by the old name
 */
export function withLimit(
  command: Command,
  before: string,
  description: string,
  parse: (text: string) => number,
  fallback?: number,
): Command {
  const limit = new Option('-n, --limit <count>', description).argParser(parse)
  if (fallback !== undefined) limit.default(fallback)
  command.addOption(limit).addOption(new Option(`--${before} <count>`, description).argParser(parse).hideHelp())
  return command.hook('preAction', () => {
    const given = command.getOptionValue(before)
    if (given !== undefined) command.setOptionValue('limit', given)
  })
}

export function naturalNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number, 0 or more')
  return value
}

export function positiveNumber(text: string): number {
  const value = naturalNumber(text)
  if (value === 0) throw new InvalidArgumentError('must be a whole number, 1 or more')
  return value
}

export function positiveShare(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError('must be above 0 and at most 1')
  return value
}

/** Writes, waiting for slow readers; a reader that has gone away (`| head`) ends the command quietly. */
export async function print(stdout: NodeJS.WriteStream, text: string | Uint8Array): Promise<void> {
  if (stdout.write(text)) return
  await new Promise((resolve) => stdout.once('drain', resolve))
}

/** The width that tables must fit; undefined without a terminal, where lines may have any length. */
export const widthOf = (stdout: NodeJS.WriteStream): number | undefined => (stdout.isTTY ? stdout.columns : undefined)
