import type { Run } from '../../schemas/index.ts'
import { type BoardOptions, startBoard } from '../board/board.ts'
import type { Config } from '../config/config.ts'
import type { Runtime } from '../connections/connections.ts'
import { startAddedLabelers } from '../host/added-labelers.ts'
import { startCorpus } from '../host/corpus.ts'
import { startDecontamination } from '../host/decontamination.ts'
import { startDuplicates } from '../host/duplicates.ts'
import { narrate } from '../host/narration.ts'
import { type RunHostHooks, startRunHost } from '../host/run-host.ts'
import { keepExposures } from '../runs/exposure/keep.ts'
import { isDone } from '../runs/followed-run.ts'
import { tellWaiting } from '../runs/tell-waiting.ts'
import { type ProcessLike, printError } from '../runtime/lifecycle.ts'
import { closeAll, named } from '../runtime/service.ts'

export interface EverythingOptions {
  readonly runtime: Runtime
  readonly config: Config
  /** Takes all that is started, also where the start fails. */
  readonly started: AsyncDisposableStack
  /** Stops the start. */
  readonly signal: AbortSignal
  readonly fail: (error: unknown) => void
  readonly host: Pick<ProcessLike, 'stderr' | 'env'>
  /** Which runs run here; left out: all that are recorded, now and later. */
  readonly runs?: ReadonlySet<string>
  readonly parts?: NonNullable<RunHostHooks['parts']>
  /** left out: no board. */
  readonly board?: BoardOptions
}

/** All that winnow.yaml names as ours, in this process: labelers, label sink, runs, board. @returns the board's address */
export async function startEverything(options: EverythingOptions): Promise<{ boardUrl: string | undefined }> {
  const { runtime, config, started, signal, fail, host: terminal, runs, parts } = options
  const say = (line: string) => terminal.stderr.write(`${line}\n`)
  const { services } = await startCorpus(runtime, config, fail)
  started.defer(() => closeAll(services))
  const decontamination = await startDecontamination(runtime, fail)
  started.defer(() => decontamination.close())
  const duplicates = await startDuplicates(runtime, fail)
  started.defer(() => duplicates.close())
  const added = await startAddedLabelers(runtime, config, fail)
  started.defer(() => added.close())
  say(`labelling: ${services.map(named).join(', ')}`)
  signal.throwIfAborted()
  const isOver = async (record: Run) => {
    const done = await isDone(runtime, record)
    if (done) say(`run ${record.run} is done: it is not started again`)
    return done
  }
  const host = await startRunHost(runtime, {
    influence: config.influence,
    ...(runs === undefined ? { isDone: isOver } : { only: runs }),
    ...(parts && { parts }),
    hooksOf: (run) => narrate(run, say),
    startBeside: (run) => keepExposures(runtime, run),
    onFailure: fail,
    onRunFailure: (run, error) => {
      say(`run ${run} has failed, the others continue:`)
      printError(error, terminal)
    },
    onStopped: (run, life) => say(`run ${run} is ${life}`),
    onDone: (run) => say(`run ${run} is done: its trainer has made its last step`),
  })
  started.defer(() => host.close())
  for (const run of runs ?? []) {
    const telling = tellWaiting(runtime, run, say)
    started.defer(() => telling.close())
  }
  if (options.board === undefined) return { boardUrl: undefined }
  const board = await startBoard(runtime, options.board)
  started.defer(() => board.close())
  say(`board: ${board.url}`)
  return { boardUrl: board.url }
}
