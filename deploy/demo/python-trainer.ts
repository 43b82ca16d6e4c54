import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Addresses, createRunTopics, type Runtime } from '../../services/connections/connections.ts'
import { followProgress } from '../../services/host/progress.ts'
import { type RunHooks, type RunningTrainer, reported } from '../../services/host/run.ts'
import { type ErrorCode, errorCodes, WinnowError } from '../../services/runtime/errors.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { startChild } from '../dev/child.ts'

const program = join(import.meta.dirname, '../../services/trainer/python/examples/reference.py')
const stopGraceMs = 3000

export interface PythonTrainer {
  readonly python: string
  readonly addresses: Pick<Addresses, 'brokers' | 'registryUrl' | 'clickhouseUrl' | 'database'>
  /** Takes the programs' logs. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
}

/** The reference trainer of a run by PyTorch, in a process that ends with this one. `done` resolves when it has made its last step. */
export async function startPythonTrainer(
  { python, addresses, folder, env }: PythonTrainer,
  runtime: Runtime,
  run: RunConfig,
  hooks: Pick<RunHooks, 'onFailure' | 'onProgress'>,
): Promise<RunningTrainer> {
  await createRunTopics(runtime.kafka, run)
  await using starting = new AsyncDisposableStack()
  const reports = await followProgress(runtime, run, { onProgress: hooks.onProgress })
  starting.defer(async () => await reports?.close())
  const logFile = join(folder, `trainer-${run.name}.log`)
  const child = startChild(`trainer of ${run.name}`, [python, program, run.name], logFile, folder, {
    ...env,
    WINNOW_BROKERS: addresses.brokers.join(','),
    WINNOW_REGISTRY_URL: addresses.registryUrl,
    WINNOW_CLICKHOUSE_URL: addresses.clickhouseUrl,
    ...(addresses.database !== undefined && { WINNOW_CLICKHOUSE_DATABASE: addresses.database }),
    // The model is small: a second thread makes no step faster, and another run wants the core.
    OMP_NUM_THREADS: '1',
    PYTHONDONTWRITEBYTECODE: '1',
  })
  let stopping = false
  starting.defer(async () => {
    stopping = true
    await child.stop(stopGraceMs)
  })
  const done = child.ended.then(async () => {
    if (child.exitCode() !== 0) throw failureOf(run.name, child.exitCode(), logFile)
    await reported(runtime, run)
  })
  done.catch((error: unknown) => {
    if (!stopping) hooks.onFailure(error)
  })
  const running = starting.move()
  return { name: `trainer of ${run.name}`, done, close: () => running.disposeAsync() }
}

/** What the program said last: `winnow: CODE: what happened. What to do.`, or the end of a traceback. */
function failureOf(run: string, code: number | null, logFile: string): WinnowError {
  const last = readFileSync(logFile, 'utf8').trim().split('\n').at(-1) ?? ''
  const [, said, message] = /^winnow: ([A-Z_]+): (.*)$/.exec(last) ?? []
  const known = said !== undefined && said in errorCodes ? (said as ErrorCode) : undefined
  return new WinnowError(
    known ?? 'UNEXPECTED',
    message ?? `the trainer of ${run} ended with ${code ?? 'a signal'}: ${last}`,
    { hint: `Its full log: ${logFile}` },
  )
}
