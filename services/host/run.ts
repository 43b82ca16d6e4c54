import { setTimeout as sleep } from 'node:timers/promises'
import { type Progress, runTopics } from '../../schemas/index.ts'
import type { ConsoleEvent } from '../../topologies/console/ports.ts'
import { decidingStations, influenceStation, type Station, shadowStations } from '../../topologies/dataflow.ts'
import type { Output } from '../../topologies/node.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { createRunTopics, type Runtime } from '../connections/connections.ts'
import { readable, readingStation } from '../corpus/readable.ts'
import { followCheckpoints } from '../influence/follow.ts'
import { createRunInfluence } from '../influence/model.ts'
import type { Model } from '../model/model.ts'
import { systemClock } from '../runtime/clock.ts'
import { consumerGroupOf, groupNamed } from '../runtime/consumer-groups.ts'
import { WinnowError } from '../runtime/errors.ts'
import { RunMeter } from '../runtime/metrics/run-meter.ts'
import { type Service, startTogether } from '../runtime/service.ts'
import { runStation } from '../runtime/station.ts'
import { selectionsOf } from '../selections/chunks.ts'
import { SelectionReader } from '../selections/selection-reader.ts'
import { train } from '../trainer/trainer.ts'
import { AddedActors } from './added-actors.ts'
import { checkedBy } from './decontamination.ts'
import { DuplicateAlarm } from './duplicate-alarm.ts'
import { labelledBy } from './labelled.ts'
import { otherLossesBy } from './other-losses.ts'
import { shadowAtBy } from './shadow-at.ts'

/** Work is booked with its time. */
const booking = { now: systemClock }

export interface RunHooks {
  /** Threads that compute rewards; 0: other processes answer the requests. Default: 1. */
  readonly influenceWorkers?: number
  readonly onFailure: (error: unknown) => void
  readonly onConsole?: (event: ConsoleEvent) => void
  readonly onProgress?: (progress: Progress) => void
}

/**
 * A further influence worker, besides that of startRunStations: as many may run as the requests have partitions, which they share. @throws
 * WinnowError CONFIGURATION if the run requests no rewards
 */
