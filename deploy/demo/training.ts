import type { Runtime } from '../../services/connections/connections.ts'
import { narrate } from '../../services/host/narration.ts'
import { startTrainer } from '../../services/host/run.ts'
import { startRunHost } from '../../services/host/run-host.ts'
import { submitRun } from '../../services/runs/registry.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { type PythonTrainer, startPythonTrainer } from './python-trainer.ts'
import { isByPython } from './runs.ts'

export interface TrainingOptions {
  /** The host is added here. */
  readonly started: AsyncDisposableStack
  readonly fail: (error: unknown) => void
  readonly say: (line: string) => void
  readonly onSelected: (round: number) => void
  /** undefined: runs that PyTorch trains, left by an earlier demo, stay as they are. */
  readonly python: PythonTrainer | undefined
}

export interface Training {
  /** Records runs, and returns when they have made their last step. */
  trained(runs: readonly RunConfig[], signal: AbortSignal): Promise<void>
}

/** Hosts the runs of the demo. Those that PyTorch trains have it in place of the reference trainer, and everything else alike. */
export async function startTraining(
  runtime: Runtime,
  { started, fail, say, onSelected, python }: TrainingOptions,
): Promise<Training> {
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => {})
  const done = new Map<string, PromiseWithResolvers<void>>()
  const doneOf = (run: string) => {
    const known = done.get(run) ?? Promise.withResolvers<void>()
    done.set(run, known)
    return known
  }
  const host = await startRunHost(runtime, {
    onFailure: (error) => {
      failure.reject(error)
      fail(error)
    },
    isDone: async ({ run }) => python === undefined && isByPython(run),
    startTrainer: (on, run, model, hooks) =>
      python !== undefined && isByPython(run.name)
        ? startPythonTrainer(python, on, run, hooks)
        : startTrainer(on, run, model, hooks),
    hooksOf: (run) => {
      const told = narrate(run, say)
      return {
        ...told,
        onConsole: (event) => {
          told.onConsole?.(event)
          if (event.kind === 'selected') onSelected(event.manifest.round)
        },
      }
    },
    onDone: (run) => doneOf(run).resolve(),
  })
  started.defer(() => host.close())
  return {
    async trained(runs, signal) {
      signal.addEventListener('abort', () => failure.reject(signal.reason), { once: true })
      for (const run of runs) await submitRun(runtime, run)
      await Promise.race([failure.promise, Promise.all(runs.map(({ name }) => doneOf(name).promise))])
    },
  }
}
