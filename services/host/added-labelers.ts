import { ActorChange, runTopics } from '../../schemas/index.ts'
import { addedLabelSinkStation } from '../../topologies/dataflow.ts'
import type { ActorLabels, Config } from '../config/config.ts'
import { createCorpusTopics, type Runtime } from '../connections/connections.ts'
import { labelerConfig, labelerVersion } from '../labeler/labeler.ts'
import { readable } from '../runtime/codec.ts'
import { groupNamed } from '../runtime/consumer-groups.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { runStation } from '../runtime/station.ts'
import { everyTick } from '../runtime/ticks.ts'
import { startLabeler } from './corpus.ts'
import { followRuns } from './run-list.ts'

/** How often new additions are looked for. */
const lookMs = 2000

/**
 * Labels the corpus for the actors that somebody has added to active runs, from its start, and takes their labels in. What fails here is logged: a
 * labeler that never catches up delays nobody, and its actor just does not join.
 */
export async function startAddedLabelers(
  runtime: Runtime,
  config: Config,
  onFailure: (error: unknown) => void,
): Promise<Service> {
  const { kafka, codec, log } = runtime
  const services: Service[] = []
  const known = new Set(config.actors.map(({ name }) => name))
  const started = new Set<string>()
  const from = new Map<string, number[]>()
  let runs: readonly string[] = []

  const start = async (change: ActorChange): Promise<void> => {
    const { actor, labelerVersion: version } = change
    const name = `${actor} ${version}`
    if (started.has(name)) return
    started.add(name)
    const labels: ActorLabels = {
      name: actor,
      subcategories: change.subcategories,
      labeler: labelerConfig.parse(JSON.parse(change.labeler)),
    }
    const configured = config.actors.find((one) => one.name === actor)
    const inForce = configured && (await labelerVersion(configured, configured.labeler, config.baseFolder))
    const own = { ...config, actors: [...config.actors, labels], baseFolder: change.labelerFolder }
    await createCorpusTopics(kafka, own)
    const failed = (error: unknown) => log.error({ err: error, actor }, 'an added labeler has stopped')
    if (inForce !== version) {
      const here = await labelerVersion(labels, labels.labeler, own.baseFolder)
      if (here === version) services.push(await startLabeler(runtime, own, labels, failed))
      else log.error({ actor, version, here }, 'the labeler of an added actor has another version here: it is not run')
    }
    if (!known.has(actor)) services.push(await startSink(runtime, actor, failed))
    known.add(actor)
    log.info({ actor, version, run: change.run }, 'labelling for an added actor')
  }

  const look = async (): Promise<void> => {
    const existing = new Set(await kafka.topicNames())
    for (const run of runs) {
      const topic = runTopics(run).changes.name
      if (!existing.has(topic)) continue
      const next = from.get(topic) ?? []
      from.set(topic, next)
      for await (const records of kafka.read(topic, next)) {
        for (const { partition, offset, value } of records) {
          next[partition] = offset + 1
          const change = value === null ? undefined : await readable(() => codec.decodeAs(ActorChange, value))
          if (change?.kind !== 'add') continue
          await start(change).catch((error: unknown) =>
            log.error({ err: error, actor: change.actor }, 'the labeler of an added actor cannot be started'),
          )
        }
      }
    }
  }

  const follower = await followRuns(
    runtime,
    'added labelers',
    async (recorded) => {
      runs = [...recorded.values()]
        .filter(({ life, replayOf }) => replayOf === null && (life === 'active' || life === 'paused'))
        .map(({ run }) => run)
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
    (error) => log.warn({ err: error }, 'looking for added actors failed, it is tried again'),
  )
  return {
    name: 'added labelers',
    close: async () => {
      stop()
      await looking.catch(() => {})
      await follower.close()
      await closeAll(services)
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
