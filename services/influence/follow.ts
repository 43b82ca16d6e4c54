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
 * Loads each checkpoint as soon as the trainer reports it, so that requests for it, which the console sends once it has drawn the samples,
 * find weights and reference gradients ready. Only time depends on it: failures are only logged.
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
    // Past checkpoints were answered, or will be requested anyway.
    startOffset: (_topic, partition) => ends[partition] ?? 0,
    onBatch: async (records) => {
      for (const { value } of records) {
        if (value === null) continue
        try {
          const decoded = await codec.decode(value)
          // A trainer also tells which selection it reads.
          if (decoded.record !== Progress.name) continue
          const { checkpoint, step } = decoded.value as Progress
          // No round opens after the last step.
          if (checkpoint !== null && step < run.steps) influence.prepare?.(checkpoint)
        } catch (error) {
          log.warn({ err: error, topic }, 'a progress record cannot be read; its checkpoint is loaded on request')
        }
      }
    },
    onFailure: (error) => log.warn({ err: error, topic }, 'checkpoints are loaded only on request'),
  })
  return { name: `checkpoints of ${run.name}`, close: () => consumer.close() }
}
