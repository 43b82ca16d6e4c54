import type { ActorChange } from '../../schemas/index.ts'
import { addedLabelSinkStation } from '../../topologies/dataflow.ts'
import type { ActorLabels, Config } from '../config/config.ts'
import { createCorpusTopics, type Runtime } from '../connections/connections.ts'
import { labelerConfig, labelerVersion } from '../labeler/labeler.ts'
import { groupNamed } from '../runtime/consumer-groups.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { runStation } from '../runtime/station.ts'
import { everyTick } from '../runtime/ticks.ts'
import { startLabeler } from './corpus.ts'
import { followRuns } from './run-list.ts'
import { WantedLabels } from './wanted-labels.ts'

/** How often new changes are looked for. */
const lookMs = 2000

/**
 * Labels the corpus, from its start, for the actors that somebody has added to active runs or given other labels, and takes their labels in. A labeler
 * whose labels no run waits for or selects by any more is closed. What fails here is logged: a labeler that never catches up delays nobody, and its actor
 * just does not join, or keeps the labels that it has.
 */
export async function startAddedLabelers(
  runtime: Runtime,
  config: Config,
  onFailure: (error: unknown) => void,
): Promise<Service> {
  const { kafka, log } = runtime
  const sinks: Service[] = []
  const sunk = new Set(config.actors.map(({ name }) => name))
  /** By actor and version; undefined: none is needed here, or it cannot be started. */
  const labelers = new Map<string, Service | undefined>()
  const runs = new Map<string, WantedLabels>()

  const startLabels = async (change: ActorChange): Promise<Service | undefined> => {
    const { actor, labelerVersion: version } = change
    const labels: ActorLabels = {
      name: actor,
      subcategories: change.subcategories,
      labeler: labelerConfig.parse(JSON.parse(change.labeler)),
    }
    const configured = config.actors.find((one) => one.name === actor)
    const inForce = configured && (await labelerVersion(configured, configured.labeler, config.baseFolder))
    const others = config.actors.filter(({ name }) => name !== actor)
    const own = { ...config, actors: [...others, labels], baseFolder: change.labelerFolder }
    await createCorpusTopics(kafka, own)
    const failed = (error: unknown) => log.error({ err: error, actor }, 'an added labeler has stopped')
    if (!sunk.has(actor)) sinks.push(await startSink(runtime, actor, failed))
    sunk.add(actor)
    log.info({ actor, version, run: change.run }, 'labelling for a changed actor')
    if (inForce === version) return undefined
    const here = await labelerVersion(labels, labels.labeler, own.baseFolder)
    if (here === version) return await startLabeler(runtime, own, labels, failed)
    log.error({ actor, version, here }, 'the labeler of a changed actor has another version here: it is not run')
    return undefined
  }

  const look = async (): Promise<void> => {
    const existing = new Set(await kafka.topicNames())
    const wanted = new Map<string, ActorChange>()
    for (const run of runs.values())
      for (const change of await run.look(existing)) wanted.set(`${change.actor} ${change.labelerVersion}`, change)
    for (const [name, labeler] of labelers) {
      if (wanted.has(name)) continue
      labelers.delete(name)
      await labeler?.close()
      log.info({ labeler: name }, 'no run wants these labels any more')
    }
    for (const [name, change] of wanted) {
      if (labelers.has(name)) continue
      labelers.set(name, undefined)
      const labeler = await startLabels(change).catch((error: unknown) => {
        log.error({ err: error, actor: change.actor }, 'the labeler of a changed actor cannot be started')
        return undefined
      })
      labelers.set(name, labeler)
    }
  }

  const follower = await followRuns(
    runtime,
    'added labelers',
    async (recorded) => {
      for (const [name, run] of recorded) {
        const { life, replayOf } = run
        const isLive = replayOf === null && (life === 'active' || life === 'paused')
        if (!isLive) runs.delete(name)
        else if (!runs.has(name)) runs.set(name, new WantedLabels(runtime, run))
      }
      for (const name of runs.keys()) if (!recorded.has(name)) runs.delete(name)
    },
    onFailure,
  )
  let looking = Promise.resolve()
  const stop = everyTick(
    lookMs,
    () => {
      looking = look()
      return looking
    },
    (error) => log.warn({ err: error }, 'looking for changed actors failed, it is tried again'),
  )
  return {
    name: 'added labelers',
    close: async () => {
      stop()
      await looking.catch(() => {})
      await follower.close()
      await closeAll([...sinks, ...labelers.values()].filter((service) => service !== undefined))
    },
  }
}

async function startSink(runtime: Runtime, actor: string, onFailure: (error: unknown) => void): Promise<Service> {
  const station = addedLabelSinkStation(actor)
  const handle = await runStation({
    ...runtime,
    station,
    build: (output) => station.build(runtime, output),
    groupId: groupNamed(station.name),
    onFailure,
  })
  return { name: station.name, close: () => handle.close() }
}
