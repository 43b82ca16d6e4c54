import { labelsTopic, topics } from '../../schemas/index.ts'
import type { Labelled } from '../../topologies/console/changes.ts'
import { labelerStation } from '../../topologies/dataflow.ts'
import type { Runtime } from '../connections/connections.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'

type Ports = Pick<Runtime, 'kafka' | 'store'>

/**
 * By the labeler's consumer group and the sink's offsets: all these documents have been read by a labeler of this version, and what it wrote
 * about them is in ClickHouse.
 */
export const labelledBy =
  ({ kafka, store }: Ports): Labelled =>
  async ({ actor, version }, documents) => {
    const topic = labelsTopic(actor).name
    if (!(await kafka.topicNames()).includes(topic)) return false
    const group = consumerGroupOf(labelerStation(actor), { versions: { [actor]: version } })
    const read = await kafka.committedOffsets(group, topics.documents.name)
    if (!documents.every(({ partition, offsetNext }) => (read[partition] ?? 0) >= offsetNext)) return false
    // Asked after the labeler's offsets: what it wrote before it committed them is before these ends.
    const ends = await kafka.endOffsets(topic)
    const sunk = new Map<number, number>()
    for (const place of await store.committed()) if (place.topic === topic) sunk.set(place.partition, place.offsetNext)
    return ends.every((end, partition) => (sunk.get(partition) ?? 0) >= end)
  }
