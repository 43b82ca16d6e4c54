import { type Manifest, type Progress, runTopics } from '../../schemas/index.ts'
import type { ConsoleEvent } from '../../topologies/console/console.ts'
import { columnsOf } from '../../topologies/corpus-store.ts'
import { runStations } from '../../topologies/dataflow.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { createRunTopics, type Runtime } from '../connections/connections.ts'
import { followCheckpoints } from '../influence/follow.ts'
import { createRunInfluence } from '../influence/model.ts'
import type { Model } from '../model/model.ts'
import { systemClock } from '../runtime/clock.ts'
import { WinnowError } from '../runtime/errors.ts'
import { RunMeter } from '../runtime/metrics/run-meter.ts'
import { type Service, startTogether } from '../runtime/service.ts'
import { groupIdOf, runStation } from '../runtime/station.ts'
import { SelectionReader } from '../selections/selection-reader.ts'
import { train } from '../trainer/trainer.ts'
import { portsOf } from './corpus.ts'

export interface RunHooks {
  /** Threads that compute rewards; 0: other processes answer the requests. Default: 1. */
  readonly influenceWorkers?: number
  readonly onFailure: (error: unknown) => void
  readonly onConsole?: (event: ConsoleEvent) => void
  readonly onProgress?: (progress: Progress) => void
}

const consoleTickMs = 500

/**
 * An influence worker alone: as many may run, beside the one of startRunStations, as the requests have partitions, which they share.
 * @throws WinnowError CONFIGURATION where the run asks for no rewards
 */
export async function startInfluence(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<Service[]> {
  if (run.sampleDocuments === 0)
    throw new WinnowError('CONFIGURATION', `run ${run.name} asks for no rewards`, {
      hint: 'It is a control run: its sampleDocuments is 0.',
    })
  await createRunTopics(runtime.kafka, runTopics(run.name))
  return await startTogether(async (started) => {
    const influence = await createRunInfluence(run, model, hooks.influenceWorkers)
    started.push(influence, await followCheckpoints(runtime, run, influence))
    const station = runStations(run).find(({ name }) => name === 'influence')!
    const handle = await runStation({
      ...runtime,
      station,
      build: (output) => station.build(portsOf({ store: runtime.store, influence }), output),
      groupId: groupIdOf(station.name, run.name),
      run: run.name,
      onFailure: hooks.onFailure,
    })
    started.push({ name: `${station.name} of ${run.name}`, close: () => handle.close() })
  })
}

/** The influence worker, actors and console of a run. */
export async function startRunStations(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<Service[]> {
  await createRunTopics(runtime.kafka, runTopics(run.name))
  return await startTogether((started) => startInto(started, runtime, run, model, hooks))
}

async function startInto(
  services: Service[],
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<void> {
  const meter = runtime.metrics && new RunMeter(runtime.metrics, run.name)
  // A control run asks for no rewards and needs no worker.
  const { influenceWorkers = 1 } = hooks
  const answersHere = run.sampleDocuments > 0 && influenceWorkers > 0
  const influence = answersHere ? await createRunInfluence(run, model, influenceWorkers) : undefined
  if (influence !== undefined) services.push(influence, await followCheckpoints(runtime, run, influence))
  const reader = await SelectionReader.open({
    ...runtime,
    run: run.name,
    reader: 'console reader',
  })
  services.push({ name: `selections of ${run.name}`, close: () => reader.close() })
  const ports = portsOf({
    store: runtime.store,
    ...(influence !== undefined && { influence }),
    console: {
      columns: columnsOf(run),
      selections: { selection: (manifest: Manifest) => reader.chunks(manifest) },
      now: systemClock,
      onEvent: (event) => {
        meter?.onConsole(event)
        hooks.onConsole?.(event)
      },
    },
  })
  for (const station of runStations(run)) {
    if (station.name === 'influence' && influence === undefined) continue
    const groupId = groupIdOf(station.name, run.name)
    const handle = await runStation({
      ...runtime,
      station,
      build: (output) => station.build(ports, output),
      groupId,
      run: run.name,
      ...(station.name === 'console' && { transactionalId: groupId, tickMs: consoleTickMs }),
      onFailure: hooks.onFailure,
    })
    services.push({ name: `${station.name} of ${run.name}`, close: () => handle.close() })
  }
}

/** The reference trainer of a run. `done` resolves when it has made its last step. */
export async function startTrainer(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<Service & { done: Promise<void> }> {
  await createRunTopics(runtime.kafka, runTopics(run.name))
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'trainer' })
  const producer = await runtime.kafka.producer().catch(async (error: unknown) => {
    await reader.close()
    throw error
  })
  const stop = new AbortController()
  const meter = runtime.metrics && new RunMeter(runtime.metrics, run.name)
  const ports = {
    ...runtime,
    reader,
    producer,
    model,
    onProgress: (progress: Progress) => {
      meter?.onProgress(progress)
      hooks.onProgress?.(progress)
    },
  }
  const done = train(run, ports, stop.signal)
  done.catch((error: unknown) => {
    if (!stop.signal.aborted) hooks.onFailure(error)
  })
  return {
    name: `trainer of ${run.name}`,
    done,
    close: async () => {
      stop.abort()
      await done.catch(() => {})
      await reader.close()
      await producer.close()
    },
  }
}