export async function startInfluence(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<Service[]> {
  if (run.sampleDocuments === 0) throw asksForNone(run.name)
  await createRunTopics(runtime.kafka, run)
  return await startTogether(async (started) => {
    const influence = await createRunInfluence(run, model, hooks.influenceWorkers)
    started.push(influence, await followCheckpoints(runtime, run, influence))
    started.push(await startStation(runtime, run, influenceStation(run), { influence, booking }, hooks))
  })
}

export const asksForNone = (run: string): WinnowError =>
  new WinnowError('CONFIGURATION', `run ${run} asks for no rewards`, {
    hint: 'It is a control run: its sampleDocuments is 0.',
  })

/** The influence worker, actors and console of a run. */
export async function startRunStations(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<Service[]> {
  await createRunTopics(runtime.kafka, run)
  return await startTogether((started) => startInto(started, runtime, run, model, hooks))
}

/**
 * The actors and the console of a shadow. It asks for no rewards, and its numbers are not among the metrics, since nobody is given what it selects.
 * @param leader the run that it follows, as it was recorded
 */
export async function startShadowStations(
  runtime: Runtime,
  run: RunConfig,
  leader: RunConfig,
  hooks: RunHooks,
): Promise<Service[]> {
  await createRunTopics(runtime.kafka, run)
  return await startTogether(async (services) => {
    const added = new AddedActors(run, (station) => startStation(runtime, run, station, {}, hooks), hooks.onFailure)
    services.push(added)
    const ports = {
      store: runtime.store,
      console: {
        selections: selectionsOf(runtime),
        now: systemClock,
        onEvent: (event: ConsoleEvent) => {
          const joining = event.kind === 'changed' ? event.changes.filter(({ kind }) => kind === 'add') : []
          for (const { actor } of joining) added.start(actor)
          hooks.onConsole?.(event)
        },
      },
    }
    for (const station of shadowStations(run, leader))
      services.push(await startStation(runtime, run, station, ports, hooks))
  })
}

async function startInto(
  services: Service[],
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<void> {
  const meter = runtime.metrics && new RunMeter(runtime.metrics, run.name)
  // A control run requests no rewards and needs no worker.
  const { influenceWorkers = 1 } = hooks
  const answersHere = run.sampleDocuments > 0 && influenceWorkers > 0
  const influence = answersHere ? await createRunInfluence(run, model, influenceWorkers) : undefined
  if (influence !== undefined) services.push(influence, await followCheckpoints(runtime, run, influence))
  const added = new AddedActors(run, (station) => startStation(runtime, run, station, {}, hooks), hooks.onFailure)
  services.push(added)
  const alarm = new DuplicateAlarm(runtime, run.name, meter)
  services.push(alarm)
  const ports = {
    store: runtime.store,
    console: {
      labelled: labelledBy(runtime),
      checked: checkedBy(runtime),
      shadowAt: shadowAtBy(runtime),
      otherLosses: otherLossesBy(runtime),
      selections: selectionsOf(runtime),
      now: systemClock,
      onEvent: (event: ConsoleEvent) => {
        if (event.kind === 'wanted' && event.change.kind === 'add') added.start(event.change.actor)
        if (event.kind === 'selected') alarm.onSelected(event.run, event.manifest)
        meter?.onConsole(event)
        hooks.onConsole?.(event)
      },
    },
  }
  if (influence !== undefined)
    services.push(await startStation(runtime, run, influenceStation(run), { influence, booking }, hooks))
  for (const station of decidingStations(run)) services.push(await startStation(runtime, run, station, ports, hooks))
}

async function startStation<P>(
  runtime: Runtime,
  run: RunConfig,
  station: Station<P>,
  ports: P,
  { onFailure }: RunHooks,
): Promise<Service> {
  const build = (output: Output) => station.build(ports, output)
  const handle = await runStation({
    ...runtime,
    station,
    // No other station of a run reads texts.
    build: station.kind === 'influence' ? readingStation(station.name, runtime, build) : build,
    groupId: consumerGroupOf(station, { run: run.name }),
    run: run.name,
    onFailure,
  })
  return { name: `${station.name} of ${run.name}`, close: () => handle.close() }
}

export interface RunningTrainer extends Service {
  /** Resolves when it has made its last step. */
  readonly done: Promise<void>
}

/** The reference trainer of a run. */
export async function startTrainer(
  runtime: Runtime,
  run: RunConfig,
  model: Model,
  hooks: RunHooks,
): Promise<RunningTrainer> {
  await createRunTopics(runtime.kafka, run)
  await using starting = new AsyncDisposableStack()
  // One trainer of a run reports, in whatever language it is written: it fences off the one before.
  const producer = await runtime.kafka.producer({ transactionalId: groupNamed('trainer', run.name) })
  starting.defer(() => producer.close())
  const reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'trainer' })
  starting.defer(() => reader.close())
  const stop = new AbortController()
  const meter = runtime.metrics && new RunMeter(runtime.metrics, run.name)
  const ports = {
    ...runtime,
    store: readable(runtime),
    reader,
    producer,
    model,
    booking,
    onProgress: (progress: Progress) => {
      meter?.onProgress(progress, run.steps)
      hooks.onProgress?.(progress)
    },
  }
  const done = train(run, ports, stop.signal).then(() => reported(runtime, run))
  done.catch((error: unknown) => {
    if (!stop.signal.aborted) hooks.onFailure(error)
  })
  starting.defer(async () => {
    stop.abort()
    await done.catch(() => {})
  })
  const running = starting.move()
  return { name: `trainer of ${run.name}`, done, close: () => running.disposeAsync() }
}

/** Returns once readers see the last report: markers of a transaction are written a moment after it is committed. */
export async function reported({ kafka }: Pick<Runtime, 'kafka'>, { name }: RunConfig): Promise<void> {
  const inFlight = async () =>
    (await kafka.logsOf(runTopics(name).progress.name)).some(({ stable, end }) => stable < end)
  while (await inFlight()) await sleep(10)
}
