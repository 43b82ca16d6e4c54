import { corpusStations, runStations } from '../../topologies/dataflow.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { groupIdOf } from '../runtime/station.ts'

/** What a station has not yet read of a topic. */
export interface StationLag {
  readonly station: string
  readonly topic: string
  /** Records, by partition. */
  readonly records: readonly number[]
}

/**
 * How far behind the stations are whose place is a consumer group's: labelers, label sink, influence workers. Actors and console keep their
 * place in their own records, the trainer in its checkpoint. A group that has never committed is left out.
 */
export async function stationLags(
  kafka: Runtime['kafka'],
  ends: ReadonlyMap<string, readonly number[]>,
  { labelers, runs }: { labelers: ReadonlyMap<string, string>; runs: readonly RunConfig[] },
): Promise<StationLag[]> {
  const asked = [
    ...corpusStations([...labelers.keys()]).map(({ name, reads }) => {
      const version = labelers.get(name.replace(/^labeler /, ''))
      return { station: name, reads, groupId: groupIdOf(version === undefined ? name : `${name} ${version}`) }
    }),
    ...runs.flatMap((run) =>
      runStations(run).map(({ name, reads }) => ({
        station: `${name} of ${run.name}`,
        reads,
        groupId: groupIdOf(name, run.name),
      })),
    ),
  ]
  const found = asked.flatMap(({ station, reads, groupId }) =>
    reads.map(async (topic): Promise<StationLag[]> => {
      const topicEnds = ends.get(topic)
      if (topicEnds === undefined) return []
      const committed = await kafka.committedOffsets(groupId, topic)
      if (committed.every((offset) => offset === null)) return []
      return [{ station, topic, records: topicEnds.map((end, p) => Math.max(0, end - (committed[p] ?? 0))) }]
    }),
  )
  return (await Promise.all(found)).flat()
}
