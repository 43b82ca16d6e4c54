import { Command, InvalidArgumentError } from 'commander'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'

/** What the commands need of the outside. `deploy` knows how to find or start a cluster. */
export interface CliContext {
  readonly env: NodeJS.ProcessEnv
  readonly folder: string
  readonly stdin: NodeJS.ReadStream
  readonly stdout: NodeJS.WriteStream
  readonly stderr: NodeJS.WriteStream
  /**
   * Connects to the cluster named by the configuration, else to the one that runs on this machine, whose process `pid` is.
   * @throws WinnowError UNREACHABLE
   */
  connect(
    options: GlobalOptions,
    /** For a service: its metrics are measured, and served as the configuration says. */
    serving?: { metrics: boolean },
  ): Promise<Connection>
  /** As connect(), but where none runs starts an embedded one, with labelers and label sink, for as long as the command takes. */
  connectOrStart(options: GlobalOptions, onFailure: (error: unknown) => void): Promise<Connection>
  /** Set by a command that ends well but not with 0. */
  exitCode(code: number): void
}

/** A cluster in use; disposing it closes what was opened, or started, for it. */
export interface Connection extends AsyncDisposable {
  readonly config: Config
  readonly runtime: Runtime
  /** The process that the cluster runs in, where it is on this machine. */
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
    .option('--config <file>', 'configuration file (default: winnow.yaml, if it is there)')
    .option('--data <folder>', 'data folder of a local cluster (default: .winnow)')

/** For a command whose data is JSON in any case: who asks for it is not refused. */
export const alwaysJson = (command: Command): Command => command.option('--json', 'what it writes in any case')

export const example = (...lines: string[]): string => `\nExample:\n${lines.map((line) => `  ${line}`).join('\n')}\n`

export function naturalNumber(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number, 0 or more')
  return value
}

/** Writes and waits where the reader is slow; a reader that went away (`| head`) ends the command quietly. */
export async function print(stdout: NodeJS.WriteStream, text: string | Uint8Array): Promise<void> {
  if (stdout.write(text)) return
  await new Promise((resolve) => stdout.once('drain', resolve))
}

/** The width that a table has to fit; undefined where it is no terminal, and lines may be of any length. */
export const widthOf = (stdout: NodeJS.WriteStream): number | undefined => (stdout.isTTY ? stdout.columns : undefined)
