import { Progress, runTopics } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { createRunTopics, type Runtime } from '../connections/connections.ts'
import { readable } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import type { Service } from '../runtime/service.ts'

type Ports = Pick<Runtime, 'kafka' | 'codec' | 'log'>

interface Told {
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly onDone?: (() => void) | undefined
}

/**
 * Reports what a run's trainer reports, wherever it runs, from now on, and once when it has made its last step, even if that was before.
 * Nothing depends on it: failures are only logged, and a service without permission to read reports goes without.
 */
export async function followProgress(
  { kafka, codec, log }: Ports,
  run: RunConfig,
  { onProgress, onDone }: Told,
): Promise<Service | undefined> {
  try {
    return await following({ kafka, codec, log }, run, { onProgress, onDone })
  } catch (error) {
    log.warn({ err: error, run: run.name }, 'reports of the trainer are not told here')
    return undefined
  }
}

async function following({ kafka, codec, log }: Ports, run: RunConfig, { onProgress, onDone }: Told): Promise<Service> {
  await createRunTopics(kafka, run)
  const topic = runTopics(run.name).progress.name
  const ends = await kafka.endOffsets(topic)
  let done = false
  const learn = async (value: Buffer | null, offset: number): Promise<void> => {
    const report = value === null ? undefined : await readable(() => codec.decodeAs(Progress, value))
    if (report === undefined) return
    if (offset >= (ends[0] ?? 0)) onProgress?.(report)
    if (done || report.step < run.steps) return
    done = true
    onDone?.()
  }
  const consumer = await kafka.consume({
    // A group of the console's, as far as permissions go.
    groupId: ephemeralGroup(groupNamed('console reports', run.name)),
    topics: [topic],
    startOffset: () => 0,
    onBatch: async (records) => {
      for (const { value, offset } of records) await learn(value, offset)
    },
    onFailure: (error) => log.warn({ err: error, topic }, 'reports of the trainer are not told here'),
  })
  return { name: `reports of ${run.name}`, close: () => consumer.close() }
}
