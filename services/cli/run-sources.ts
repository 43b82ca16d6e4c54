import { ArchiveWorkspace } from '../archive/workspace.ts'
import type { Runtime } from '../connections/connections.ts'
import { systemClock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { createLog } from '../runtime/log.ts'
import { Counter } from '../terminal/progress.ts'
import { configOf } from './config-of.ts'
import type { CliContext, Connection, GlobalOptions } from './context.ts'

/** Begins the name of a run that is read from an archive, in place of its name on a cluster. */
export const archivePrefix = 'archive:'

/** What options say of a run: its name on the cluster, or `archive:FOLDER`. */
export const runHelp = `a run, or ${archivePrefix}FOLDER as winnow export wrote it`

export interface RunSource {
  readonly runtime: Runtime
  /** The run's name there. */
  readonly run: string
}

/** Where the runs of a command are read: connects, or opens archives, when the first run asks for it. */
export class RunSources implements AsyncDisposable {
  readonly #context: CliContext
  readonly #options: GlobalOptions
  readonly #opened = new AsyncDisposableStack()
  #connection: Promise<Connection> | undefined
  #workspace: Promise<ArchiveWorkspace> | undefined

  constructor(context: CliContext, options: GlobalOptions) {
    this.#context = context
    this.#options = options
  }

  /** @throws WinnowError USAGE if no folder is named; as `ArchiveWorkspace.open` */
  async open(name: string): Promise<RunSource> {
    if (!name.startsWith(archivePrefix)) return { runtime: (await this.cluster()).runtime, run: name }
    const folder = name.slice(archivePrefix.length)
    if (folder === '')
      throw new WinnowError('USAGE', `${archivePrefix} names no folder`, {
        hint: `For example ${archivePrefix}exported/multi-actor-7`,
      })
    this.#workspace ??= this.#openWorkspace()
    return await (await this.#workspace).open(folder)
  }

  cluster(): Promise<Connection> {
    this.#connection ??= this.#context.connect(this.#options).then((one) => this.#opened.use(one))
    return this.#connection
  }

  async #openWorkspace(): Promise<ArchiveWorkspace> {
    const { archives } = configOf(this.#context, this.#options)
    const counters = {
      verifying: new Counter(this.#context.stderr, systemClock, { doing: 'verifying the archive', unit: 'bytes' }),
      loading: new Counter(this.#context.stderr, systemClock, { doing: 'reading the archive', unit: 'records' }),
    }
    this.#opened.defer(() => {
      for (const counter of Object.values(counters)) counter.clear()
    })
    const workspace = await ArchiveWorkspace.create({
      log: createLog('winnow', process.env.WINNOW_LOG_LEVEL ?? 'warn'),
      memoryBytes: archives.memoryMiBMax * 1024 * 1024,
      ...(archives.scratch !== undefined && { scratch: archives.scratch }),
      onProgress: (doing, done, total) => counters[doing].at(done, total),
    })
    return this.#opened.use(workspace)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync()
  }
}
