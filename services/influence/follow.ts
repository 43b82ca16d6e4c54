import { Progress, runTopics } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { InfluenceModel } from '../../topologies/stations/influence.ts'
import type { Codec } from '../runtime/codec.ts'
import { ephemeralGroup, groupNamed } from '../runtime/consumer-groups.ts'
import type { Kafka } from '../runtime/kafka/port.ts'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'

interface FollowPorts {
  readonly kafka: Kafka
  readonly codec: Codec
  readonly log: Log
}

/**
 * Makes each checkpoint ready as soon as the trainer reports it, so that the requests at it, which the console sends when it has drawn the
 * samples, find its weights and reference gradients there. Nothing depends on it but time: what goes wrong here is only logged.
 */
export async function followCheckpoints(
  { kafka, codec, log }: FollowPorts,
  run: RunConfig,
  influence: InfluenceModel,
): Promise<Service> {
  const topic = runTopics(run.name).progress.name
  const ends = await kafka.endOffsets(topic)
  const consumer = await kafka.consume({
    groupId: ephemeralGroup(groupNamed('influence checkpoints', run.name)),
    topics: [topic],
    // Checkpoints of the past were answered, or are asked for anyway.
    startOffset: (_topic, partition) => ends[partition] ?? 0,
    onBatch: async (records) => {
      for (const { value } of records) {
        if (value === null) continue
        try {
          const { checkpoint, step } = await codec.decodeAs(Progress, value)
          // After the last step no round opens.
          if (checkpoint !== null && step < run.steps) influence.prepare?.(checkpoint)
        } catch (error) {
          log.warn(
            { err: error, topic },
            'a progress record cannot be read; its checkpoint is loaded when it is asked for',
          )
        }
      }
    },
    onFailure: (error) => log.warn({ err: error, topic }, 'checkpoints are loaded only when they are asked for'),
  })
  return { name: `checkpoints of ${run.name}`, close: () => consumer.close() }
}
