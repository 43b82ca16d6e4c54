import { labelerStation, labelSinkStation } from '../../topologies/dataflow.ts'
import type { Runtime } from '../connections/connections.ts'
import { consumerGroupOf } from '../runtime/consumer-groups.ts'

/**
 * Which labelers of these versions, and whether the label sink, are not connected, as a sentence that says how to start them; undefined: all
 * are, or we may not see them.
 */
export async function missingOfCorpus(
  kafka: Pick<Runtime['kafka'], 'consumerGroups'>,
  versions: ReadonlyMap<string, string>,
): Promise<string | undefined> {
  const groups = await kafka.consumerGroups('winnow.').catch(() => undefined)
  if (groups === undefined) return undefined
  const there = new Set(groups.map(({ groupId }) => groupId))
  const owner = { versions: Object.fromEntries(versions) }
  const labelers = [...versions.keys()].filter((actor) => !there.has(consumerGroupOf(labelerStation(actor), owner)))
  const sink = there.has(consumerGroupOf(labelSinkStation([]), owner))
  const parts = [
    ...(labelers.length > 0 ? [`no labeler of ${labelers.join(', ')}`] : []),
    ...(sink ? [] : ['no label sink']),
  ]
  if (parts.length === 0) return undefined
  const singly = [
    ...labelers.map((actor) => ['winnow run labeler --actor', actor].join(' ')),
    ...(sink ? [] : ['winnow run label-sink']),
  ]
  return `${parts.join(' and ')} is connected: winnow up starts all of them, or ${singly.join(', ')}`
}
