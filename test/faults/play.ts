import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Manifest, Progress, runTopics, topics } from '../../schemas/index.ts'
import { createRunTopics } from '../../services/connections/connections.ts'
import { readable } from '../../services/runtime/codec.ts'
import { runStation, type StationHandle } from '../../services/runtime/station.ts'
import { runStations } from '../../topologies/dataflow.ts'
import { type RunConfig, runConfigJson } from '../../topologies/run-config.ts'
import type { Crash } from './cases.ts'
import { influence, runNamed } from './corpus.ts'
import { computeExpected, type Expected, progressAfter, roundsOf } from './oracle.ts'
import { killAt, Service } from './service.ts'
import { consolePorts, groupOf, type StationChildOptions } from './stations.ts'
import { fill, openWorld, type World } from './world.ts'

/** A run whose stations but one live in the test's process; the one is a process of its own, to be ill-treated. */
export interface Play {
  readonly run: RunConfig
  /** Starts the station in question, once more where it is told to. */
  start(crash?: StationChildOptions['crash']): Service
  /** Resolves when the run has made its last selection, and throws where a station failed. */
  played(): Promise<void>
  /** The station's consumer group, or how its name begins. */
  readonly group: string
}

/** Of a test that runs beside others only its own context knows its end. */
export type OnTestFinished = (finish: () => Promise<void>) => void

export async function play(world: World, stationName: string, onTestFinished: OnTestFinished): Promise<Play> {
  const run = runNamed(`run-${randomUUID().slice(0, 8)}`)
  const of = runTopics(run.name)
  // An answer that comes again when its round is closed is late, and goes there.
  await world.runtime.kafka.createTopics([{ ...topics.deadLetters, partitions: 1 }])
  await createRunTopics(world.runtime.kafka, run)
  const failures: unknown[] = []
  const onFailure = (error: unknown) => failures.push(error)
  const ports = { store: world.runtime.store, influence, console: consolePorts() }
  const handles: StationHandle[] = []
  const services: Service[] = []
  const producer = await world.runtime.kafka.producer()
  let over = false
  onTestFinished(async () => {
    over = true
    for (const service of services) await service.kill()
    await Promise.all(handles.map((handle) => handle.close()))
    await producer.close()
  })
  for (const station of runStations(run).filter(({ name }) => name !== stationName)) {
    const build = station.build.bind(station, ports)
    handles.push(
      await runStation({ ...world.runtime, groupId: groupOf(station.name, run.name), station, build, onFailure }),
    )
  }
  const start: Play['start'] = (crash) => {
    // Where a test has failed whoever goes on killing must not leave a process behind.
    if (over) throw new Error('the test is over')
    const options: StationChildOptions = {
      station: stationName,
      addresses: world.addresses,
      run: runConfigJson(run),
      group: run.name,
      ...(crash !== undefined && { crash }),
    }
    const service = new Service(stationName, 'station-child.ts', options)
    services.push(service)
    return service
  }
  const selected = selectedRounds(world, run)
  /** The trainer's part: reports a checkpoint as soon as it has a selection to train on. */
  const played = async () => {
    for (const round of roundsOf(run)) {
      for (let waitedMs = 0; !(await selected()).has(round); waitedMs += pollMs) {
        if (failures.length > 0) throw failures[0]
        const current = services.at(-1)
        if (current?.ended && (await current.exited()) !== 'SIGKILL') throw new Error(current.errors)
        if (waitedMs > 120_000)
          throw new Error(`round ${round} is not selected after ${waitedMs} ms: ${current?.errors}`)
        await sleep(pollMs)
      }
      if (round === roundsOf(run).at(-1)) return
      const value = world.runtime.codec.encode(Progress, progressAfter(run, round))
      await producer.send([{ topic: of.progress.name, key: run.name, value }])
    }
  }
  return { run, start, played, group: groupOf(stationName, run.name) }
}

const pollMs = 50

/** The rounds that have a manifest; each question reads only what has come since the last one. */
function selectedRounds({ runtime: { kafka, codec } }: World, run: RunConfig): () => Promise<ReadonlySet<number>> {
  const rounds = new Set<number>()
  let from = 0
  return async () => {
    for await (const records of kafka.read(runTopics(run.name).consoleState.name, [from])) {
      for (const { offset, value } of records) {
        from = offset + 1
        const decided = value === null ? undefined : await readable(() => codec.decode(value))
        if (decided?.record === Manifest.name) rounds.add((decided.value as Manifest).round)
      }
    }
    return rounds
  }
}

/** Plays a run during which the station is killed at each of the points, one after the other, and started again. */
export async function playWithKills(
  world: World,
  stationName: string,
  crashes: readonly Crash[],
  onTestFinished: OnTestFinished,
): Promise<RunConfig> {
  const { run, start, played, group } = await play(world, stationName, onTestFinished)
  const [, last] = await Promise.all([played(), killAt(crashes, start, () => world.evict(group))])
  await last.said('ready')
  await last.stop()
  return run
}

export interface Played {
  readonly world: World
  readonly expected: Expected
  readonly run: RunConfig
  close(): Promise<void>
}

/** A run that has made its last selection, with nobody disturbed, for those who read what is recorded of it. */
export async function openPlayed(): Promise<Played> {
  const expected = await computeExpected(runNamed('oracle'))
  const world = await openWorld()
  const finish: (() => Promise<void>)[] = []
  const close = async () => {
    for (const last of finish) await last()
    await world.close()
  }
  try {
    await fill(world, expected)
    const { run, played } = await play(world, 'nobody', (last) => finish.push(last))
    await played()
    return { world, expected, run, close }
  } catch (error) {
    await close()
    throw error
  }
}
