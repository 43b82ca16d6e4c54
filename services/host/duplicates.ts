import type { Run } from '../../schemas/index.ts'
import { duplicatesOf } from '../../topologies/corpus-store.ts'
import { duplicatesStation as station } from '../../topologies/dataflow.ts'
import { Sketcher, sketchConfigOf } from '../../topologies/duplicates/sketch.ts'
import { recordedConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { readingStation } from '../corpus/readable.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'
import { closeAll, type Service } from '../runtime/service.ts'
import { runStation } from '../runtime/station.ts'
import { documentsInClickHouse } from './refill.ts'
import { followRuns } from './run-list.ts'

/** Enough that the fetches of a batch cost less than sketching it. */
const batchBytesMax = 2 * 1024 * 1024

/** The sketches that recorded runs select by which have not ended, shadows among them. */
export function wantedSketches(runs: Iterable<Run>): Set<string> {
  const versions = new Set<string>()
  for (const run of runs) {
    if (run.life !== 'active' && run.life !== 'paused') continue
    const config = recordedConfig(run)
    const { version } = duplicatesOf(config) ?? {}
    // A replay sees what was sketched when it was recorded.
    const isReplay = run.replayOf !== null && config.shadowOf === undefined
    if (version !== undefined && !isReplay) versions.add(version)
  }
  return versions
}

/**
 * Sketches documents as the recorded runs want them sketched, from the start of the corpus: each version once, whatever number of runs limits near
 * duplicates by it. Several processes share the partitions. A version that no run wants any more is not gone on with.
 */
export async function startDuplicates(runtime: Runtime, onFailure: (error: unknown) => void): Promise<Service> {
  const { log } = runtime
  const running = new Map<string, Service>()

  const start = async (version: string): Promise<Service> => {
    const sketcher = new Sketcher(sketchConfigOf(version))
    log.info({ version }, 'sketching documents')
    const handle = await runStation({
      ...{ ...runtime, station, batchBytesMax, onFailure },
      build: readingStation(station.name, runtime, (output) => station.build({ sketcher, version }, output)),
      groupId: consumerGroupOf(station, { versions: { sketches: version } }),
      refill: documentsInClickHouse(runtime),
    })
    return { name: station.name, detail: `version ${version}`, close: () => handle.close() }
  }

  const follower = await followRuns(
    runtime,
    'duplicates',
    async (runs) => {
      const wanted = wantedSketches(runs.values())
      for (const [version, service] of running) {
        if (wanted.has(version)) continue
        running.delete(version)
        await service.close()
        log.info({ version }, 'no run wants these sketches any more')
      }
      for (const version of wanted) if (!running.has(version)) running.set(version, await start(version))
    },
    onFailure,
  )
  return {
    name: station.name,
    close: async () => {
      await follower.close()
      await closeAll([...running.values()])
    },
  }
}
